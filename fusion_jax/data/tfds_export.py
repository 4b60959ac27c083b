"""A cohort as a TensorFlow Datasets data set, written without TensorFlow."""

import contextlib
import io
import os
import pathlib
import re
import shutil
import tempfile

import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import cohort as cohort_lib

SPLIT = 'studies'
VERSION = '1.0.0'


def export(
  cohort: cohort_lib.Cohort, directory: str | os.PathLike
) -> pathlib.Path:
  """Writes `cohort` as ArrayRecord shards and returns their folder.

  One split, `studies`, keeps the cohort's order. Read it with
  `tfds.builder_from_directory(folder).as_data_source(split='studies')`. A
  study is a dict of `study` and `patient` (text), `labels` (l,), `numeric`
  (f,) float64 with NaN for missing, `categorical` (f,) text with
  `categorical_observed` (f,) of 0 and 1, `images` (i, h, w, c), `image_mask`
  (i,) of 0 and 1, and where the cohort has them `fold`, `site`, `weight`,
  `index_time` and `group_<name>`. The names of columns are in the data set's
  metadata.

  Raises:
    MissingPackageError: if tensorflow-datasets is not installed.
    UserError: if the data set is there already or cannot be written.
  """
  try:
    import tensorflow_datasets as tfds
  except ImportError:
    raise errors.MissingPackageError(
      'Exporting a data set', 'tensorflow-datasets'
    ) from None

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
    'task': cohort.task.kind,
    'task_names': list(cohort.task.names),
    'numeric_names': list(cohort.numeric_names),
    'categorical_names': list(cohort.categorical_names),
    'orientation_free': cohort.orientation_free,
    'patient_note': cohort.patient_note,
    'notes': list(cohort.notes),
    'digest': cohort.digest,
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

  def tensor(shape, dtype):
    return tfds.features.Tensor(shape=shape, dtype=dtype, encoding='bytes')

  found = {
    'study': text,
    'patient': text,
    'labels': tensor(cohort.labels.shape[1:], np.float64),
  }
  if cohort.numeric_names:
    found['numeric'] = tensor((len(cohort.numeric_names),), np.float64)
  if cohort.categorical_names:
    shape = (len(cohort.categorical_names),)
    found['categorical'] = tfds.features.Sequence(text, length=shape[0])
    found['categorical_observed'] = tensor(shape, np.uint8)
  if cohort.images is not None:
    found['images'] = tensor(cohort.images.shape[1:], cohort.images.dtype.type)
    found['image_mask'] = tensor(cohort.image_mask.shape[1:], np.uint8)
  if cohort.fold is not None:
    found['fold'] = tfds.features.Scalar(np.int64)
  if cohort.weight is not None:
    found['weight'] = tfds.features.Scalar(np.float64)
  if cohort.index_time is not None:
    found['index_time'] = tfds.features.Scalar(np.float64)
  if cohort.site is not None:
    found['site'] = text
  for group in cohort.groups:
    found[f'group_{group}'] = text
  return found


def _example(cohort, row: int) -> dict:
  """The values of one study for `_features`."""
  found = {
    'study': str(cohort.study[row]),
    'patient': str(cohort.patient[row]),
    'labels': cohort.labels[row],
  }
  if cohort.numeric_names:
    found['numeric'] = cohort.numeric[row]
  if cohort.categorical_names:
    values = cohort.categorical[row]
    found['categorical'] = ['' if x is None else x for x in values]
    observed = np.not_equal(values, None)
    found['categorical_observed'] = observed.astype(np.uint8)
  if cohort.images is not None:
    found['images'] = np.asarray(cohort.images[row])
    found['image_mask'] = cohort.image_mask[row].astype(np.uint8)
  if cohort.fold is not None:
    found['fold'] = int(cohort.fold[row])
  if cohort.weight is not None:
    found['weight'] = float(cohort.weight[row])
  if cohort.index_time is not None:
    found['index_time'] = float(cohort.index_time[row])
  if cohort.site is not None:
    found['site'] = str(cohort.site[row])
  for group, values in cohort.groups.items():
    found[f'group_{group}'] = str(values[row])
  return found
