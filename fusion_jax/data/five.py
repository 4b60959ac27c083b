"""A world of five modalities: image, volume, table, series and vector.

Every study has one latent a modality, standard normal, half of its variance the
patient's, and y = 1 where the sum of the latents, each times its coefficient,
plus an offset and N(0, 1) is above 0. Image and volume show their latent as it
is; table, series and vector are linear in it with known noise, so that what
they tell is a normal distribution and best possible scores have a closed form.
"""

import dataclasses
import math

import numpy as np
from scipy import special

from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import modality as modality_lib
from fusion_jax.data import render
from fusion_jax.data.kinds import image, series, table, vector, volume

NAME = 'five_modalities'
IMAGE, VOLUME, TABLE, SERIES, VECTOR = 'xray', 'ct', 'labs', 'vitals', 'note'
MODALITIES = (IMAGE, VOLUME, TABLE, SERIES, VECTOR)
KINDS = {
  IMAGE: (image.NAME, modality_lib.IMAGING),
  VOLUME: (volume.NAME, modality_lib.IMAGING),
  TABLE: (table.NAME, modality_lib.RECORD),
  SERIES: (series.NAME, modality_lib.RECORD),
  VECTOR: (vector.NAME, modality_lib.RECORD),
}
# What the latents are multiplied with in the label.
COEFFICIENTS = {IMAGE: 1.3, VOLUME: 1.1, TABLE: 1.2, SERIES: 1.2, VECTOR: 0.9}
OFFSET = -0.4

# Columns of the table: slope on the latent, noise, centre, spread, decimals.
_COLUMNS = {
  'crp': (0.8, 0.9, 40.0, 20.0, 1),
  'lactate': (0.6, 1.0, 2.0, 0.7, 2),
  'albumin': (-0.5, 0.9, 36.0, 5.0, 0),
  'sodium': (0.0, 1.0, 139.0, 4.0, 0),
}
_SEX = ('female', 'male')
# Codes of the series: slope on the latent, its change a day, noise, centre,
# spread, mean number of rows.
_CODES = {
  'heart_rate': (0.5, 0.25, 1.2, 85.0, 14.0, 9.0),
  'respiratory_rate': (0.4, 0.3, 1.3, 18.0, 4.0, 7.0),
  'temperature': (0.2, 0.0, 1.0, 37.0, 0.6, 4.0),
  'weight': (0.0, 0.0, 1.0, 74.0, 12.0, 1.0),
}
_HOURS = 48.0
_EVENT = 'nurse_visit'
_EVENTS = 3.0
_WIDTH = 12
_VECTOR_NOISE = 3.0
_DEPTH = 12
# Standard deviation of a voxel's noise in Hounsfield units.
_NOISE = 60
_MISSING = 0.1
_CHUNK = 128


@dataclasses.dataclass(frozen=True)
class _Known:
  """What a modality tells of its latent: normal with mean and variance."""

  mean: np.ndarray
  variance: np.ndarray


def make(
  *, n: int, size: int, seed: int, task: types.Task
) -> cohort_lib.Cohort:
  """A cohort of n studies, the same for the same arguments.

  Images are (n, 1, size, size, 1) uint8 and volumes (n, 12, 12, 12, 1) int16;
  the table has 5 columns, the series 5 codes, the vector 12 numbers. The oracle
  has the best possible score for each modality, for each side ('image',
  'ehr') and for all ('both').

  Args:
    n: number of studies, of about n / 1.5 patients.
    size: pixels a side of the images.
    seed: of everything random.
    task: binary.
  """

  def stream(purpose):
    return np.random.default_rng([seed, 5, purpose])

  rng = stream(0)
  patient = np.repeat(np.arange(n), rng.choice(2, n) + 1)[:n]
  patients = int(patient[-1]) + 1
  z = {
    name: math.sqrt(0.5)
    * (rng.standard_normal(patients)[patient] + rng.standard_normal(n))
    for name in MODALITIES
  }
  site = rng.choice(3, patients, p=(0.5, 0.3, 0.2))[patient]
  linear = OFFSET + sum(COEFFICIENTS[m] * z[m] for m in MODALITIES)
  labels = (linear + rng.standard_normal(n) > 0).astype(np.float64)[:, None]
  exact = {m: _Known(z[m], np.zeros(n)) for m in (IMAGE, VOLUME)}
  pictures = render.render(
    z=z[IMAGE],
    patient=patient,
    site=site,
    size=size,
    polarity=False,
    rng=stream(1),
  )[:, None]
  data: dict[str, modality_lib.Data] = {
    IMAGE: image.Data(pictures, np.ones((n, 1), bool), orientation_free=True),
    VOLUME: volume.Data(
      _volumes(z[VOLUME], patient, stream(2)),
      np.ones(n, bool),
      window=(-1000.0, 400.0),
      spacing=(3.0, 3.0, 3.0),
    ),
  }
  data[TABLE], labs = _table(z[TABLE], patient, stream(3))
  data[SERIES], vitals = _series(z[SERIES], stream(4))
  data[VECTOR], note = _vector(z[VECTOR], stream(5))
  known = {**exact, TABLE: labs, SERIES: vitals, VECTOR: note}
  groups = {
    types.IMAGE: (IMAGE, VOLUME),
    types.EHR: (TABLE, SERIES, VECTOR),
    'both': MODALITIES,
    **{m: (m,) for m in MODALITIES},
  }
  width = max(4, len(str(n)))
  return cohort_lib.Cohort(
    name=NAME,
    task=task,
    study=np.array([f'S{i + 1:0{width}d}' for i in range(n)]),
    patient=np.array([f'P{i + 1:0{width}d}' for i in range(patients)])[patient],
    labels=labels,
    modalities={
      m: modality_lib.Modality.of(*KINDS[m], x) for m, x in data.items()
    },
    oracle={name: _best(known, seen) for name, seen in groups.items()},
    notes=('Generated data: nothing in it comes from a person.',),
    licence='Apache-2.0',
  )


def _best(known, seen) -> np.ndarray:
  """(n,) P(y = 1) given the modalities `seen`, and nothing of the others."""
  mean, variance = OFFSET, 1.0
  for name, slope in COEFFICIENTS.items():
    if name in seen:
      mean = mean + slope * known[name].mean
      variance = variance + slope**2 * known[name].variance
    else:
      variance = variance + slope**2
  return special.ndtr(mean / np.sqrt(variance))


def _of_linear(precision: np.ndarray, weighted: np.ndarray) -> _Known:
  """The latent given values h z + noise: sums of h^2 and h x over noise^2."""
  return _Known(weighted / (1 + precision), 1 / (1 + precision))


def _volumes(z, patient, rng) -> np.ndarray:
  """(n, d, d, d, 1) int16 in Hounsfield units: a ball in a body in air.

  The ball's density and radius grow with z; its place belongs to the patient.
  """
  n = len(z)
  density, radius = render.attributes(z, polarity=False)
  place = rng.uniform(-0.25, 0.25, (int(patient.max()) + 1, 3))[patient]
  axis = (np.arange(_DEPTH) + 0.5) / _DEPTH * 2 - 1
  grid = np.stack(np.meshgrid(axis, axis, axis, indexing='ij'), -1)
  body = np.linalg.norm(grid, axis=-1) < 0.95
  out = np.empty((n, _DEPTH, _DEPTH, _DEPTH, 1), np.int16)
  for start in range(0, n, _CHUNK):
    rows = slice(start, start + _CHUNK)
    far = np.linalg.norm(grid - place[rows, None, None, None], axis=-1)
    soft = 1 / (
      1 + np.exp((far / (2 * radius[rows, None, None, None]) - 1) * 8)
    )
    x = np.where(
      body, -150 + 900 * density[rows, None, None, None] * soft, -980
    )
    # Of a low-dose scan: with less, patients look the same to the audit.
    x = x + rng.normal(0, _NOISE, x.shape)
    out[rows, ..., 0] = np.clip(np.rint(x), -1024, 3071)
  return out


def _table(z, patient, rng) -> tuple[table.Data, _Known]:
  n = len(z)
  columns = np.full((n, len(_COLUMNS)), np.nan)
  precision, weighted = np.zeros(n), np.zeros(n)
  for j, (slope, noise, centre, spread, decimals) in enumerate(
    _COLUMNS.values()
  ):
    x = slope * z + noise * rng.standard_normal(n)
    seen = rng.random(n) >= _MISSING
    columns[seen, j] = np.round(centre + spread * x, decimals)[seen]
    precision += seen * (slope / noise) ** 2
    weighted += seen * slope * x / noise**2
  male = (rng.random(int(patient.max()) + 1) < 0.5)[patient].astype(int)
  sex = np.array(_SEX, object)[male][:, None]
  data = table.Data(columns, tuple(_COLUMNS), sex, ('sex',))
  return data, _of_linear(precision, weighted)


def _series(z, rng) -> tuple[series.Data, _Known]:
  n = len(z)
  rows, precision, weighted = [], np.zeros(n), np.zeros(n)
  for k, (slope, change, noise, centre, spread, mean) in enumerate(
    _CODES.values()
  ):
    study = np.repeat(np.arange(n), rng.poisson(mean, n))
    time = -rng.uniform(0, _HOURS, len(study)) - 1e-3
    # The slope on the latent grows towards the prediction.
    h = slope + change * (time / 24 + 1)
    x = h * z[study] + noise * rng.standard_normal(len(study))
    precision += np.bincount(study, (h / noise) ** 2, minlength=n)
    weighted += np.bincount(study, h * x / noise**2, minlength=n)
    rows.append((study, time, np.full(len(study), k), centre + spread * x))
  study = np.repeat(np.arange(n), 1 + rng.poisson(_EVENTS, n))
  time = -rng.uniform(0, _HOURS, len(study)) - 1e-3
  none = np.full(len(study), np.nan)
  rows.append((study, time, np.full(len(study), len(_CODES)), none))
  data = series.Data.of_rows(
    *(np.concatenate(x) for x in zip(*rows, strict=True)),
    n=n,
    codes=(*_CODES, _EVENT),
    length=64,
  )
  return data, _of_linear(precision, weighted)


def _vector(z, rng) -> tuple[vector.Data, _Known]:
  n = len(z)
  slopes = rng.standard_normal(_WIDTH)
  noise = _VECTOR_NOISE * rng.standard_normal((n, _WIDTH))
  x = z[:, None] * slopes + noise
  precision = np.full(n, (slopes**2).sum() / _VECTOR_NOISE**2)
  weighted = x @ slopes / _VECTOR_NOISE**2
  return vector.Data(x.astype(np.float32)), _of_linear(precision, weighted)
