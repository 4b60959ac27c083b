"""Ways to know the label that are not in the patient.

Names of columns that say where a record comes from, folders that are one of
them, and paths of images that spell the label. Each is a warning: no model
sees a path, but what sorted the files may show in them.
"""

import collections
import pathlib
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from fusion_jax.core import types

# A yes or no this far from an AUROC of .5 is reported, if the number of
# standard errors from it is also above the second number.
TELLING = 0.1
_TELLING_Z = 5.0
_FEWEST = 10  # Studies of each class below which nothing is judged.

# A word of the paths that no label holds is reported from this AUROC.
_DECISIVE = 0.995
_MOST_WORDS = 200
_MOST_TEXTS = 50

# Of columns that say where a record comes from: words that tell it anywhere
# in the name, as its last word, and as the whole name.
_ORIGIN = {
  *('licence', 'license', 'copyright', 'doi', 'url', 'uri', 'pmid', 'website'),
  *('folder', 'directory', 'filename', 'filepath', 'dataset', 'uploader'),
  *('attribution', 'contributor'),
}
_ORIGIN_LAST = {'source', 'file', 'path', 'dir'}
_ORIGIN_WHOLE = {'collection', 'publication', 'reference', 'citation'}
_NOT_ORIGIN = {'infection', 'bleeding', 'energy', 'light', 'referral'}


def indicator_auroc(x: np.ndarray, target: np.ndarray) -> float:
  """AUROC (above .5) of a yes or no if it predicts `target`, else 0.

  Args:
    x: (n,) bool.
    target: (n,) of 0 and 1, NaN where unknown.
  """
  known = np.isfinite(target)
  y, x = target[known] == 1, x[known]
  a, b = y.sum(), (~y).sum()
  if min(a, b) < _FEWEST or x.all() or not x.any():
    return 0.0
  # Of the two orders of a positive and a negative, ties count half.
  far = abs(x[y].mean() - x[~y].mean()) / 2
  spread = np.sqrt(x.mean() * (1 - x.mean()) * (1 / a + 1 / b)) / 2
  if far < TELLING or far < _TELLING_Z * spread:
    return 0.0
  return float(0.5 + far)


def check(records, targets: Sequence[tuple[str, np.ndarray]]) -> None:
  """Adds warnings and notes about shortcuts to `records`.

  Args:
    records: n studies.
    targets: what a label asks about: its text, and (n,) 0/1 with NaN for
      unknown.
  """
  _check_columns(records)
  if any(records.all_paths):
    for name, paths in records.paths.items():
      _check_presence(records, name, paths, targets)
    _check_words(records, targets)


def _warn(records, message: str, column: str = '') -> None:
  records.findings.warn(message, column=column)
  place = f"Column '{column}': " if column else ''
  records.notes += (f'{place}{message[0].upper()}{message[1:]}',)


def _check_columns(records) -> None:
  """Features and groups that say where a record comes from."""
  d = records.descriptor
  folders = _folders(records)
  for key, columns in (('feature', d.features), ('group', d.groups)):
    for column in columns:
      values = records.table.columns[column]
      reason = ''
      if says_origin(column):
        reason = 'by its name it says where a record comes from'
      elif _is_one_to_one(values, folders):
        reason = 'its values are those of the folders of the images'
      if reason:
        _warn(
          records,
          f'{reason}, not what the patient has: as a {key} it can stand for '
          'the label where sources differ in it.',
          column,
        )


def says_origin(column: str) -> bool:
  """Whether a column's name says that it holds a source, not a finding."""
  words = re.findall(r'[^\W_]+', re.sub(r'([a-z])([A-Z])', r'\1 \2', column))
  words = [x.lower() for x in words]
  if not words or _NOT_ORIGIN & set(words):
    return False
  whole = ''.join(words)
  return (
    bool(_ORIGIN & {*words, whole})
    or words[-1] in _ORIGIN_LAST
    or whole in _ORIGIN_WHOLE
  )


def _folders(records) -> np.ndarray:
  """(n,) the folder of each study's first image, None without one."""
  found = np.full(len(records), None, object)
  for at, paths in enumerate(records.all_paths):
    if paths:
      found[at] = pathlib.PurePosixPath(paths[0]).parent.as_posix()
  return found


def _is_one_to_one(values, folders) -> bool:
  """Whether two or more levels stand for one folder each."""
  pairs = {
    (a, b)
    for a, b in zip(values, folders, strict=True)
    if a is not None and b is not None
  }
  levels, names = ({x[side] for x in pairs} for side in (0, 1))
  # A folder for each study says nothing about folders.
  few = 2 <= len(names) <= len(folders) / 4
  return few and len(pairs) == len(levels) == len(names)


def _check_presence(records, modality, paths, targets) -> None:
  """Whether a study has an image must not tell the label."""
  absent = np.array([not x for x in paths])
  what = 'an image' if len(records.paths) == 1 else f"'{modality}'"
  for name, target in targets:
    auroc = indicator_auroc(absent, target)
    if auroc:
      y = target == 1
      _warn(
        records,
        f'whether a study has {what} predicts {name}: AUROC {auroc:.3f} '
        f'from that alone ({1 - absent[y].mean():.0%} of the studies with it '
        f'have one, {1 - absent[target == 0].mean():.0%} of the others).',
      )


def _check_words(records, targets) -> None:
  """Paths of images must not spell the label."""
  every = records.all_paths
  has = np.array([bool(x) for x in every])
  spelt = [_spelt(paths) for paths in every]
  common = list(_common_words(spelt, has.sum()))
  for (name, target), texts in zip(targets, _texts(records), strict=True):
    target = np.where(has, target, np.nan)
    spoken = {_plain(x) for x in texts} - {''}
    found = ''
    for word in spoken:
      within = np.array([f' {word} ' in x for x in spelt])
      auroc = indicator_auroc(within, target)
      if auroc:
        found = _told(records, name, target, word, within, auroc)
        break
    for word in common if not found else ():
      within = np.array([f' {word} ' in x for x in spelt])
      auroc = indicator_auroc(within, target)
      if auroc >= _DECISIVE:
        _told(records, name, target, word, within, auroc)
        break


def _told(records, name, target, word, within, auroc) -> str:
  _warn(
    records,
    f"paths of images give {name} away: '{word}' is in "
    f'{within[target == 1].mean():.0%} of those of studies with it and in '
    f'{within[target == 0].mean():.0%} of the others (AUROC {auroc:.3f}). No '
    'model sees a path, but what sorted the files may show in the images.',
  )
  return word


def _plain(text: str) -> str:
  """Words and numbers, in lower case, with a blank between them."""
  text = re.sub(r'([a-z])([A-Z])', r'\1 \2', text)
  return ' '.join(re.findall(r'[^\W\d_]+|\d+', text)).lower()


def _spelt(paths: Iterable[str]) -> str:
  """What the paths of a study's images spell."""
  plain = (
    _plain(pathlib.PurePosixPath(x).with_suffix('').as_posix()) for x in paths
  )
  return ''.join(f' {x} ' for x in plain)


def _common_words(spelt: Sequence[str], count: int) -> Iterator[str]:
  """Words of several, but not of all paths."""
  counts = collections.Counter(word for x in spelt for word in set(x.split()))
  for word, times in counts.most_common(_MOST_WORDS):
    if _FEWEST <= times <= count - _FEWEST and word.isalpha():
      yield word


def _texts(records) -> list[set[str]]:
  """For each target, the texts that stand for it or its contrary."""
  d, task, labels = records.descriptor, records.task, records.labels

  def cells(column, chosen):
    values = records.table.columns.get(column, ())
    found = {x for x in np.asarray(values, object)[chosen] if x is not None}
    return found if len(found) <= _MOST_TEXTS else set()

  if task.kind == types.MULTICLASS:
    return [
      {name, *cells(d.label[0], labels[:, 0] == code)}
      for code, name in enumerate(task.names)
    ]
  if task.kind == types.MULTILABEL:
    return [{name} for name in task.names]
  if task.kind == types.REGRESSION:
    return []
  column = d.event if task.kind == types.SURVIVAL else d.label[0]
  known = np.isfinite(labels[:, -1])
  return [{column, *cells(column, known)}]
