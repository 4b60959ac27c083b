"""What audits share: fitting, evaluating and showing."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.ablation import audit_config as config_lib
from fusion_jax.core import links, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import config as data_config
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import (
  bounds,
  estimates,
  metrics,
  predictions,
  resampling,
)
from fusion_jax.evaluation import config as evaluation_config
from fusion_jax.evaluation import folds as folds_lib

_CHANCE = {types.REGRESSION: 0.0}
_SHOWN = {
  'auroc': 'AUROC',
  'auroc_macro': 'macro AUROC',
  'r2': 'R2',
  'c_index': 'C index',
}

# Ratio of standard deviations; see `widened`.
_BOTH_WAYS = math.sqrt(2.0)


@dataclasses.dataclass(frozen=True)
class Work:
  """What the audits of one cohort share.

  Attributes:
    cohort: n studies.
    splits: its folds.
    config: which audits, and when they alarm.
    evaluation: replicates and their seed.
    preprocessing: as arms use it.
    seed: of what is random in audits.
  """

  cohort: cohort_lib.Cohort
  splits: Sequence[splits_lib.Split]
  config: config_lib.AuditsConfig
  evaluation: evaluation_config.EvaluationConfig
  preprocessing: data_config.PreprocessConfig
  seed: int

  @property
  def task(self) -> types.Task:
    return self.cohort.task

  @property
  def metric(self) -> str:
    return metrics.PRIMARY[self.task.kind]

  @property
  def chance(self) -> float:
    return _CHANCE.get(self.task.kind, 0.5)

  def fit(self, fit, x, labels, split):
    known = links.known(self.task, labels).any(axis=1)
    train, valid = (p[known[p]] for p in (split.train, split.valid))
    return fit(
      task=self.task,
      x=x[train],
      labels=labels[train],
      weight=self.weight(train),
      x_valid=x[valid],
      labels_valid=labels[valid],
      weight_valid=self.weight(valid),
    )

  def weight(self, rows) -> np.ndarray | None:
    weight = self.cohort.weight
    return None if weight is None else weight[rows]

  def table(self, name, split, seed, logits) -> predictions.Predictions:
    rows = split.test
    return predictions.create(
      task=self.task,
      study_id=self.cohort.study[rows],
      patient_id=self.cohort.patient[rows],
      arm=name,
      repeat=split.repeat,
      fold=split.fold,
      seed=seed,
      labels=self.cohort.labels[rows],
      scores=links.scores_from_logits(self.task, logits),
      weight=self.weight(rows),
    )

  def resamples(self) -> resampling.Resamples:
    """The summary's own: all patients that are tested in any fold."""
    tested = np.unique(np.concatenate([s.test for s in self.splits]))
    return resampling.draw(
      self.cohort.patient[tested],
      replicates=self.evaluation.replicates,
      seed=self.evaluation.seed,
    )

  @property
  def both_ways(self) -> bool:
    """Whether two folds train on studies that the other one tests."""
    n = len(self.cohort)
    trains, tests = (
      np.stack([np.isin(np.arange(n), part(s)) for s in self.splits])
      for part in (lambda s: s.train, lambda s: s.test)
    )
    learns_from = trains.astype(np.float64) @ tests.T > 0
    return bool((learns_from & learns_from.T).any())

  def evaluate(self, tables) -> dict[str, dict[str, Any]]:
    """By arm: estimate, low and high, and a reason where undefined.

    Patient resamples hold the trained models as they are, and so tell only
    what other test patients would change. Where folds train on each other's
    test studies, the interval is `widened` for what they would change as
    training patients.
    """
    if not tables:
      return {}
    folds = folds_lib.arrange(predictions.concat(tables))
    arms = sorted({arm for fold in folds for arm in fold.scores})
    wanted = [self.metric]
    values = estimates.estimate(self.task, folds, arms=arms, wanted=wanted)
    replicates = resampling.replicate(
      self.task,
      folds,
      arms=arms,
      wanted=wanted,
      metric=self.metric,
      resamples=self.resamples(),
    )
    found = {}
    for a, arm in enumerate(arms):
      estimate = float(values.estimate[self.metric][a])
      if math.isnan(estimate):
        found[arm] = unknown(values.undefined(arm, self.metric)[0][1])
        continue
      low, high, reason = bounds.percentile(replicates.means[a, 0])
      if self.both_ways:
        low, high = widened(estimate, low, high)
        high = min(high, 1.0)
        if self.task.kind != types.REGRESSION:
          low = max(low, 0.0)
      found[arm] = {'estimate': estimate, 'low': low, 'high': high}
      if reason:
        found[arm]['reason'] = reason
    return found

  def head(self, entry) -> dict[str, Any]:
    return {
      'metric': self.metric,
      **plain(entry),
      'chance': self.chance,
      'margin': self.config.margin,
    }

  def shown(self, entry) -> str:
    name = _SHOWN[self.metric]
    return (
      f'{name} {entry["estimate"]:.3f} (95% interval {entry["low"]:.3f} to '
      f'{entry["high"]:.3f}; chance is {self.chance:g})'
    )


def widened(estimate: float, low: float, high: float) -> tuple[float, float]:
  """An interval of fixed models, for folds that train each other.

  If nothing can be learnt, what a model gets right by chance is a sum over
  pairs of patients, one trained on and one tested, of how much their labels
  and facts happen to agree. Cross-validation counts a pair both ways: with
  agreements a_ij = a_ji of mean 0 the variance is the sum over pairs of
  (2 a_ij)^2. With the models fixed the two ways count as independent:
  2 a_ij^2, half as much, for any number of folds. Among J folds that is the
  variance of a mean whose terms have correlation n_test / n_train =
  1 / (J - 1); Nadeau and Bengio (2003, Machine Learning 52, 239-281) reason
  alike from n_test / (n_test + n_train), which gives 2 - 1 / J instead of 2.

  Args:
    estimate: mean over folds.
    low: lower bound with the models fixed.
    high: upper bound.

  Returns:
    Bounds sqrt(2) times as far from the estimate; NaN stays NaN.
  """
  if math.isnan(low):
    return low, high
  below, above = max(0.0, estimate - low), max(0.0, high - estimate)
  return (
    estimate - _BOTH_WAYS * below,
    estimate + _BOTH_WAYS * above,
  )


def unknown(reason: str) -> dict[str, Any]:
  """An entry without numbers."""
  return {
    'estimate': math.nan,
    'low': math.nan,
    'high': math.nan,
    'reason': reason or 'no fold could be evaluated',
  }


def plain(entry) -> dict[str, Any]:
  """NaN as None, as JSON has no word for it."""
  return {
    k: None if isinstance(v, float) and math.isnan(v) else v
    for k, v in entry.items()
  }
