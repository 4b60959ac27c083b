"""What trials come to: shares of the best AUROC, and paired differences.

Intervals are of DeLong et al. 1988 (Biometrics 44, 837-845) with the placements
of a patient's studies added up before their variance is taken (Obuchowski 1997,
Biometrics 53, 567-578), conditional on the trained models.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from experiments.studies.zoo import grounds, subjects, trials
from fusion_jax.evaluation import delong

CHANCE = 0.5
# Shares of the best possible lift that interactions are to reach, how far from
# chance rules without them may be, and what an absent modality may cost.
LEAST_SHARE, MOST_FROM_CHANCE, LOSS_ALLOWED = 0.7, 0.05, 0.02
LEAST_ORACLE = 0.9
_NORMAL_975 = 1.959963984540054


@dataclasses.dataclass(frozen=True)
class Synergy:
  """AUROC on the world of interactions, the mean over seeds.

  Attributes:
    auroc: the mean.
    by_seed: of each seed.
    oracle: the best possible one.
  """

  auroc: float
  by_seed: tuple[float, ...]
  oracle: float

  @property
  def share(self) -> float:
    """Of the best possible lift above chance."""
    return (self.auroc - CHANCE) / (self.oracle - CHANCE)


@dataclasses.dataclass(frozen=True)
class Gained:
  """A paired difference of AUROC from the single-modality arm.

  Attributes:
    modality: that studies lack.
    mechanism: by which they do.
    where: one of `subjects.WHERE`.
    auroc: of the subject on the studies compared.
    single: that of the remaining modality's own arm.
    low: lower end of the 95% interval of the difference.
    high: its upper end.
  """

  modality: str
  mechanism: str
  where: str
  auroc: float
  single: float
  low: float
  high: float


def paired(
  positive: np.ndarray,
  first: np.ndarray,
  second: np.ndarray,
  patient: np.ndarray,
) -> tuple[float, float, float]:
  """AUROC of `first` less that of `second`, means over s seeds.

  Args:
    positive: (n,) bool.
    first: (s, n) scores.
    second: (s, n) scores.
    patient: (n,) whose study it is.

  Returns:
    The difference and its 95% interval; NaN where a class is empty.
  """
  s = len(first)
  weights = np.repeat([1 / s, -1 / s], s)[None]
  found = delong.areas(positive, np.concatenate([first, second]))
  found = found.combine(weights)
  difference = float(found.auroc[0])
  _, number = np.unique(patient, return_inverse=True)
  by_patient = np.zeros(number.max() + 1)
  for values, mine in (
    (found.positive[0], positive),
    (found.negative[0], ~positive),
  ):
    np.add.at(by_patient, number[mine], (values - difference) / len(values))
  k = len(by_patient)
  se = np.sqrt(k / max(k - 1, 1) * (by_patient**2).sum())
  half = _NORMAL_975 * se
  return difference, difference - half, difference + half


def synergy(
  ground: grounds.Ground, trial: trials.Trial, world: str = grounds.SYNERGY
) -> Synergy:
  """Of the whole test studies of a world, by the cells without a gap."""
  rows = ground.test(world)
  scores = [
    x[rows]
    for cell, x in trial.logits.items()
    if cell.world == world and cell.gap == grounds.WHOLE
  ]
  best = ground.oracle[world][ground.parts[world][2]]
  areas = delong.areas(
    ground.cohort.labels[rows, 0] > 0, np.stack([*scores, best])
  ).auroc
  by_seed = tuple(float(x) for x in areas[:-1])
  return Synergy(float(np.mean(by_seed)), by_seed, float(areas[-1]))


def gained(
  ground: grounds.Ground,
  trial: trials.Trial,
  singles: Mapping[str, trials.Trial],
  *,
  share: float,
  world: str = grounds.COMPLEMENTARY,
) -> list[Gained]:
  """By modality, mechanism and place, how much is lost beside the other arm.

  `test`: models of complete studies, on the test studies that lack the
  modality. `both`: models of studies some of which lack it, on test studies
  that do by the same mechanism. `training`: the same models, on all test
  studies, which are complete.
  """
  found = []
  for modality in ground.cohort.modalities:
    (other,) = grounds.others(ground.cohort, modality)
    for mechanism in (grounds.RANDOM, grounds.INFORMATIVE):
      gap = grounds.Gap(modality, share, mechanism)
      gone = ground.test(world, grounds.Gap(modality, 1.0))
      tested = ground.parts[world][2]
      lacking = gone[ground.lost[world, gap][tested]]
      for where, trained, rows in (
        (subjects.TEST, grounds.WHOLE, lacking),
        (subjects.TRAINING, gap, ground.test(world)),
        (subjects.BOTH, gap, lacking),
      ):
        found.append(
          Gained(
            modality,
            mechanism,
            where,
            *_compared(
              ground,
              _of(trial, world, trained, rows),
              _of(singles[other], world, trained, rows),
              rows,
            ),
          )
        )
  return found


def _of(trial, world, gap, rows) -> np.ndarray:
  """(s, n) scores of the cells of one gap."""
  return np.stack(
    [
      x[rows]
      for cell, x in trial.logits.items()
      if cell.world == world and cell.gap == gap
    ]
  )


def _compared(ground, ours, single, rows):
  positive = ground.cohort.labels[rows, 0] > 0
  areas = [
    float(delong.areas(positive, x).auroc.mean()) for x in (ours, single)
  ]
  _, low, high = paired(positive, ours, single, ground.cohort.patient[rows])
  return *areas, low, high


def worst(found: Sequence[Gained], where: str) -> float:
  """The least lower bound at a place."""
  return min(x.low for x in found if x.where == where)


def curve(
  ground: grounds.Ground,
  trial: trials.Trial,
  modality: str,
  mechanism: str,
  *,
  train: Sequence[float],
  test: Sequence[float],
  world: str = grounds.COMPLEMENTARY,
) -> np.ndarray:
  """(train, test) AUROC of all test studies, the mean over seeds.

  A prediction depends on its own study alone, so that a test part of which
  some lack the modality is a mixture of predictions with it and without it.
  """
  rows = ground.test(world)
  gone = ground.test(world, grounds.Gap(modality, 1.0))
  tested = ground.parts[world][2]
  positive = ground.cohort.labels[rows, 0] > 0
  found = np.full((len(train), len(test)), np.nan)
  for i, rate in enumerate(train):
    gap = gap_of(modality, rate, mechanism)
    whole, without = (_of(trial, world, gap, x) for x in (rows, gone))
    for j, lacking in enumerate(test):
      lost = ground.lost[world, gap_of(modality, lacking, mechanism)][tested]
      mixed = np.where(lost, without, whole)
      found[i, j] = delong.areas(positive, mixed).auroc.mean()
  return found


def gap_of(modality: str, share: float, mechanism: str) -> grounds.Gap:
  """Nothing and everything are lost by no mechanism."""
  if not share:
    return grounds.WHOLE
  if share == 1:
    return grounds.Gap(modality, 1.0)
  return grounds.Gap(modality, share, mechanism)
