"""cohort.toml: where a cohort's columns and files are.

Version 1 has one set of images and one record, version 2 named modalities.

docs/cohorts.md explains every key with examples.
"""

import dataclasses
import math
import os
import pathlib
import sys
from collections.abc import Mapping
from typing import Any

from fusion_jax.core import documents, errors, files, types
from fusion_jax.data import (
  config,
  descriptor_checks,
  keys,
  modality,
  numbers,
)
from fusion_jax.data import sections as sections_lib
from fusion_jax.data.kinds import image as image_kind
from fusion_jax.data.kinds import table as table_kind
from fusion_jax.data.readers import image, table

VERSIONS = (1, 2)
NO_PATIENT = 'none'


def _by_column():
  return dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Descriptor:
  """What cohort.toml says. Texts are empty and tuples () where it is silent.

  Attributes:
    path: the file it was read from.
    name: what reports call the cohort; by default the folder's name.
    task: one of types.TASK_KINDS.
    table: the table's path, relative to the data folder.
    encoding: of a text table.
    sheet: of a workbook; the first if empty.
    study: columns whose values, joined by '/', name a study.
    patient: columns whose values, joined by '/', name a patient; () where
      there is none and `patient_reason` says why.
    label: label columns (not for survival).
    time: survival: column of the time to event or censoring, above 0.
    time_unit: survival: the unit of the time column, as axes name it.
    event: survival: column of whether the event happened.
    classes: multiclass, and multilabel with `label_separator`: label values
      in the order of their codes.
    positive: label (or event) values that mean 1.
    negative: label (or event) values that mean 0; () where `positive` leaves
      one other value. With `label_separator`, labels that are none.
    positive_above: the label (or event) is 1 where its number is above this.
    label_separator: multilabel: what separates several labels in a cell of
      the one label column.
    images: path patterns with column names in braces, or column names.
    missing_images: whether a named file that is not there is an error or
      means that the study has no such image.
    image_size: side in pixels; 0 for the reader to choose.
    orientation: whether flips and rotations leave the meaning ('free').
    numeric: feature columns of numbers.
    categorical: feature columns of names.
    boolean: feature columns of true and false.
    true_values: what means true, in boolean columns.
    false_values: what means false.
    blank_false: boolean columns of ticks, in which blank means false.
    unknown_codes: by column (keys.EVERY for all), values that are a level of
      their own, never missing.
    plausible: by numeric column, the least and the largest value; what is
      outside is missing.
    decimal: by column (keys.EVERY for all), ',' where numbers have a decimal
      comma.
    units: by numeric column, a text that may follow its numbers.
    bounds: numeric columns in which '<0.5' is a bound.
    exclude: rows to leave out.
    exclude_without_image: whether studies without an image are left out.
    groups: columns whose values are subgroups to report on.
    site: column of the site.
    index_time: column of the time at which the prediction is made: ISO dates,
      with or without time of day, or numbers.
    patient_constants: columns that never differ within a patient.
    fold: column of supplied folds.
    weight: column of study weights.
    accept: columns whose warnings of leakage a person has looked into.
    licence: of the data.
    citation: how to cite the data.
    notes: sentences that every report repeats.
    sections: by modality, where it is and what it is made of. In version 1
      those that `images` and the feature columns make, in version 2 those
      that `modalities` names; the feature columns are then those of all
      tables.
  """

  path: pathlib.Path
  task: str
  table: str
  study: tuple[str, ...]
  patient: tuple[str, ...]
  name: str = ''
  patient_reason: str = ''
  encoding: str = 'utf-8'
  sheet: str = ''
  label: tuple[str, ...] = ()
  time: str = ''
  time_unit: str = ''
  event: str = ''
  classes: tuple[str, ...] = ()
  positive: tuple[str, ...] = ()
  negative: tuple[str, ...] = ()
  positive_above: float | None = None
  label_separator: str = ''
  images: tuple[str, ...] = ()
  missing_images: str = 'error'
  image_size: int = 0
  orientation: str = 'fixed'
  numeric: tuple[str, ...] = ()
  categorical: tuple[str, ...] = ()
  boolean: tuple[str, ...] = ()
  true_values: tuple[str, ...] = ()
  false_values: tuple[str, ...] = ()
  blank_false: tuple[str, ...] = ()
  unknown_codes: Mapping[str, tuple[str, ...]] = _by_column()
  plausible: Mapping[str, tuple[float, float]] = _by_column()
  decimal: Mapping[str, str] = _by_column()
  units: Mapping[str, str] = _by_column()
  bounds: tuple[str, ...] = ()
  exclude: tuple[keys.Exclusion, ...] = ()
  exclude_without_image: bool = False
  groups: tuple[str, ...] = ()
  site: str = ''
  index_time: str = ''
  patient_constants: tuple[str, ...] = ()
  fold: str = ''
  weight: str = ''
  accept: tuple[str, ...] = ()
  licence: str = ''
  citation: str = ''
  notes: tuple[str, ...] = ()
  sections: Mapping[str, sections_lib.Section] = _by_column()

  @property
  def features(self) -> tuple[str, ...]:
    """All EHR columns."""
    return self.numeric + self.categorical + self.boolean

  @property
  def labels(self) -> tuple[str, ...]:
    """The columns labels are read from."""
    return self.label or (self.time, self.event)

  def of(self, patterns: tuple[str, ...], missing: str) -> 'Descriptor':
    """The descriptor of a cohort that has these files alone."""
    return dataclasses.replace(self, images=patterns, missing_images=missing)

  def codes(self, column: str) -> tuple[str, ...]:
    """The values that mean 'unknown' in `column`."""
    every = self.unknown_codes.get(keys.EVERY, ())
    return tuple(dict.fromkeys(every + self.unknown_codes.get(column, ())))

  def number_format(self, column: str) -> numbers.Format:
    """How numbers are written in `column`, and which are plausible."""
    every = self.decimal.get(keys.EVERY, numbers.PLAIN)
    low, high = self.plausible.get(column, (-math.inf, math.inf))
    return numbers.Format(
      decimal=self.decimal.get(column, every),
      unit=self.units.get(column, ''),
      bounds=column in self.bounds,
      low=low,
      high=high,
    )

  def named_columns(self) -> dict[str, str]:
    """Every column named, with the key that names it first."""
    named = {}
    for key in _COLUMN_KEYS:
      value = getattr(self, key)
      for column in (value,) if isinstance(value, str) else value:
        if column:
          named.setdefault(column, key)
    for column in self.unknown_codes:
      if column != keys.EVERY:
        named.setdefault(column, 'unknown_codes')
    for exclusion in self.exclude:
      named.setdefault(exclusion.column, 'exclude')
    return named


_COLUMN_KEYS = (
  'study',
  'patient',
  'label',
  'time',
  'event',
  'numeric',
  'categorical',
  'boolean',
  'groups',
  'site',
  'index_time',
  'patient_constants',
  'fold',
  'weight',
  'accept',
)
_NEVER_FEATURES = (
  'study',
  'patient',
  'label',
  'time',
  'event',
  'index_time',
  'fold',
  'weight',
)
_TEXT_OR_LIST = (
  'study',
  'patient',
  'label',
  'images',
  'positive',
  'negative',
  'notes',
)
_REQUIRED = ('task', 'table', 'study', 'patient')
_SPELLINGS = {
  'license': 'licence',
  'labels': 'label',
  'image': 'images',
  'group': 'groups',
  'folds': 'fold',
}


def load(path: str | os.PathLike) -> Descriptor:
  """Reads a cohort.toml.

  Raises:
    UserError: if the file is absent, is not TOML, has an unknown or missing
      key, a value of the wrong type or keys that contradict each other.
  """
  path = pathlib.Path(path)
  try:
    content = files.regular(path).read_bytes()
  except FileNotFoundError:
    raise errors.UserError(f"No such cohort descriptor: '{path}'.") from None
  except OSError as e:
    raise errors.UserError(f"Cannot read '{path}': {e.strerror}.") from None
  return parse(documents.parse(content, documents.TOML, where=str(path)), path)


def parse(data: Mapping[str, Any], path: pathlib.Path) -> Descriptor:
  """The Descriptor of what TOML holds; `path` is named in errors."""
  data = dict(data)
  version = data.pop('version', 2 if _MODALITIES in data else 1)
  if version not in VERSIONS or type(version) is not int:
    raise errors.UserError(
      f"'{path}': version = {version!r} is not known; legal are "
      f'{" and ".join(map(str, VERSIONS))}.'
    )
  known = set(_ORDER)
  named: dict[str, sections_lib.Section] = {}
  if version == 2:
    if _MODALITIES not in data:
      raise errors.UserError(
        f"'{path}': version 2 names modalities, each in a table such as "
        '[modalities.cxr] with kind = "image".'
      )
    named = sections_lib.read(data.pop(_MODALITIES), path)
    known -= set(_VERSION_1)
  for key in data:
    if version == 2 and key in _VERSION_1:
      raise errors.UserError(
        f"'{path}': in version 2 the key '{key}' belongs to a modality: write "
        f'it below [modalities.NAME]{_VERSION_1[key]}.'
      )
    if key not in known:
      raise _unknown_key(key, known, path)
  for key in _REQUIRED:
    if key not in data:
      raise errors.UserError(f"'{path}' lacks the key '{key}'. {_WHY[key]}")
  values = {k: _typed(k, v, path) for k, v in data.items()}
  values.setdefault('name', _default_name(path))
  if values['patient'] == (NO_PATIENT,):
    values['patient'] = ()
  for key in ('numeric', 'categorical', 'boolean') if named else ():
    # What is said of columns (units, codes) holds in every modality.
    values[key] = tuple(x for s in named.values() for x in getattr(s, key))
  descriptor = Descriptor(path=path, **values)
  named = named or _sections(descriptor)
  descriptor = dataclasses.replace(descriptor, sections=named)
  _check(descriptor)
  return descriptor


def _sections(d: Descriptor) -> dict[str, sections_lib.Section]:
  """The modalities of a descriptor of version 1."""
  found = {}
  if d.images:
    found[types.IMAGE] = image.Section(
      types.IMAGE,
      image_kind.NAME,
      modality.IMAGING,
      path=d.images,
      missing=d.missing_images,
      size=d.image_size,
      orientation=d.orientation,
    )
  if d.features:
    found[types.EHR] = table.Section(
      types.EHR,
      table_kind.NAME,
      modality.RECORD,
      numeric=d.numeric,
      categorical=d.categorical,
      boolean=d.boolean,
    )
  return found


_WHY = {
  'task': f'Legal are {", ".join(types.TASK_KINDS)}.',
  'table': 'It is the path of the table: CSV, TSV, Parquet, Excel or JSON.',
  'study': 'It is the column that names a study (one prediction each).',
  'patient': (
    'It is the column that names the patient; if there is none, write '
    'patient = "none" and say why in patient_reason.'
  ),
}


def _default_name(path: pathlib.Path) -> str:
  folder = path.resolve().parent.name
  return folder if path.name == 'cohort.toml' else path.stem


def _unknown_key(key, known, path) -> errors.UserError:
  guess = _SPELLINGS.get(key) or errors.nearest(key, sorted(known))
  hint = f" Did you mean '{guess}'?" if guess else ''
  return errors.UserError(
    f"'{path}': unknown key '{key}'.{hint} "
    f'Keys: {", ".join(["version", *_ORDER])}.'
  )


_MODALITIES = 'modalities'
# Keys of version 1 that say something of one modality, and as what.
_VERSION_1 = {
  'images': ' as path',
  'missing_images': ' as missing',
  'image_size': ' as size',
  'orientation': '',
  'numeric': '',
  'categorical': '',
  'boolean': '',
}
_ORDER = [
  f.name
  for f in dataclasses.fields(Descriptor)
  if f.name not in ('path', 'sections')
]


_READERS = {
  'exclude': keys.exclusions,
  'plausible': keys.plausible,
  'unknown_codes': keys.codes,
  'decimal': keys.decimals,
  'units': keys.units,
}


def _typed(key: str, value, path) -> Any:
  def fail(expected: str):
    return errors.UserError(
      f"'{path}': {key} must be {expected}, got {value!r}."
    )

  if key in _READERS:
    return _READERS[key](value, path)
  if key == 'image_size':
    if type(value) is not int or not 0 <= value <= config.LARGEST_SIDE:
      raise fail(f'a whole number of pixels from 0 to {config.LARGEST_SIDE}')
    return value
  if key == 'exclude_without_image':
    if not isinstance(value, bool):
      raise fail('true or false')
    return value
  if key == 'positive_above':
    number = type(value) in (int, float)
    if not number or not abs(value) <= sys.float_info.max:
      raise fail('a number')
    return float(value)
  default = {f.name: f.default for f in dataclasses.fields(Descriptor)}[key]
  if default == () or key in ('study', 'patient'):
    if key in _TEXT_OR_LIST and keys.scalar_text(value) is not None:
      value = [value]
    if not isinstance(value, list):
      raise fail('a list of texts')
    texts = [keys.scalar_text(x) for x in value]
    if None in texts:
      raise fail('a list of texts')
    if '' in texts and key in (*_COLUMN_KEYS, 'images'):
      raise fail('the name of a column, not empty')
    return tuple(texts)
  if not isinstance(value, str):
    raise fail('a text in quotes')
  return value


def _check(d: Descriptor) -> None:
  """Raises UserError where keys contradict each other."""
  legal = {
    'task': types.TASK_KINDS,
    'orientation': sections_lib.ORIENTATIONS,
    'missing_images': sections_lib.MISSING,
  }
  for key, values in legal.items():
    if getattr(d, key) not in values:
      kind = 'choice of missing_images' if key == 'missing_images' else key
      raise errors.unknown_name(
        kind, getattr(d, key), values, where=f'{d.path}, key {key}'
      )

  def fail(message: str):
    return errors.UserError(f"'{d.path}': {message}")

  if not d.study:
    raise fail('study must name at least one column.')
  if not d.patient and not d.patient_reason:
    raise fail(
      'patient = "none" needs a written patient_reason: without patients, '
      'studies of one person may fall on both sides of a split.'
    )
  if d.patient and d.patient_reason:
    raise fail('patient_reason is only for patient = "none".')
  if d.patient_constants and not d.patient:
    raise fail('patient_constants means nothing for patient = "none".')
  descriptor_checks.check_labels(d, fail)
  descriptor_checks.check_numbers(d, fail)
  imaging = [x for x in d.sections.values() if x.side == modality.IMAGING]
  if d.exclude_without_image and not imaging:
    raise fail('exclude_without_image means nothing without images.')
  both = [x for x in d.true_values if x in d.false_values]
  if both:
    raise fail(f"'{both[0]}' is among true_values and false_values.")
  if not d.sections:
    raise fail('names no images and no numeric, categorical or boolean column.')
  seen = {}
  for key in ('numeric', 'categorical', 'boolean'):
    for column in getattr(d, key):
      if column in seen:
        also = f'and {key}' if key != seen[column] else 'twice'
        raise fail(f"column '{column}' is listed under {seen[column]} {also}.")
      seen[column] = key
  for key in _NEVER_FEATURES:
    value = getattr(d, key)
    for name in (value,) if isinstance(value, str) else value:
      if name in seen:
        raise fail(
          f"column '{name}' is both {key} and a feature ({seen[name]})."
        )
