"""`[modalities.NAME]` of cohort.toml, version 2: what each modality is.

docs/cohorts.md explains every key with examples.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from fusion_jax.core import errors, types
from fusion_jax.data import config, keys, series_rows
from fusion_jax.data import kind as kinds
from fusion_jax.data.kinds import image, series, table, vector, volume

ORIENTATIONS = ('fixed', 'free')
MISSING = ('error', 'absent')
AFTER_INDEX = ('error', 'drop')
MOST_MODALITIES = 20

_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]{0,31}')
# Names with a meaning of their own where arms and scores are named.
_RESERVED = ('both', 'all')
_WINDOW = re.compile(r'(\d+(?:\.\d+)?) ?(h|d)')
_MOST_LENGTH = 100_000


@dataclasses.dataclass(frozen=True)
class Section:
  """One modality. Texts are empty and tuples () where its table is silent.

  Attributes:
    name: of the modality.
    kind: of the modality.
    side: IMAGING or RECORD.
    path: patterns of files, or columns that hold paths.
    views: what each of `path` shows; () where a study's images have no order.
    missing: whether a named file that is not there is an error or means that
      the study has none.
    size: side in pixels or voxels; 0 for the reader to choose.
    orientation: whether flips and rotations leave the meaning ('free').
    window: volume: the values that stand for 0 and 1.
    classes: volume: number of labels where its values are labels; 0 if not.
    numeric: table: columns of numbers.
    categorical: table: columns of names.
    boolean: table: columns of true and false.
    table: series: path of its own table.
    study: series: its columns that name a study; () for the cohort's.
    time: series: column of the time of a row.
    code: series: column of what was measured or noted.
    value: series: column of the value.
    time_unit: series: of times that are numbers.
    index: series: the time of the prediction where it is one for all.
    hours: series: rows older than this are left out.
    after_index: series: what a row at or after the prediction is.
    length: series: most rows of a study that models are given.
    codes: series: those to use; () for all.
    unknown: series: values that mean unknown.
    plausible: series: by code, the least and the largest value.
  """

  name: str
  kind: str
  side: str
  path: tuple[str, ...] = ()
  views: tuple[str, ...] = ()
  missing: str = 'error'
  size: int = 0
  orientation: str = 'fixed'
  window: tuple[float, ...] = ()
  classes: int = 0
  numeric: tuple[str, ...] = ()
  categorical: tuple[str, ...] = ()
  boolean: tuple[str, ...] = ()
  table: str = ''
  study: tuple[str, ...] = ()
  time: str = ''
  code: str = ''
  value: str = ''
  time_unit: str = ''
  index: float | None = None
  hours: float = math.inf
  after_index: str = 'error'
  length: int = series.LENGTH
  codes: tuple[str, ...] = ()
  unknown: tuple[str, ...] = ()
  plausible: Mapping[str, tuple[float, float]] = dataclasses.field(
    default_factory=dict
  )

  @property
  def by_study(self) -> bool:
    """Whether `path` names files of single studies."""
    one = self.kind == vector.NAME and len(self.path) == 1
    return bool(self.path) and not (
      one and self.path[0].endswith('.npz') and '{' not in self.path[0]
    )

  @property
  def columns(self) -> tuple[str, ...]:
    """The columns of a table."""
    return self.numeric + self.categorical + self.boolean


# What a window is, of a volume and of a series.
_WINDOWS = (
  'two numbers in order such as [-1000, 400] (volume)',
  'a time above 0 such as "48h" or "7d" (series)',
)
# Keys that are no noun for what they choose.
_CHOSEN = ('missing', 'after_index')
_FILES = ('path', 'missing', 'size', 'orientation')
# By kind, the keys that it may have, and those that it must.
_KEYS: Mapping[str, tuple[str, ...]] = {
  image.NAME: (*_FILES, 'views'),
  volume.NAME: (*_FILES, 'window', 'classes'),
  table.NAME: ('numeric', 'categorical', 'boolean'),
  series.NAME: (
    'table',
    'study',
    'time',
    'code',
    'value',
    'time_unit',
    'index',
    'window',
    'after_index',
    'length',
    'codes',
    'unknown',
    'plausible',
  ),
  vector.NAME: ('path', 'missing'),
}
_NEEDED: Mapping[str, tuple[str, ...]] = {
  volume.NAME: ('path',),
  series.NAME: ('table', 'time', 'code', 'value'),
  vector.NAME: ('path',),
}


def read(value: Any, path) -> dict[str, Section]:
  """Reads the tables of all modalities; `path` is named in errors.

  Raises:
    UserError: for an unknown kind or key, a value of the wrong type or a
      modality that lacks what its kind needs.
  """
  if not isinstance(value, dict) or not value:
    raise errors.UserError(
      f"'{path}': modalities must be tables such as [modalities.cxr] with "
      f'kind = "image", got {value!r}.'
    )
  if len(value) > MOST_MODALITIES:
    raise errors.UserError(
      f"'{path}': {len(value)} modalities, at most {MOST_MODALITIES}."
    )
  return {name: _section(name, entry, path) for name, entry in value.items()}


def _section(name, entry, path) -> Section:
  where = f"'{path}', modalities.{name}"
  if not _NAME.fullmatch(name) or name in _RESERVED:
    raise errors.UserError(
      f'{where}: a modality is named by a letter and then letters, digits and '
      f'underscores, at most 32, and not {" or ".join(_RESERVED)}.'
    )
  if not isinstance(entry, dict):
    raise errors.UserError(f'{where}: expected a table, got {entry!r}.')
  entry = dict(entry)
  if 'kind' not in entry:
    raise errors.UserError(
      f"{where} lacks the key 'kind'; legal are {', '.join(_KEYS)}."
    )
  kind = entry.pop('kind')
  if not isinstance(kind, str) or kind not in _KEYS:
    raise errors.unknown_name('kind', str(kind), _KEYS, where=where)
  values: dict[str, Any] = {'side': kinds.get(kind).side}
  for key, given in entry.items():
    legal = ('side', *_KEYS[kind])
    if key not in legal:
      raise errors.unknown_name(
        'key', key, legal, where=f"{where}, kind '{kind}'"
      )
    values |= _READERS[key](key, given, where)
  if 'path' in entry and 'views' in entry:
    raise errors.UserError(f'{where}: give path or views, not both.')
  if 'window' in entry and (kind == series.NAME) != ('hours' in values):
    expected = _WINDOWS[kind == series.NAME]
    raise _fail('window', where, expected, entry['window'])
  for key in _NEEDED.get(kind, ()):
    if not values.get(key):
      raise errors.UserError(f"{where}: kind '{kind}' needs the key '{key}'.")
  section = Section(name, kind, **values)
  if kind == image.NAME and not section.path:
    raise errors.UserError(f"{where}: kind 'image' needs path or views.")
  if kind == table.NAME and not section.columns:
    raise errors.UserError(
      f"{where}: kind 'table' needs numeric, categorical or boolean columns."
    )
  return section


def _fail(key, where, expected, given) -> errors.UserError:
  return errors.UserError(f'{where}: {key} must be {expected}, got {given!r}.')


def _text(key, given, where):
  if not isinstance(given, str) or not given:
    raise _fail(key, where, 'a text in quotes', given)
  return {key: given}


def _texts(key, given, where):
  if keys.scalar_text(given) is not None:
    given = [given]
  texts = given if isinstance(given, list) else [None]
  texts = [keys.scalar_text(x) for x in texts]
  if None in texts or '' in texts:
    raise _fail(key, where, 'a list of texts', given)
  return {key: tuple(texts)}


def _choice(*legal: str) -> Callable[..., dict[str, Any]]:
  def read_choice(key, given, where):
    if given not in legal:
      what = f'choice of {key}' if key in _CHOSEN else key
      raise errors.unknown_name(what, str(given), legal, where=where)
    return {key: given}

  return read_choice


def _whole(least: int, most: int) -> Callable[..., dict[str, Any]]:
  def read_whole(key, given, where):
    if type(given) is not int or not least <= given <= most:
      raise _fail(key, where, f'a whole number from {least} to {most}', given)
    return {key: given}

  return read_whole


def _number(key, given, where):
  if type(given) not in (int, float) or not math.isfinite(given):
    raise _fail(key, where, 'a number', given)
  return {key: float(given)}


def _views(key, given, where):
  """`views = {frontal = "...", lateral = "..."}`: patterns by name."""
  if not isinstance(given, dict) or not given:
    raise _fail(
      key, where, 'patterns by name such as {frontal = "f/{id}.png"}', given
    )
  if not all(isinstance(x, str) and x for x in given.values()):
    raise _fail(key, where, 'one pattern for each view', given)
  return {'views': tuple(given), 'path': tuple(given.values())}


def _window(key, given, where):
  """`[-1000, 400]` of a volume or "48h" of a series."""
  if isinstance(given, list) and len(given) == 2:
    numbers = [x for x in given if type(x) in (int, float)]
    finite = all(map(math.isfinite, numbers))
    if len(numbers) == 2 and finite and numbers[0] < numbers[1]:
      return {'window': tuple(map(float, numbers))}
  if isinstance(given, str) and (match := _WINDOW.fullmatch(given)):
    return {'hours': float(match[1]) * (24 if match[2] == 'd' else 1)}
  raise _fail(key, where, ' or '.join(_WINDOWS), given)


def _plausible(key, given, where):
  # The file is quoted again.
  return {key: keys.plausible(given, where.replace("'", ''))}


_READERS: Mapping[str, Callable[..., dict[str, Any]]] = {
  'side': _choice(*types.SIDES.values()),
  'path': _texts,
  'views': _views,
  'missing': _choice(*MISSING),
  'size': _whole(0, config.LARGEST_SIDE),
  'orientation': _choice(*ORIENTATIONS),
  'window': _window,
  'classes': _whole(2, 64),
  'numeric': _texts,
  'categorical': _texts,
  'boolean': _texts,
  'table': _text,
  'study': _texts,
  'time': _text,
  'code': _text,
  'value': _text,
  'time_unit': _choice(*series_rows.HOURS),
  'index': _number,
  'after_index': _choice(*AFTER_INDEX),
  'length': _whole(1, _MOST_LENGTH),
  'codes': _texts,
  'unknown': _texts,
  'plausible': _plausible,
}
