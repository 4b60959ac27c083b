"""Cohorts as TensorFlow Datasets, written and read without TensorFlow.

One split, `studies`, keeps the cohort's order. A study is a dict of `study` and
`patient` (text), `labels` (l,), where the cohort has them `fold`, `site`,
`weight`, `index_time` and `group_<name>`, and of each modality a dict of what
`modality.Data.study` gives: arrays as they are; text with `<name>_observed` of
0 and 1 beside it; the rows of a series of any number. Names of columns, task,
kinds and sides are in the data set's metadata.
"""

import contextlib
import dataclasses
import io
import json
import os
import pathlib
import re
import shutil
import tempfile
import typing
from typing import Any

import numpy as np

from fusion_jax.core import errors, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import kind as kinds
from fusion_jax.data import modality as modality_lib

SPLIT = 'studies'
VERSION = '2.0.0'
PREFIX = 'tfds:'
_OBSERVED = '_observed'
_GROUP = 'group_'
_COHORT = 'cohort'
# Single values by study, by their types.
_SINGLE = {
  'fold': np.int64,
  'weight': np.float64,
  'index_time': np.float64,
  'site': str,
}
# Texts and lists of the cohort that metadata keep.
_FACTS = ('name', 'time_unit', 'patient_note', 'licence', 'citation', 'digest')


def export(
  cohort: cohort_lib.Cohort, directory: str | os.PathLike
) -> pathlib.Path:
  """Writes `cohort` as ArrayRecord shards and returns their folder.

  Read it with `load`, or with
  `tfds.builder_from_directory(folder).as_data_source(split='studies')`.

  Raises:
    MissingPackageError: if tensorflow-datasets is not installed.
    UserError: if the data set is there already or cannot be written.
  """
  tfds = _tfds('Exporting a data set')
  name = re.sub(r'\W+', '_', cohort.name.lower()).strip('_') or 'cohort'
  folder = pathlib.Path(directory) / name / VERSION
  if folder.exists():
    raise errors.UserError(
      f"'{folder}' exists; remove it or export to another folder."
    )
  tfds.disable_progress_bar()
  builder_class = _builder_class(tfds, cohort, name)
  scratch = None
  try:
    pathlib.Path(directory).mkdir(parents=True, exist_ok=True)
    scratch = tempfile.mkdtemp(dir=directory, suffix='.tmp')
    builder = builder_class(data_dir=scratch, file_format='array_record')
    # TFDS would announce a download that does not take place.
    with contextlib.redirect_stdout(io.StringIO()):
      builder.download_and_prepare(download_dir=os.path.join(scratch, 'none'))
    folder.parent.mkdir(exist_ok=True)
    os.replace(builder.data_dir, folder)
  except OSError as e:
    raise errors.UserError(
      f"Cannot write '{folder}': {e.strerror or e}. Nothing was left behind."
    ) from None
  finally:
    if scratch:
      shutil.rmtree(scratch, ignore_errors=True)
  return folder


def _builder_class(tfds, cohort, name):
  """A builder of this one cohort, kept out of TFDS's registry."""
  features = _features(tfds, cohort)
  names = {
    _COHORT: json.dumps(
      {
        **{x: getattr(cohort, x) for x in _FACTS},
        'task': [cohort.task.kind, list(cohort.task.names)],
        'notes': list(cohort.notes),
        'groups': list(cohort.groups),
        'modalities': {
          name: [x.kind, x.side, x.data.shared()]
          for name, x in cohort.modalities.items()
        },
      }
    )
  }

  def info(self):
    return tfds.core.DatasetInfo(
      builder=self,
      description=f'Cohort {cohort.name}: one example for each study.',
      features=tfds.features.FeaturesDict(features),
      citation=cohort.citation,
      license=cohort.licence,
      metadata=tfds.core.MetadataDict(names),
      disable_shuffling=True,
    )

  def generate(self):
    for row in range(len(cohort)):
      yield row, _example(cohort, row)

  def splits(self, dl_manager):
    del dl_manager
    return {SPLIT: self._generate_examples()}

  with tfds.core.registered.skip_registration():
    return type(
      'CohortBuilder',
      (tfds.core.GeneratorBasedBuilder,),
      {
        'name': name,
        'VERSION': tfds.core.Version(VERSION),
        '__doc__': 'Writes one cohort.',
        '__module__': __name__,
        '_info': info,
        '_generate_examples': generate,
        '_split_generators': splits,
      },
    )


def _features(tfds, cohort) -> dict:
  """What a study holds; raw bytes are TFDS's fastest encoding."""
  text = tfds.features.Text()

  def feature(value: np.ndarray, ragged: bool):
    if value.dtype.kind in 'OU':
      return tfds.features.Sequence(text, length=len(value))
    # TFDS knows no bool in raw bytes.
    dtype = np.uint8 if value.dtype.kind == 'b' else value.dtype.type
    shape = (None, *value.shape[1:]) if ragged else value.shape
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding='bytes')

  out: dict[str, Any] = {
    'study': text,
    'patient': text,
    'labels': feature(cohort.labels[0], False),
  }
  for name, modality in cohort.modalities.items():
    ragged = modality.data.ragged
    out[name] = {
      key: feature(value, ragged) for key, value in _values(modality, 0).items()
    }
  for name, dtype in _SINGLE.items():
    if getattr(cohort, name) is not None:
      out[name] = text if dtype is str else tfds.features.Scalar(dtype)
  for group in cohort.groups:
    out[_GROUP + group] = text
  return out


def _values(modality: modality_lib.Modality, row: int) -> dict[str, np.ndarray]:
  """What a study shows of a modality; text without None."""
  if modality.present[row] or not modality.data.present[modality.rows[row]]:
    found = modality.data.study(modality.rows[row])
  else:
    raise errors.UserError(
      'A cohort of which modalities were withheld cannot be exported.'
    )
  out = {}
  for name, value in found.items():
    if value.dtype == object:
      observed = np.not_equal(value, None)
      out[name + _OBSERVED] = observed.astype(np.uint8)
      value = np.where(observed, value, '')
    # An empty list has no type of its own in TFDS.
    if value.ndim != 1 or len(value) or modality.data.ragged:
      out[name] = value
  return out


def _example(cohort, row: int) -> dict:
  """The values of one study for `_features`."""
  out: dict[str, Any] = {
    'study': str(cohort.study[row]),
    'patient': str(cohort.patient[row]),
    'labels': cohort.labels[row],
  }
  for name, modality in cohort.modalities.items():
    out[name] = {
      key: list(x) if x.dtype == object else x.astype(_plain(x.dtype))
      for key, x in _values(modality, row).items()
    }
  for name, dtype in _SINGLE.items():
    values = getattr(cohort, name)
    if values is not None:
      out[name] = dtype(values[row])
  for group, values in cohort.groups.items():
    out[_GROUP + group] = str(values[row])
  return out


def _plain(dtype: np.dtype) -> np.dtype:
  return np.dtype(np.uint8) if dtype.kind == 'b' else dtype


def _open(directory) -> tuple[Any, dict[str, Any]]:
  """The builder of a data set, and what its metadata say of the cohort."""
  tfds = _tfds('Reading a data set')
  path = pathlib.Path(os.path.expanduser(directory))
  if not (path / 'dataset_info.json').is_file():
    raise errors.UserError(
      f"'{path}' holds no TFDS data set: expected the folder that "
      '--export_tfds printed, with dataset_info.json in it.'
    )
  try:
    builder = tfds.builder_from_directory(str(path))
    return builder, json.loads(builder.info.metadata[_COHORT])
  except Exception as e:
    raise errors.UserError(
      f"'{path}' is no data set that fusion_jax wrote: "
      f'{str(e).splitlines()[0] if str(e) else type(e).__name__}.'
    ) from None


def describe(directory: str | os.PathLike) -> list[tuple[str, str, str]]:
  """Names, kinds and sides of the modalities in a data set.

  Raises:
    MissingPackageError: if tensorflow-datasets is not installed.
    UserError: if the folder holds no such data set.
  """
  _, facts = _open(directory)
  return [(m, kind, side) for m, (kind, side, _) in facts['modalities'].items()]


def load(directory: str | os.PathLike) -> cohort_lib.Cohort:
  """The cohort that `export` wrote into a folder.

  Raises:
    MissingPackageError: if tensorflow-datasets is not installed.
    UserError: if the folder holds no such data set.
  """
  builder, facts = _open(directory)
  source = builder.as_data_source(split=SPLIT)
  studies = [source[row] for row in range(len(source))]

  def column(name, convert=lambda x: x):
    return np.array([convert(x[name]) for x in studies])

  modalities = {}
  for name, (kind, side, shared) in facts['modalities'].items():
    cls = kinds.get(kind).data
    data = cls.of_studies(_columns(cls, studies, name), _typed(cls, shared))
    modalities[name] = modality_lib.Modality.of(kind, side, data)
  single = {
    name: column(name, bytes.decode if dtype is str else dtype)
    for name, dtype in _SINGLE.items()
    if name in studies[0]
  }
  kind, names = facts['task']
  return cohort_lib.Cohort(
    task=types.Task(kind, tuple(names)),
    study=column('study', bytes.decode),
    patient=column('patient', bytes.decode),
    labels=column('labels'),
    modalities=modalities,
    notes=tuple(facts['notes']),
    groups={x: column(_GROUP + x, bytes.decode) for x in facts['groups']},
    **single,
    **{x: facts[x] for x in _FACTS},
  )


def _columns(cls, studies, modality) -> dict[str, list[np.ndarray]]:
  """By name, what each study has of a modality, as `Data.study` gave it."""
  out = {}
  n = len(studies)
  fields = {f.name for f in dataclasses.fields(cls)}
  for name in studies[0][modality]:
    values = [x[modality][name] for x in studies]
    if name not in fields:
      continue
    observed = name + _OBSERVED
    if observed in studies[0][modality]:
      texts = np.empty((n, len(values[0])), object)
      for row, (value, study) in enumerate(zip(values, studies, strict=True)):
        texts[row] = [x.decode() for x in value]
        texts[row, study[modality][observed] == 0] = None
      values = list(texts)
    out[name] = values
  # A list that was left out as it was empty.
  for f in dataclasses.fields(cls):
    if f.metadata.get(modality_lib.STUDIES) and f.name not in out:
      if not cls.ragged:
        out[f.name] = [np.zeros(0, _EMPTY.get(f.name, float))] * n
  for name in ('mask',):
    if name in out:
      out[name] = [np.asarray(x).astype(bool) for x in out[name]]
  return out


_EMPTY = {'categorical': object}


def _typed(cls, shared) -> dict[str, Any]:
  """What JSON made lists of, as tuples again."""
  hints = typing.get_type_hints(cls)
  out = {}
  for name, value in shared.items():
    if typing.get_origin(hints[name]) is tuple:
      value = tuple(value)
    elif isinstance(value, dict):
      value = {k: tuple(v) for k, v in value.items()}
    out[name] = value
  return out


def _tfds(ability: str):
  try:
    import tensorflow_datasets as tfds
  except ImportError:
    raise errors.MissingPackageError(ability, 'tensorflow-datasets') from None
  return tfds
