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
  comparison,
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

  def evaluate(self, tables) -> dict[str, dict[str, Any]]:
    """By arm: estimate, low and high, and a reason where undefined."""
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
      low, high, reason = comparison.interval(replicates.means[a, 0])
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
