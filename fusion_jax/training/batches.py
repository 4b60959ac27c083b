"""A cohort that lives on the device, and batches gathered from it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import numpy as np

from fusion_jax.core import types
from fusion_jax.data import cohort as cohorts
from fusion_jax.data import kind as kind_lib
from fusion_jax.data import ragged

# Of what differs by source, that which has one entry a study.
BY_STUDY = ('vector', 'derived')
# Kinds of parts beside those of modalities: a vector that an encoder of vectors
# reads, and features that stand for what an encoder would make.
VECTOR, FEATURES = '(vector)', '(features)'


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
  """What the models of one fit see of one modality.

  Attributes:
    kind: name of the modality's kind, VECTOR or FEATURES.
    derived: by name, (N, ...) arrays of the studies of its data
      (`Kind.derived`).
    constants: by name, small arrays (`Kind.constants`).
    vector: VECTOR and FEATURES: (n, q) float32 of the cohort's studies.
  """

  kind: str
  derived: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  constants: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  vector: np.ndarray | None = None

  @property
  def arrays(self) -> dict[str, Any]:
    """What differs between fits."""
    if self.vector is not None:
      return {'vector': self.vector}
    return {'derived': dict(self.derived), 'constants': dict(self.constants)}


@dataclasses.dataclass(frozen=True, eq=False)
class Source:
  """What the models fitted on one training part see of the whole cohort.

  Attributes:
    parts: by modality.
    label_mean: of the training labels (regression; otherwise 0).
    label_std: likewise (otherwise 1).
  """

  parts: Mapping[str, Part]
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
    shared: 'labels' (n, l), 'label_mask' (n, l), by modality 'present' (n,),
      'rows' (n,), the study of its data that each study shows, and 'held', what
      is kept of it (`Kind.held`).
    sourced: what differs by source, each leaf (d, ...).
    kinds: modalities that models see, and of which kind their parts are.
    whole: whether the n studies are those of one batch, in its order. Windows
      (`windows`) are stacked: their leaves are (s, ...) by batch.
  """

  shared: dict[str, Any]
  sourced: dict[str, Any]
  kinds: tuple[tuple[str, str], ...] = flax.struct.field(pytree_node=False)
  whole: bool = flax.struct.field(pytree_node=False, default=False)

  @property
  def nbytes(self) -> int:
    """Bytes of all arrays."""
    leaves = jax.tree.leaves((self.shared, self.sourced))
    return sum(x.nbytes for x in leaves)


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
    'rows': {},
    'held': {},
  }
  sourced: dict[str, Any] = {
    'label_mean': np.array([s.label_mean for s in data.sources], np.float32),
    'label_std': np.array([s.label_std for s in data.sources], np.float32),
  }
  sourced['parts'] = jax.tree.map(
    lambda *x: np.stack(x),
    *[{m: p.arrays for m, p in s.parts.items()} for s in data.sources],
  )
  kinds = tuple((m, p.kind) for m, p in data.sources[0].parts.items())
  for m, kind in kinds:
    if kind not in (VECTOR, FEATURES):
      modality = cohort.modalities[m]
      shared['rows'][m] = modality.rows.astype(np.int32)
      held = kind_lib.get(kind).held(modality.data)
      shared['held'][m] = {k: np.asarray(x) for k, x in held.items()}
  return Resident(shared=shared, sourced=sourced, kinds=kinds)


def free(cohort: cohorts.Cohort) -> frozenset[str]:
  """The modalities of which mirroring and turning keep the meaning."""
  return frozenset(
    m
    for m, x in cohort.modalities.items()
    if getattr(x.data, 'orientation_free', False)
  )


def _rows(values: Any, at: jax.Array) -> Any:
  """Rows of arrays by study, or of what is ragged."""
  if isinstance(values, ragged.Ragged):
    return values.rows(at)
  # What a window has made of it has its rows already.
  return values if isinstance(values, dict) else values[at]


@flax.struct.dataclass
class Raw:
  """A batch as it is kept: nothing but copies of rows, so exact.

  Attributes:
    values: by modality, a vector or by name what `Kind.inputs` reads.
    constants: by modality, of its kind.
    by_study: 'labels', 'label_mask' and by modality 'present'.
    scale: () mean and standard deviation of the labels.
    plan: the rows.
    kinds: see `Resident`.
  """

  values: dict[str, Any]
  constants: dict[str, Any]
  by_study: dict[str, Any]
  scale: tuple[jax.Array, jax.Array]
  plan: RowPlan
  kinds: tuple[tuple[str, str], ...] = flax.struct.field(pytree_node=False)

  def batch(self) -> types.Batch:
    """What a model is given of it."""
    inputs: dict[str, Any] = {}
    features: dict[str, types.Features] = {}
    for m, kind in self.kinds:
      if kind == FEATURES:
        features[m] = types.Features.of_vector(self.values[m])
      elif kind == VECTOR:
        inputs[m] = {'vector': self.values[m]}
      else:
        made = kind_lib.get(kind).inputs(self.constants[m], self.values[m])
        inputs[m] = made
    mean, std = self.scale
    weight = self.plan.weight
    return types.Batch(
      inputs=inputs,
      # A row of weight 0 only fills the batch up: nothing of it may count, not
      # even in statistics over studies.
      present={
        m: p & (weight > 0) for m, p in self.by_study['present'].items()
      },
      labels=(self.by_study['labels'] - mean) / std,
      label_mask=self.by_study['label_mask'],
      weight=weight,
      row=self.plan.rows,
      features=features,
    )


def raw(resident: Resident, source: jax.Array, plan: RowPlan) -> Raw:
  """The rows that `plan` (b,) names, as members of `source` see them."""
  # Without an index a batch that is cut over devices stays where it is.
  rows = slice(None) if resident.whole else plan.rows
  shared = resident.shared
  sourced = jax.tree.map(lambda x: x[source], resident.sourced)
  constants, values = {}, {}
  for m, kind in resident.kinds:
    part = sourced['parts'][m]
    if kind in (VECTOR, FEATURES):
      values[m] = part['vector'][rows]
      continue
    # Studies may be shown the data of others: see data/modality.py.
    at = rows if resident.whole else shared['rows'][m][rows]
    kept = {**shared['held'][m], **part['derived']}
    values[m] = {k: _rows(x, at) for k, x in kept.items()}
    constants[m] = part['constants']
  return Raw(
    values=values,
    constants=constants,
    by_study=jax.tree.map(lambda x: x[rows], _by_study(shared)),
    scale=(sourced['label_mean'], sourced['label_std']),
    plan=plan,
    kinds=resident.kinds,
  )


def _by_study(shared):
  return {k: shared[k] for k in ('labels', 'label_mask', 'present')}


def gather(resident: Resident, source: jax.Array, plan: RowPlan) -> types.Batch:
  """The batch that `plan` (b,) names, as members of `source` see it."""
  return raw(resident, source, plan).batch()


def windows(resident: Resident, source: int, rows: np.ndarray) -> Resident:
  """The studies `rows` (s, b) of host arrays, batch by batch.

  They are seen as `source` does. Only these are read of arrays that are mapped
  from a file. What is the same in all batches is repeated, since it is small.
  """
  s, b = rows.shape
  shared, flat = resident.shared, rows.reshape(-1)

  def cut(x):
    return np.asarray(x).reshape(s, b, *x.shape[1:])

  def alone(x):
    """As of the one source that is left, on the axis after batches."""
    return cut(x)[:, None]

  def repeated(x):
    return np.repeat(x[None, source : source + 1], s, axis=0)

  held, parts = {}, {}
  for m, kind in resident.kinds:
    part = resident.sourced['parts'][m]
    if kind in (VECTOR, FEATURES):
      parts[m] = {'vector': alone(part['vector'][source][flat])}
      continue
    at = shared['rows'][m][flat]
    held[m] = {
      k: jax.tree.map(cut, _rows(x, at)) for k, x in shared['held'][m].items()
    }
    of_source = jax.tree.map(lambda x: x[source], part['derived'])
    derived = {
      k: jax.tree.map(alone, _rows(x, at)) for k, x in of_source.items()
    }
    constants = jax.tree.map(repeated, part['constants'])
    parts[m] = {'derived': derived, 'constants': constants}
  return resident.replace(
    shared={
      'rows': {},
      'held': held,
      **jax.tree.map(lambda x: cut(x[flat]), _by_study(shared)),
    },
    sourced={
      **{k: repeated(resident.sourced[k]) for k in ('label_mean', 'label_std')},
      'parts': parts,
    },
    whole=True,
  )
