"""Built-in cohorts whose best possible scores are known."""

import math

import numpy as np

from fusion_jax.core import errors, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import five, modality, render, worlds
from fusion_jax.data.kinds import image, table

WORLDS = (
  'complementary',
  'redundant',
  'synergy',
  'image_only',
  'ehr_only',
  'null',
)
# Those of two modalities, and the one of five.
NAMES = (*WORLDS, five.NAME)
# Names, kinds and sides of those of two.
MODALITIES = (
  (types.IMAGE, image.NAME, modality.IMAGING),
  (types.EHR, table.NAME, modality.RECORD),
)
SITES = ('north', 'harbour', 'east')
SMALLEST_SIZE = 16

# Patients come over ten years from 2015-01-01 on; a study follows the one
# before after about half a year.
_FIRST_DAY, _DAYS, _GAP = 16436, 3652, 180

_STUDIES_OF_PATIENT = (0.5, 0.27, 0.14, 0.09)
_CLASSES = ('mild', 'moderate', 'severe')
_LABELS = ('deterioration', 'opacity', 'sepsis')
_UNKNOWN_RATE = 0.2
_TASKS = {
  types.BINARY: types.Task(types.BINARY, ('deterioration',)),
  types.MULTICLASS: types.Task(types.MULTICLASS, _CLASSES),
  types.MULTILABEL: types.Task(types.MULTILABEL, _LABELS),
  types.REGRESSION: types.Task(types.REGRESSION, ('severity',)),
  types.SURVIVAL: types.Task(types.SURVIVAL, ('days', 'died')),
}


def make(
  world: str,
  *,
  n: int = 1500,
  size: int = 32,
  seed: int = 0,
  informative_missing: bool = False,
  absent_images: float = 0.0,
  absent_ehr: float = 0.0,
  task: str = types.BINARY,
) -> cohort_lib.Cohort:
  """A cohort of n studies, the same for the same arguments.

  Images are (n, 1, size, size, 1) uint8; the record has 9 numeric and 7
  categorical columns. Binary and regression cohorts carry their oracle;
  docs/worlds.md describes all of it.

  Args:
    world: one of WORLDS.
    n: number of studies, of about n / 1.8 patients.
    size: pixels a side.
    seed: of everything random.
    informative_missing: whether severe studies lack fewer values.
    absent_images: share of studies without an image, by chance.
    absent_ehr: share of studies without a record, by chance; none has
      neither.
    task: one of types.TASK_KINDS.

  Raises:
    UserError: for an argument outside its legal set.
  """
  _check(world, n, size, seed, absent_images, absent_ehr, task)
  rule, polarity = worlds.RULES[world], world == worlds.SYNERGY

  def stream(purpose):
    return np.random.default_rng([seed, WORLDS.index(world), purpose])

  rng = stream(0)
  count = rng.choice(4, n, p=_STUDIES_OF_PATIENT) + 1
  patient = np.repeat(np.arange(n), count)[:n]
  patients = int(patient[-1]) + 1
  z_image, z_ehr = (
    math.sqrt(0.5)
    * (rng.standard_normal(patients)[patient] + rng.standard_normal(n))
    for _ in range(2)
  )
  if rule.shared:
    z_ehr = z_image
  site = rng.choice(3, patients, p=(0.5, 0.3, 0.2))[patient]
  draw = rng.random(n)
  absent = {
    types.IMAGE: draw < absent_images,
    types.EHR: draw >= 1 - absent_ehr,
  }
  record = worlds.make_record(
    z=z_ehr,
    patient=patient,
    polarity=polarity,
    informative=informative_missing,
    absent=absent[types.EHR],
    rng=stream(1),
  )
  images = render.render(
    z=z_image,
    patient=patient,
    site=site,
    size=size,
    polarity=polarity,
    rng=stream(2),
  )[:, None]
  images[absent[types.IMAGE]] = 0
  labels = _labels(task, rule, z_image, z_ehr, stream(3))
  index_time = _index_time(patient, stream(4))
  oracle = {}
  if task in (types.BINARY, types.REGRESSION):
    oracle = worlds.oracle(
      rule,
      z_image=z_image,
      record=record,
      absent_image=absent[types.IMAGE],
      regression=task == types.REGRESSION,
    )
  width = max(4, len(str(n)))
  study = np.array([f'S{i + 1:0{width}d}' for i in range(n)])
  patient_id = np.array([f'P{i + 1:0{width}d}' for i in range(patients)])
  site_name = np.array(SITES)[site]
  modalities = {
    types.IMAGE: modality.Modality.of(
      image.NAME,
      modality.IMAGING,
      image.Data(images, ~absent[types.IMAGE][:, None], orientation_free=True),
    ),
    types.EHR: modality.Modality.of(
      table.NAME,
      modality.RECORD,
      table.Data(
        record.numeric,
        worlds.NUMERIC_NAMES,
        record.categorical,
        worlds.CATEGORICAL_NAMES,
      ),
    ),
  }
  return cohort_lib.Cohort(
    name=world,
    task=_TASKS[task],
    study=study,
    patient=patient_id[patient],
    labels=labels,
    modalities=modalities,
    time_unit='days' if task == types.SURVIVAL else '',
    site=site_name,
    index_time=index_time,
    groups={'sex': record.sex, 'site': site_name},
    oracle=oracle,
    notes=('Generated data: nothing in it comes from a person.',),
    licence='Apache-2.0',
  )


def make_five(
  *, n: int, size: int, seed: int, task: str = types.BINARY
) -> cohort_lib.Cohort:
  """The world of five modalities (data/five.py).

  Raises:
    UserError: for an argument outside its legal set.
  """
  if task != types.BINARY:
    raise errors.UserError(
      f"World '{five.NAME}': task = {task}: only binary is made."
    )
  _check(five.NAME, n, size, seed, 0.0, 0.0, task)
  return five.make(n=n, size=size, seed=seed, task=_TASKS[task])


def _index_time(patient, rng) -> np.ndarray:
  """(n,) float64 whole days since 1970-01-01, increasing within a patient."""
  follow = np.concatenate([[False], patient[1:] == patient[:-1]])
  come = rng.integers(0, _DAYS, patient[-1] + 1)[patient]
  gaps = np.where(follow, np.ceil(rng.exponential(_GAP, len(patient))), 0)
  passed = np.cumsum(gaps)
  start = np.maximum.accumulate(np.where(follow, 0, np.arange(len(patient))))
  return (_FIRST_DAY + come + passed - passed[start]).astype(np.float64)


def _check(world, n, size, seed, absent_images, absent_ehr, task) -> None:
  if world not in NAMES:
    raise errors.unknown_name('world', world, NAMES)
  if task not in _TASKS:
    raise errors.unknown_name('task', task, _TASKS)
  for name, value, least in (
    ('n', n, 1),
    ('size', size, SMALLEST_SIZE),
    ('seed', seed, 0),
  ):
    if value < least:
      raise errors.UserError(
        f"World '{world}': {name} = {value} must be at least {least}."
      )
  for name, value in (
    ('absent_images', absent_images),
    ('absent_ehr', absent_ehr),
  ):
    if not 0 <= value <= 1:
      raise errors.UserError(
        f"World '{world}': {name} = {value} is not a share from 0 to 1."
      )
  if absent_images + absent_ehr > 1:
    raise errors.UserError(
      f"World '{world}': absent_images = {absent_images} and absent_ehr = "
      f'{absent_ehr} leave studies with nothing.'
    )


def _labels(task, rule, z_image, z_ehr, rng) -> np.ndarray:
  """(n, l) float64 labels of the linear predictor and fresh noise."""
  n = len(z_image)
  at = worlds.predictor(rule, z_image, z_ehr)
  liability = at + rng.standard_normal(n)
  if task == types.BINARY:
    return (liability > 0).astype(np.float64)[:, None]
  if task == types.MULTICLASS:
    cuts = np.quantile(liability, (0.45, 0.8))
    return np.digitize(liability, cuts).astype(np.float64)[:, None]
  if task == types.REGRESSION:
    return liability[:, None]
  if task == types.SURVIVAL:
    time = rng.exponential(size=n) * np.exp(-at) * 200
    censored = rng.exponential(size=n) * 500
    days = np.maximum(np.minimum(time, censored), 0.1)
    return np.stack([days, time <= censored], axis=1).astype(np.float64)
  # The second label needs the image alone, the third the record alone.
  other = [
    np.sign(abs(c) + rule.product + rule.shared) * z + rng.standard_normal(n)
    for c, z in ((rule.image, z_image), (rule.ehr, z_ehr))
  ]
  labels = np.stack([liability, *other], axis=1) > np.array([0, 0.3, 0.8])
  labels = labels.astype(np.float64)
  labels[rng.random(labels.shape) < _UNKNOWN_RATE] = np.nan
  return labels
