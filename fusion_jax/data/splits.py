"""Training, validation and test parts, always by patient.

Only study and patient ids, labels, sites, index times and supplied folds are
read: no feature can move a study from one part to another.
"""

import csv
import dataclasses
import io
import os
from collections.abc import Sequence

import numpy as np

from fusion_jax.core import errors, files, plain, spellings, text_tables, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import config as config_lib
from fusion_jax.data import content, schemes, tables
from fusion_jax.data import strata as strata_lib

SCHEMES = ('auto', 'kfold', 'site', 'column', 'time', 'file')
PARTS = ('train', 'valid', 'test')
_DEFAULT_FOLDS = 3
# More divisions than any spread needs.
MOST_REPEATS = 1000
_MOST_DIGITS = 9
_COLUMNS = ('study_id', 'repeat', 'fold', 'part')


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
  """One fold of one repeat.

  Attributes:
    repeat: number from 0.
    fold: number from 0, or as supplied.
    train: sorted int row numbers of the training part.
    valid: of the validation part.
    test: of the test part.
  """

  repeat: int
  fold: int
  train: np.ndarray
  valid: np.ndarray
  test: np.ndarray


def make_splits(
  cohort: cohort_lib.Cohort, config: config_lib.SplitConfig
) -> list[Split]:
  """The splits that `config` asks for, by repeat, then fold.

  Raises:
    UserError: for a scheme, a number of folds or a share that this cohort
      cannot have, or patients that lie in several supplied folds.
  """
  _check(cohort, config)
  splits = _whole(cohort, config)
  if config.train_fraction < 1:
    splits = [_thinned(s, cohort, config) for s in splits]
  return splits


def _whole(cohort, config) -> list[Split]:
  scheme = schemes.chosen(cohort, config)
  if scheme == 'file':
    return load(config.file, cohort)
  if scheme != 'kfold':
    if config.repeats > 1:
      raise errors.UserError(
        f'splits.repeats = {config.repeats}: the {_SOURCE[scheme]} gives one '
        "division; use splits.scheme = 'kfold' to draw several."
      )
    if scheme == 'time':
      return _in_time(cohort, config)
    folds, names = _supplied(cohort, scheme, config.folds)
    return [
      _with_valid(cohort, folds != i, folds == i, 0, int(name), i, config)
      for i, name in enumerate(names)
    ]
  k = config.folds or _DEFAULT_FOLDS
  strata = strata_lib.stratum(cohort)
  _check_folds(cohort, strata, k)
  out = []
  for repeat in range(config.repeats):
    rng = np.random.default_rng([config.seed, repeat])
    part = strata_lib.divide(cohort.patient, strata, np.full(k, 1 / k), rng)
    for i in range(k):
      out.append(
        _with_valid(cohort, part != i, part == i, repeat, i, i, config)
      )
  return out


def digest(split: Split, cohort: cohort_lib.Cohort) -> str:
  """Hex hash of the study ids of each part."""
  return content.digest(
    np.sort(cohort.study[getattr(split, part)]) for part in PARTS
  )


def save(
  splits: Sequence[Split], cohort: cohort_lib.Cohort, path: str | os.PathLike
) -> None:
  """Writes CSV rows of study_id, repeat, fold, part; atomically.

  The file is its owner's alone.

  Raises:
    UserError: if the file cannot be written.
  """
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerow(_COLUMNS)
  for split in splits:
    for part in PARTS:
      for study in cohort.study[getattr(split, part)]:
        name = plain.in_sheet(str(study))
        writer.writerow([name, split.repeat, split.fold, part])
  with files.saving(path, mode=files.PRIVATE) as part:
    part.write_text(text.getvalue(), encoding='utf-8', newline='')


def load(path: str | os.PathLike, cohort: cohort_lib.Cohort) -> list[Split]:
  """Reads what `save` wrote. Studies not named in a fold are left out of it.

  Raises:
    UserError: if there is no such file or it has other columns.
    ProblemsError: listing unknown studies, parts and numbers, studies named
      twice, patients in several parts, empty parts and test parts of a repeat
      that overlap.
  """
  try:
    text = text_tables.decode(files.regular(path), what='Split file')
    text, delimiter, skipped = text_tables.delimited(text)
    lines = io.StringIO(text, newline='')
    table = list(csv.reader(lines, delimiter=delimiter))
  except csv.Error as e:
    raise errors.UserError(f"Split file '{path}': {e}.") from None
  if not table or tuple(table[0]) != _COLUMNS:
    raise errors.UserError(
      f"Split file '{path}': the first row must be {','.join(_COLUMNS)}."
    )
  for cells in table[1:]:
    cells[:1] = map(plain.from_sheet, cells[:1])
  row_of = {str(x): i for i, x in enumerate(cohort.study)}
  spelt = spellings.match([x[0] for x in table[1:] if x], row_of)
  row_of = {name: row_of[study] for name, study in spelt.items()}
  found: dict[tuple[int, int], dict[str, list[int]]] = {}
  findings, named = tables.Findings('', unit='row'), {}
  for line, cells in enumerate(table[1:], start=2 + skipped):
    if not cells:
      continue
    fault, kind = _fault(cells, row_of)
    if fault:
      findings.add(fault, line=line, kind=kind)
      continue
    study, repeat, fold, part = cells
    key = int(repeat), int(fold)
    before = named.setdefault((study, *key), line)
    if before != line:
      findings.add(
        f"study '{study}' was already put in repeat {repeat}, fold {fold} by "
        f'row {before}',
        line=line,
        kind='study named twice',
      )
      continue
    rows = found.setdefault(key, {x: [] for x in PARTS})
    rows[part].append(row_of[study])
  splits, problems = [], [*map(str, findings.finished())]
  for (repeat, fold), rows in sorted(found.items()):
    split = Split(
      repeat, fold, *(np.array(sorted(rows[x]), int) for x in PARTS)
    )
    problems += [
      f'repeat {repeat}, fold {fold}: {x}' for x in _faults(split, cohort)
    ]
    splits.append(split)
  problems += _overlaps(splits, cohort)
  if not problems and not splits:
    problems.append('it has no rows')
  if problems:
    raise errors.ProblemsError(
      f"Split file '{path}' does not fit cohort '{cohort.name}':", problems
    )
  return splits


def _overlaps(splits, cohort) -> list[str]:
  """Repeats that test some studies more often than others."""
  found = []
  for repeat in sorted({s.repeat for s in splits}):
    tests = [s.test for s in splits if s.repeat == repeat]
    rows, times = np.unique(np.concatenate(tests), return_counts=True)
    if (times > 1).any() and not (times == len(tests)).all():
      found.append(
        f"repeat {repeat}: study '{cohort.study[rows[np.argmax(times)]]}' is "
        'tested in several folds, but not every study in all of them; give '
        'divisions that overlap different repeats'
      )
  return found


_SOURCE = {
  'site': 'site column',
  'column': 'fold column',
  'time': 'index time',
  'file': 'file',
}


def _check(cohort, config) -> None:
  if config.scheme not in SCHEMES:
    raise errors.unknown_name('split scheme', config.scheme, SCHEMES)
  if not 1 <= config.repeats <= MOST_REPEATS:
    raise errors.UserError(
      f'splits.repeats = {config.repeats}: expected a whole number from 1 to '
      f'{MOST_REPEATS}.'
    )
  if config.folds < 0 or config.folds == 1:
    raise errors.UserError(
      f'splits.folds = {config.folds}: there must be at least 2 folds (or 0 '
      'for the default).'
    )
  if config.seed < 0:
    raise errors.UserError(f'splits.seed = {config.seed} must not be negative.')
  if not 0 < config.valid_fraction < 1:
    raise errors.UserError(
      f'splits.valid_fraction = {config.valid_fraction} must lie between 0 '
      'and 1: early stopping and tuning need validation studies.'
    )
  if not 0 < config.train_fraction <= 1:
    raise errors.UserError(
      f'splits.train_fraction = {config.train_fraction}: expected a number '
      'above 0, at most 1.'
    )
  if (config.scheme == 'file') != bool(config.file):
    raise errors.UserError(
      f"splits.scheme = '{config.scheme}' with splits.file = '{config.file}': "
      "a file is given exactly where the scheme is 'file'."
    )


def _check_folds(cohort, strata, k) -> None:
  patients = len(np.unique(cohort.patient))
  if k > patients:
    raise errors.UserError(
      f"{k} folds are impossible: cohort '{cohort.name}' has {patients} "
      f'patients.'
    )
  # A test part without one of these would have no defined metric.
  needed = {
    types.BINARY: {0: 'label 0', 1: 'label 1'},
    types.MULTICLASS: {
      i: f"class '{x}'" for i, x in enumerate(cohort.task.names)
    },
    types.SURVIVAL: {1: 'an event'},
  }.get(cohort.task.kind, {})
  for value, what in needed.items():
    count = len(np.unique(cohort.patient[strata == value]))
    if count < k:
      raise errors.UserError(
        f"{k} folds are impossible: each fold's test part needs a patient "
        f"with {what}, and cohort '{cohort.name}' has {count} (of {patients})."
      )


def _supplied(cohort, scheme, folds) -> tuple[np.ndarray, np.ndarray]:
  """(n,) number of each study's test part and (k,) their names."""
  values = cohort.fold if scheme == 'column' else cohort.site
  if values is None:
    raise errors.UserError(
      f"splits.scheme = '{scheme}', but cohort '{cohort.name}' has no "
      f'{_SOURCE[scheme]}.'
    )
  names, part = np.unique(values, return_inverse=True)
  if len(names) < 2:
    raise errors.UserError(
      f"The {_SOURCE[scheme]} of cohort '{cohort.name}' has the single value "
      f"'{names[0]}': there is nothing to train on."
    )
  if folds not in (0, len(names)):
    raise errors.UserError(
      f'splits.folds = {folds}, but the {_SOURCE[scheme]} of cohort '
      f"'{cohort.name}' has {len(names)} values."
    )
  _, inverse = np.unique(cohort.patient, return_inverse=True)
  first = np.full(inverse.max() + 1, -1)
  first[inverse[::-1]] = part[::-1]
  wrong = np.flatnonzero(part != first[inverse])
  if scheme == 'column' and len(wrong):
    at = wrong[0]
    raise errors.UserError(
      f"Patient '{cohort.patient[at]}' of cohort '{cohort.name}' lies in "
      f'several folds of the fold column ({len(np.unique(inverse[wrong]))} '
      'patients do).'
    )
  return part, names if scheme == 'column' else np.arange(len(names))


def _in_time(cohort, config) -> list[Split]:
  """Fold k is trained on blocks 0 to k in time and tested on block k + 1."""
  k = config.folds or _DEFAULT_FOLDS
  if cohort.index_time is None:
    raise errors.UserError(
      f"splits.scheme = 'time', but cohort '{cohort.name}' has no index_time."
    )
  if not np.isfinite(cohort.index_time).all():
    raise errors.UserError(
      f"splits.scheme = 'time', but a study of cohort '{cohort.name}' has no "
      'index_time.'
    )
  _, patient = np.unique(cohort.patient, return_inverse=True)
  first = np.full(patient.max() + 1, np.inf)
  np.minimum.at(first, patient, cohort.index_time)
  times, moment = np.unique(first[patient], return_inverse=True)
  if len(times) <= k:
    raise errors.UserError(
      f'{k} folds in time are impossible: they need {k + 1} blocks of '
      f"patients, and those of cohort '{cohort.name}' start at {len(times)} "
      f'different index times (splits.folds).'
    )
  # Patients who start at the same time stay together, so that every training
  # patient starts before every test patient.
  counts = np.cumsum(np.bincount(moment))
  cuts = [0]
  for j in range(1, k + 1):
    # At least one time in this block, and one for each that follows.
    nearest = np.arange(cuts[-1] + 1, len(times) - (k - j))
    distance = np.abs(counts[nearest - 1] - j * len(cohort) / (k + 1))
    cuts.append(int(nearest[np.argmin(distance)]))
  block = np.searchsorted(cuts, moment, side='right') - 1
  return [
    _with_valid(cohort, block <= i, block == i + 1, 0, i, i, config)
    for i in range(k)
  ]


def _with_valid(cohort, kept, tested, repeat, fold, number, config) -> Split:
  """Cuts a validation part from the studies `kept`; masks of all studies."""
  # Leaving a site out must not leave its patients in through another site.
  outside = ~np.isin(cohort.patient, cohort.patient[tested])
  rest = np.flatnonzero(kept & outside)
  if len(np.unique(cohort.patient[rest])) < 2:
    raise errors.UserError(
      f"Fold {fold} of cohort '{cohort.name}' leaves "
      f'{len(np.unique(cohort.patient[rest]))} patients for training and '
      'validation; each needs one.'
    )
  rng = np.random.default_rng([config.seed, repeat, number, 1])
  shares = np.array([1 - config.valid_fraction, config.valid_fraction])
  part = strata_lib.divide(
    cohort.patient[rest], strata_lib.stratum(cohort, rest), shares, rng
  )
  return Split(
    repeat, fold, rest[part == 0], rest[part == 1], np.flatnonzero(tested)
  )


def _thinned(split: Split, cohort, config) -> Split:
  """The split with a share of its training and validation patients."""
  kept = []
  for number, rows in enumerate((split.train, split.valid)):
    rng = np.random.default_rng(
      [config.seed, split.repeat, split.fold, 3, number]
    )
    shares = np.array([config.train_fraction, 1 - config.train_fraction])
    part = strata_lib.divide(
      cohort.patient[rows], strata_lib.stratum(cohort, rows), shares, rng
    )
    kept.append(rows[part == 0])
    if not len(kept[-1]):
      raise errors.UserError(
        f'splits.train_fraction = {config.train_fraction} leaves fold '
        f"{split.fold} of cohort '{cohort.name}' no {PARTS[number]} studies."
      )
  return dataclasses.replace(split, train=kept[0], valid=kept[1])


def _fault(cells: list[str], row_of: dict[str, int]) -> tuple[str, str]:
  """What is wrong with one row of a split file and its kind, or nothing."""
  if len(cells) != len(_COLUMNS):
    return f'{len(cells)} cells, expected {len(_COLUMNS)}', 'number of cells'
  study, repeat, fold, part = cells
  if study not in row_of:
    return f"no study '{study}'", 'no such study'
  for name, value in (('repeat', repeat), ('fold', fold)):
    if not value.isdecimal():
      return f"{name} '{value}' is not a whole number", f'{name} not whole'
    if len(value) > _MOST_DIGITS:
      return (
        f"{name} '{value}' has more than {_MOST_DIGITS} digits",
        f'{name} too long',
      )
  if part not in PARTS:
    return f"part '{part}' is none of {', '.join(PARTS)}", 'no such part'
  return '', ''


def _faults(split: Split, cohort: cohort_lib.Cohort) -> list[str]:
  """What is wrong with one loaded split."""
  out = [f'no {x} studies' for x in PARTS if not len(getattr(split, x))]
  patients = {x: set(cohort.patient[getattr(split, x)]) for x in PARTS}
  for i, a in enumerate(PARTS):
    for b in PARTS[i + 1 :]:
      both = sorted(patients[a] & patients[b])
      if both:
        out.append(
          f"patient '{both[0]}' is in {a} and {b} ({len(both)} patients are)"
        )
  return out
