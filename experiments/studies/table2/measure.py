"""Metrics of runs with their patient bootstrap, to be added and subtracted."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from fusion_jax.ablation import external, robustness
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import reader
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import bounds, metrics, resampling
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib

AUROC = 'auroc'
# Of the bootstrap: with the same patients, all runs share their resamples.
_SEED = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Quantity:
  """A number and its (r,) bootstrap replicates."""

  value: float
  replicates: np.ndarray

  def __add__(self, other: 'Quantity') -> 'Quantity':
    return Quantity(
      self.value + other.value, self.replicates + other.replicates
    )

  def __sub__(self, other: 'Quantity') -> 'Quantity':
    return self + -1.0 * other

  def __rmul__(self, factor: float) -> 'Quantity':
    return Quantity(factor * self.value, factor * self.replicates)

  def shifted(self, by: float) -> 'Quantity':
    """With a constant added."""
    return Quantity(self.value + by, self.replicates + by)

  def over(self, other: 'Quantity') -> 'Quantity':
    """The ratio; NaN where `other` is 0."""
    with np.errstate(divide='ignore', invalid='ignore'):
      ratio = self.replicates / other.replicates
    value = self.value / other.value if other.value else math.nan
    return Quantity(value, np.where(np.isfinite(ratio), ratio, np.nan))

  def numbers(self) -> dict[str, float]:
    """estimate, low and high, as `claims.Check` takes them."""
    low, high, _ = bounds.percentile(self.replicates)
    return {'estimate': float(self.value), 'low': low, 'high': high}

  def to_json(self) -> dict[str, float | None]:
    """The same with null for what is undefined."""
    return {k: None if math.isnan(v) else v for k, v in self.numbers().items()}


def mean(items: Sequence[Quantity]) -> Quantity:
  """The mean of at least one."""
  total = items[0]
  for item in items[1:]:
    total = total + item
  return (1 / len(items)) * total


class Areas:
  """A metric of every arm, the mean over folds and seeds."""

  def __init__(
    self,
    task: types.Task,
    folds: Sequence[folds_lib.Fold],
    *,
    replicates: int,
    metric: str = AUROC,
  ):
    arms = list(dict.fromkeys(a for f in folds for a in f.scores))
    self._arms, self._folds = arms, folds
    options = {'arms': arms, 'wanted': [metric]}
    self._values = estimates_lib.estimate(task, folds, **options).values[metric]
    self._replicates = resampling.replicate(
      task,
      folds,
      **options,
      metric=metric,
      resamples=resampling.draw(
        np.concatenate([f.patient for f in folds]),
        replicates=replicates,
        seed=_SEED,
      ),
    ).by_fold

  def __getitem__(self, arm: str) -> Quantity:
    return self.by_fold([arm] * len(self._folds))

  def by_fold(self, arms: Sequence[str]) -> Quantity:
    """Of one arm in each fold, such as the fold's reference."""
    at = [self._arms.index(arm) for arm in arms]
    return Quantity(
      float(
        metrics.mean([self._values[g, a, None] for g, a in enumerate(at)])[0]
      ),
      metrics.mean([self._replicates[g, a] for g, a in enumerate(at)]),
    )


def arranged(
  run: external.Run, part: str = predictions_lib.TEST
) -> tuple[folds_lib.Fold, ...]:
  """One part of every fold, as the run predicted it."""
  return folds_lib.arrange(
    predictions_lib.read(run.path / store_lib.PREDICTIONS), part
  )


def references(run: external.Run) -> list[str]:
  """Each fold's best single-modality arm on validation."""
  picked = run.summary['best_single']['picked_on_validation']
  return [x['arm'] for x in picked['by_fold']]


def with_oracle(
  folds: Sequence[folds_lib.Fold], cohort: cohort_lib.Cohort
) -> list[folds_lib.Fold]:
  """The folds with the best possible scores as further arms, oracle_NAME."""
  row = {study: i for i, study in enumerate(cohort.study.tolist())}
  found = []
  for fold in folds:
    at = [row[study] for study in fold.study.tolist()]
    best = {f'oracle_{k}': {0: v[at, None]} for k, v in cohort.oracle.items()}
    found.append(dataclasses.replace(fold, scores={**fold.scores, **best}))
  return found


def opened(
  run: external.Run, *, whole: bool = False
) -> tuple[cohort_lib.Cohort, list[splits_lib.Split]]:
  """The run's cohort, `whole` without what was withheld, and its splits."""
  config = run.config.cohort
  if whole:
    config = dataclasses.replace(config, withhold=())
  cohort = reader.open_cohort(config)
  return cohort, splits_lib.make_splits(cohort, run.config.splits)


def predicted(
  run: external.Run, arms: Sequence[str], *, absent: str
) -> tuple[folds_lib.Fold, ...]:
  """Test parts as the run's models predict them without a modality.

  All other data of the test studies are there, also where the run withheld
  some of them in training.

  Args:
    run: finished.
    arms: whose models.
    absent: the modality withheld; empty for none.
  """
  cohort, splits = opened(run, whole=True)
  return robustness.predicted(run.config, run, cohort, splits, arms, absent)


def by_arm(
  quantities: Mapping[str, Quantity],
) -> dict[str, dict[str, float | None]]:
  """For `Check.details`."""
  return {name: q.to_json() for name, q in quantities.items()}
