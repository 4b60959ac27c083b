"""A cohort that lives on the device, and batches gathered from it."""

import dataclasses
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.core import types
from fusion_jax.data import cohort as cohorts
from fusion_jax.data import pixels

# Of what differs by source, that which has one entry a study.
BY_STUDY = ('ehr', 'image_vector', 'image_features')


@dataclasses.dataclass(frozen=True)
class Source:
  """What the models fitted on one training part see of the whole cohort.

  Attributes:
    ehr: `Fitted.ehr`, or None if no model reads it.
    image_stats: `Fitted.image_stats`; None if no model reads pixels.
    image_vector: (n, q) reduced pixels for early fusion, type I.
    image_features: (n, c) frozen encodings for early fusion, type II.
    label_mean: of the training labels (regression; otherwise 0).
    label_std: likewise (otherwise 1).
  """

  ehr: dict[str, np.ndarray] | None = None
  image_stats: dict[str, np.ndarray] | None = None
  image_vector: np.ndarray | None = None
  image_features: np.ndarray | None = None
  label_mean: float = 0.0
  label_std: float = 1.0


@dataclasses.dataclass(frozen=True)
class FleetData:
  """A cohort and the sources that members of a fleet choose from."""

  cohort: cohorts.Cohort
  sources: tuple[Source, ...]


@flax.struct.dataclass
class Resident:
  """The arrays of a cohort on the device; d sources, n studies.

  Attributes:
    shared: 'pixels' (n, i, h, w, c), 'mask' (n, i), 'labels' (n, l),
      'label_mask' (n, l) and 'present' by modality (n,).
    sourced: what differs by source, each leaf (d, ...).
    scale: largest value a pixel can hold.
    whole: whether the n studies are those of one batch, in its order.
  """

  shared: dict[str, Any]
  sourced: dict[str, Any]
  scale: float = flax.struct.field(pytree_node=False)
  whole: bool = flax.struct.field(pytree_node=False, default=False)


@flax.struct.dataclass
class RowPlan:
  """Studies in the order they are fed; rows of weight 0 are padding.

  Attributes:
    rows: (..., b) int32 row numbers; (m, s, b) for a fleet's epoch.
    weight: (..., b) float32.
  """

  rows: jax.Array
  weight: jax.Array


def make_resident(data: FleetData) -> Resident:
  """Host arrays of `data`, ready to be put on a device."""
  cohort = data.cohort
  known = ~np.isnan(cohort.labels)
  shared: dict[str, Any] = {
    'labels': np.where(known, cohort.labels, 0.0).astype(np.float32),
    'label_mask': known,
    'present': {m: np.asarray(p) for m, p in cohort.present.items()},
  }
  sourced: dict[str, Any] = {
    'label_mean': np.array([s.label_mean for s in data.sources], np.float32),
    'label_std': np.array([s.label_std for s in data.sources], np.float32),
  }
  first = data.sources[0]
  scale = 1.0
  for name in ('ehr', 'image_stats', 'image_vector', 'image_features'):
    if getattr(first, name) is not None:
      sourced[name] = jax.tree.map(
        lambda *x: np.stack(x), *[getattr(s, name) for s in data.sources]
      )
  if first.image_stats is not None:
    shared['pixels'] = np.ascontiguousarray(cohort.images)
    shared['mask'] = np.asarray(cohort.image_mask)
    scale = pixels.full_scale(cohort.images)
  return Resident(shared=shared, sourced=sourced, scale=scale)


def gather(resident: Resident, source: jax.Array, plan: RowPlan) -> types.Batch:
  """The batch that `plan` (b,) names, as members of `source` see it."""
  # Without an index a batch that is cut over devices stays where it is.
  rows = slice(None) if resident.whole else plan.rows
  shared = resident.shared
  sourced = jax.tree.map(lambda x: x[source], resident.sourced)
  inputs: dict[str, Any] = {}
  features: dict[str, types.Features] = {}
  if 'pixels' in shared:
    stats = sourced['image_stats']
    values = shared['pixels'][rows].astype(jnp.float32) / resident.scale
    inputs[types.IMAGE] = {
      'pixels': (values - stats['mean']) / stats['std'],
      'mask': shared['mask'][rows],
    }
  if 'image_vector' in sourced:
    vector = sourced['image_vector'][rows].astype(jnp.float32)
    inputs[types.IMAGE] = {'vector': vector}
  if 'image_features' in sourced:
    pooled = sourced['image_features'][rows].astype(jnp.float32)
    features[types.IMAGE] = types.Features.of_vector(pooled)
  if 'ehr' in sourced:
    inputs[types.EHR] = {k: v[rows] for k, v in sourced['ehr'].items()}
  labels = shared['labels'][rows]
  labels = (labels - sourced['label_mean']) / sourced['label_std']
  return types.Batch(
    inputs=inputs,
    # A row of weight 0 only fills the batch up: nothing of it may count, not
    # even in statistics over studies.
    present={
      m: p[rows] & (plan.weight > 0) for m, p in shared['present'].items()
    },
    labels=labels,
    label_mask=shared['label_mask'][rows],
    weight=plan.weight,
    row=plan.rows,
    features=features,
  )


def window(resident: Resident, source: int, rows: np.ndarray) -> Resident:
  """The studies `rows` (b,) of host arrays, as one source sees them.

  Only these are read of arrays that are mapped from a file.
  """
  sourced = {
    name: jax.tree.map(
      lambda x, name=name: (
        x[source : source + 1, rows]
        if name in BY_STUDY
        else x[source : source + 1]
      ),
      value,
    )
    for name, value in resident.sourced.items()
  }
  shared = jax.tree.map(lambda x: np.asarray(x[rows]), resident.shared)
  return resident.replace(shared=shared, sourced=sourced, whole=True)
