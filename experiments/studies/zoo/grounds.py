"""The cohorts: worlds with a known best score, complete and with gaps.

All that a subject is trained and tested on lies in one cohort, whose studies
are shown several times: once as they are and once for each way in which they
lack a modality. Members of one fleet can then train on all of it in one
compiled program. No pixel is copied for that.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.ablation import views
from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import five, preprocess, synthetic, withhold, worlds
from fusion_jax.data import modality as modality_lib
from fusion_jax.data import splits as splits_lib

SYNERGY, COMPLEMENTARY, FIVE = worlds.SYNERGY, 'complementary', five.NAME
COMPLETE = ''
RANDOM, INFORMATIVE = withhold.MECHANISMS
# Shares of the patients that are trained on and validated on.
_PARTS = (0.3, 0.1)


@dataclasses.dataclass(frozen=True)
class Gap:
  """A way in which some studies lack a modality.

  Attributes:
    modality: which; '' where nothing is lacking.
    share: of the studies, from 0 to 1.
    mechanism: one of `withhold.MECHANISMS`.
  """

  modality: str = COMPLETE
  share: float = 0.0
  mechanism: str = RANDOM


WHOLE = Gap()


@dataclasses.dataclass(frozen=True)
class Setting:
  """How large all is, and what encodes the modalities.

  Attributes:
    n: studies of the worlds of two modalities.
    n_five: of the world of five.
    size: pixels a side.
    seeds: trainings on `synergy`.
    seeds_missing: trainings for each gap.
    seeds_five: trainings on the world of five.
    share: of the studies that lack a modality in training, and in the test.
    epochs: most epochs.
    patience: epochs without a lower validation loss before training stops;
      many, since for long none falls where only interactions tell anything.
    learning_rate: peak.
    encoders: by kind, (view, encoder).
  """

  n: int = 2400
  n_five: int = 2400
  size: int = 16
  seeds: int = 5
  seeds_missing: int = 2
  seeds_five: int = 1
  share: float = 0.5
  epochs: int = 40
  patience: int = 20
  learning_rate: float = 3e-3
  encoders: tuple[tuple[str, tuple[str, str]], ...] = (
    ('image', (views.RAW, 'resnet(widths=(8,))')),
    ('volume', (views.RAW, 'cnn(widths=(8,))')),
    ('table', (views.RAW, 'mlp(width=32)')),
    ('series', (views.RAW, 'bag(width=32)')),
    ('vector', (views.RAW, 'mlp(width=32)')),
  )

  def to_json(self) -> dict[str, Any]:
    """JSON-ready."""
    return {**dataclasses.asdict(self), 'encoders': dict(self.encoders)}


@dataclasses.dataclass(frozen=True, eq=False)
class Place:
  """Studies of one world as they are with one gap.

  Attributes:
    split: rows of the ground's cohort.
    fitted: on its training rows.
  """

  split: splits_lib.Split
  fitted: preprocess.Fitted


@dataclasses.dataclass(frozen=True, eq=False)
class Ground:
  """One cohort of all places.

  Attributes:
    cohort: studies of all worlds with all gaps.
    oracle: by world, (n,) best possible scores of its studies.
    rows: by world and gap, (n,) rows of its studies in the cohort.
    lost: by world and gap, (n,) bool, which studies lack the modality.
    parts: by world, numbers of training, validation and test studies.
  """

  cohort: cohort_lib.Cohort
  oracle: Mapping[str, np.ndarray]
  rows: Mapping[tuple[str, Gap], np.ndarray]
  lost: Mapping[tuple[str, Gap], np.ndarray]
  parts: Mapping[str, tuple[np.ndarray, np.ndarray, np.ndarray]]

  def test(self, world: str, gap: Gap = WHOLE) -> np.ndarray:
    """Rows of the test studies as they are with a gap."""
    return self.rows[world, gap][self.parts[world][2]]

  @functools.cache  # noqa: B019 (as long as the ground itself)
  def place(self, world: str, gap: Gap) -> Place:
    """Its split, and what is fitted on its training studies."""
    train, valid, test = (self.rows[world, gap][x] for x in self.parts[world])
    fitted = preprocess.Preprocessor().fit(self.cohort, train)
    return Place(splits_lib.Split(0, 0, train, valid, test), fitted)


def make(
  setting: Setting, gaps: Mapping[str, Sequence[Gap]], *, seed: int = 0
) -> Ground:
  """The ground of some worlds, each with its gaps.

  Args:
    setting: how large.
    gaps: by world; all have the same modalities.
    seed: of everything random.
  """
  parts, oracle, rows, lost = {}, {}, {}, {}
  made = {world: _world(world, setting, seed) for world in gaps}
  shown, names, patients, present, labels = [], [], [], [], []
  start = at = 0
  for world, cohort in made.items():
    n = len(cohort)
    parts[world] = _parts(cohort.patient, seed)
    oracle[world] = cohort.oracle['both']
    for k, gap in enumerate(gaps[world]):
      seen = _with(cohort, gap)
      rows[world, gap] = np.arange(at, at + n)
      lost[world, gap] = np.zeros(n, bool)
      if gap.modality:
        lost[world, gap] = ~seen.present[gap.modality]
      shown.append(np.arange(start, start + n))
      present.append(seen.present)
      labels.append(cohort.labels)
      names.append(np.char.add(f'{world}/{k}/', cohort.study))
      patients.append(np.char.add(f'{world}/', cohort.patient))
      at += n
    start += n
  first = next(iter(made.values()))
  modalities = {}
  for m, x in first.modalities.items():
    data = _joined([c.modalities[m].data for c in made.values()])
    modalities[m] = modality_lib.Modality(
      x.kind,
      x.side,
      data,
      np.concatenate(shown),
      np.concatenate([p[m] for p in present]),
    )
  cohort = cohort_lib.Cohort(
    name='+'.join(made),
    task=first.task,
    study=np.concatenate(names),
    patient=np.concatenate(patients),
    labels=np.concatenate(labels),
    modalities=modalities,
  )
  return Ground(cohort, oracle, rows, lost, parts)


def _world(world: str, setting: Setting, seed: int) -> cohort_lib.Cohort:
  if world == FIVE:
    return synthetic.make_five(n=setting.n_five, size=setting.size, seed=seed)
  return synthetic.make(world, n=setting.n, size=setting.size, seed=seed)


def _with(cohort: cohort_lib.Cohort, gap: Gap) -> cohort_lib.Cohort:
  if not gap.modality:
    return cohort
  if gap.share == 1:
    lost = np.ones(len(cohort), bool)
    changed = cohort.modalities[gap.modality].without(lost)
    return cohort.with_modalities({gap.modality: changed}, digest='gone')
  return withhold.withhold(
    cohort, gap.modality, gap.share, mechanism=gap.mechanism
  )


def _joined(data: Sequence[modality_lib.Data]) -> modality_lib.Data:
  """The studies of several worlds as those of one."""
  if len(data) == 1:
    return data[0]
  first = data[0]
  fields = {
    f.name: np.concatenate([getattr(x, f.name) for x in data])
    for f in dataclasses.fields(first)
    if f.metadata.get(modality_lib.STUDIES)
    and getattr(first, f.name) is not None
  }
  return dataclasses.replace(first, **fields)


def _parts(patient: np.ndarray, seed: int):
  """Numbers of training, validation and test studies, by patient."""
  names, number = np.unique(patient, return_inverse=True)
  draw = np.random.default_rng([seed, len(names)]).random(len(names))[number]
  train, valid = _PARTS
  return (
    np.flatnonzero(draw < train),
    np.flatnonzero((draw >= train) & (draw < train + valid)),
    np.flatnonzero(draw >= train + valid),
  )


def others(cohort: cohort_lib.Cohort, name: str) -> list[str]:
  """The modalities beside one."""
  return [m for m in cohort.modalities if m != name]


# What the worlds of two modalities call them.
TWO = (types.IMAGE, types.EHR)
