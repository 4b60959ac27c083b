"""A cohort of a few bytes, for tests that need some cohort."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from fusion_jax.core import types
from fusion_jax.data import cohort as cohorts
from fusion_jax.data import modality
from fusion_jax.data.kinds import image, table
from fusion_jax.fusion import model as models
from fusion_jax.training import batches

CLASSES = ('a', 'b', 'c')
EDGES = np.linspace(-2, 2, table.PIECES + 1)


def task_of(kind: str) -> types.Task:
  names = {
    types.MULTICLASS: CLASSES,
    types.MULTILABEL: ('x', 'y'),
    types.SURVIVAL: ('time', 'event'),
  }.get(kind, ('y',))
  return types.Task(kind, names)


def labels_of(kind, signal, rng):
  n = len(signal)
  if kind == types.BINARY:
    return (signal + 0.3 * rng.normal(size=n) > 0).astype(float)[:, None]
  if kind == types.MULTICLASS:
    return np.digitize(signal, [-0.7, 0.7]).astype(float)[:, None]
  if kind == types.MULTILABEL:
    both = np.stack([signal > 0, signal > 0.5], 1).astype(float)
    both[rng.random((n, 2)) < 0.1] = np.nan
    return both
  if kind == types.REGRESSION:
    return (50.0 + 10.0 * signal)[:, None]
  time = rng.exponential(np.exp(-signal))
  event = (rng.random(n) < 0.7).astype(float)
  return np.stack([time, event], 1)


def cohort(
  n: int = 96,
  *,
  size: int = 8,
  kind: str = types.BINARY,
  seed: int = 0,
  images: int = 1,
  absent: bool = False,
) -> cohorts.Cohort:
  """A cohort whose label follows image brightness plus the EHR's number."""
  rng = np.random.default_rng(seed)
  z, e = rng.normal(size=(2, n))
  pixels = 128 + 15 * rng.normal(size=(n, images, size, size, 1))
  pixels = np.clip(pixels + 30 * z[:, None, None, None, None], 0, 255)
  mask = np.ones((n, images), bool)
  numeric = np.stack([e, rng.normal(size=n)], 1)
  numeric[rng.random((n, 2)) < 0.1] = np.nan
  category = np.where(rng.random(n) < 0.5, 'left', 'right').astype(object)
  if absent:
    mask[::5] = False
    pixels[::5] = 0
    numeric[1::5] = np.nan
    category[1::5] = None
  return pair(
    name='tiny',
    task=task_of(kind),
    digest=f'tiny-{n}-{size}-{kind}-{seed}',
    study=np.array([f's{i:04d}' for i in range(n)]),
    patient=np.array([f'p{i // 2:04d}' for i in range(n)]),
    images=pixels.astype(np.uint8),
    image_mask=mask,
    numeric=numeric,
    numeric_names=('lab', 'noise'),
    categorical=category[:, None],
    categorical_names=('side',),
    labels=labels_of(kind, z + e, rng),
    orientation_free=True,
  )


_FIELDS = {
  types.IMAGE: ('images', 'image_mask', 'orientation_free', 'image_facts'),
  types.EHR: (
    'numeric',
    'numeric_names',
    'categorical',
    'categorical_names',
    'unknown_codes',
  ),
}


def pair(**fields) -> cohorts.Cohort:
  """A cohort of an image and a table, whose fields are given side by side."""
  n = len(fields['study'])
  given = {
    m: {name: fields.pop(name, None) for name in names}
    for m, names in _FIELDS.items()
  }
  modalities = {}
  x = given[types.IMAGE]
  if x['images'] is not None:
    mask = x['image_mask']
    if mask is None:
      mask = np.ones(x['images'].shape[:2], bool)
    modalities[types.IMAGE] = modality.Modality.of(
      image.NAME,
      modality.IMAGING,
      image.Data(
        x['images'],
        mask,
        orientation_free=bool(x['orientation_free']),
        facts=x['image_facts'] or {},
      ),
    )
  x = given[types.EHR]
  if x['numeric_names'] or x['categorical_names']:
    none = np.zeros((n, 0))
    numeric, text = x['numeric'], x['categorical']
    modalities[types.EHR] = modality.Modality.of(
      table.NAME,
      modality.RECORD,
      table.Data(
        none if numeric is None else numeric,
        x['numeric_names'] or (),
        none.astype(object) if text is None else text,
        x['categorical_names'] or (),
        x['unknown_codes'] or {},
      ),
    )
  return cohorts.Cohort(**fields, modalities=modalities)


def images(cohort: cohorts.Cohort) -> np.ndarray | None:
  """(n, i, h, w, c); None without."""
  x = cohort.modalities.get(types.IMAGE)
  return None if x is None else x.given(x.data.images)


def image_mask(cohort: cohorts.Cohort) -> np.ndarray:
  """(n, i) bool."""
  x = cohort.modalities.get(types.IMAGE)
  return np.zeros((len(cohort), 0), bool) if x is None else image.mask(x)


def image_facts(cohort: cohorts.Cohort) -> dict[str, np.ndarray]:
  x = cohort.modalities.get(types.IMAGE)
  return {} if x is None else {k: v[x.rows] for k, v in x.data.facts.items()}


def orientation_free(cohort: cohorts.Cohort) -> bool:
  x = cohort.modalities.get(types.IMAGE)
  return x is not None and x.data.orientation_free


def numeric(cohort: cohorts.Cohort) -> np.ndarray:
  """(n, f) float64, NaN where missing."""
  x = cohort.modalities.get(types.EHR)
  return np.zeros((len(cohort), 0)) if x is None else table.numeric(x)


def categorical(cohort: cohorts.Cohort) -> np.ndarray:
  """(n, f) object, None where missing."""
  x = cohort.modalities.get(types.EHR)
  if x is None:
    return np.zeros((len(cohort), 0), object)
  return table.categorical(x)


def numeric_names(cohort: cohorts.Cohort) -> tuple[str, ...]:
  x = cohort.modalities.get(types.EHR)
  return () if x is None else x.data.numeric_names


def categorical_names(cohort: cohorts.Cohort) -> tuple[str, ...]:
  x = cohort.modalities.get(types.EHR)
  return () if x is None else x.data.categorical_names


def unknown_codes(cohort: cohorts.Cohort) -> Mapping[str, tuple[str, ...]]:
  x = cohort.modalities.get(types.EHR)
  return {} if x is None else x.data.unknown_codes


_READ = (
  images,
  image_mask,
  image_facts,
  orientation_free,
  numeric,
  numeric_names,
  categorical,
  categorical_names,
  unknown_codes,
)


def field(cohort: cohorts.Cohort, name: str):
  """A field of `pair` or of the cohort."""
  read = {f.__name__: f for f in _READ}.get(name)
  return read(cohort) if read else getattr(cohort, name)


def changed(cohort: cohorts.Cohort, **fields) -> cohorts.Cohort:
  """`cohort` with some fields of `pair` or of the cohort replaced."""
  known = {
    name: field(cohort, name) for names in _FIELDS.values() for name in names
  }
  if 'images' in fields and fields['images'] is None:
    known['image_mask'] = None
  for f in dataclasses.fields(cohort):
    if f.name != 'modalities':
      known[f.name] = getattr(cohort, f.name)
  return pair(**{**known, **fields})


def source(
  data: cohorts.Cohort,
  *,
  image_part: batches.Part | None = None,
  **labels: float,
) -> batches.Source:
  """What a model sees of `data`, standardised by round numbers.

  `image_part` stands for the pixels; `labels` are label_mean and label_std.
  """
  raw = numeric(data)
  observed = ~np.isnan(raw)
  codes = [
    [{None: 0, 'left': 2, 'right': 3}[v] for v in row]
    for row in categorical(data)
  ]
  columns = {
    'numeric': np.where(observed, raw, 0.0).astype(np.float32),
    'observed': observed.astype(np.float32),
    'categorical': np.array(codes, np.int32),
  }
  pixels = {
    'mean': np.array([0.5], np.float32),
    'std': np.array([0.2], np.float32),
    'low': np.float32(0),
    'range': np.float32(255),
  }
  parts = {
    types.IMAGE: image_part or batches.Part('image', constants=pixels),
    types.EHR: batches.Part(
      'table',
      derived=columns,
      constants={'edges': np.tile(np.float32(EDGES), (raw.shape[1], 1))},
    ),
  }
  return batches.Source(parts, **labels)


def fleet_data(data: cohorts.Cohort, *, copies: int = 1) -> batches.FleetData:
  return batches.FleetData(data, (source(data),) * copies)


def model_config(
  *modalities: str,
  image: str = 'resnet',
  image_kind: str = 'image',
  ehr: str = 'mlp',
  combiner: str = 'concat',
  frozen: tuple[str, ...] = (),
  exchanges: tuple[tuple[int, str], ...] = (),
) -> models.ModelConfig:
  """A model of the modalities named, of both if none is."""
  encoders = {
    types.IMAGE: models.EncoderConfig(image_kind, image),
    types.EHR: models.EncoderConfig('table', ehr, (('levels', 32),)),
  }
  wanted = modalities or tuple(encoders)
  return models.ModelConfig(
    tuple((m, encoders[m]) for m in wanted), combiner, frozen, exchanges
  )
