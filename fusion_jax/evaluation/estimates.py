"""Estimates of every metric by arm, fold and seed, and how they vary."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import metrics


@dataclasses.dataclass(frozen=True)
class Estimates:
  """Every metric of a arms in g folds.

  Attributes:
    cells: (g,) for each fold, by arm and seed, the metrics by name.
    values: by metric, (g, a) means over seeds; NaN where undefined or where
      the arm has no model.
    estimate: by metric, (a,) means over the folds that are defined.
  """

  cells: Sequence[Mapping[str, Mapping[int, Mapping[str, metrics.Value]]]]
  values: Mapping[str, np.ndarray]
  estimate: Mapping[str, np.ndarray]

  def undefined(self, arm: str, metric: str) -> list[tuple[int, str]]:
    """Folds (places, reasons) in which a model's metric is undefined."""
    found = []
    for g, by_arm in enumerate(self.cells):
      for value in by_arm.get(arm, {}).values():
        if math.isnan(value[metric].estimate):
          found.append((g, value[metric].reason))
    return found


def estimate(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  *,
  arms: Sequence[str],
  wanted: Sequence[str],
) -> Estimates:
  """Evaluates every model on its own fold.

  Scores of different models are never ranked together: the estimate is the
  mean over folds (of all repeats) of the mean over seeds of the metric of one
  model on one fold.

  Args:
    task: what is predicted.
    folds: g folds.
    arms: names of a arms; an arm may lack models in some folds.
    wanted: names of the metrics.
  """
  cells = [
    {
      arm: {
        seed: metrics.evaluate(
          task,
          fold.labels,
          scores,
          fold.weight,
          wanted,
          **fold.of_model(arm, seed),
        )
        for seed, scores in fold.scores.get(arm, {}).items()
      }
      for arm in arms
    }
    for fold in folds
  ]

  def over_seeds(by_seed, name):
    of_seeds = [np.array([v[name].estimate]) for v in by_seed.values()]
    return metrics.mean(of_seeds)[0] if of_seeds else np.nan

  values = {
    name: np.array([[over_seeds(c[arm], name) for arm in arms] for c in cells])
    for name in wanted
  }
  return Estimates(
    cells, values, {name: metrics.mean([*v]) for name, v in values.items()}
  )


def seed_sd(estimates: Estimates, arm: str, metric: str) -> float:
  """Standard deviation over seeds within a fold, pooled over folds.

  NaN if no fold has two seeds or more.
  """
  squares, freedom = 0.0, 0
  for by_arm in estimates.cells:
    found = [v[metric].estimate for v in by_arm.get(arm, {}).values()]
    found = [x for x in found if not math.isnan(x)]
    if len(found) > 1:
      squares += float(np.var(found) * len(found))
      freedom += len(found) - 1
  return math.sqrt(squares / freedom) if freedom else math.nan


def corrected_sd(values: np.ndarray, test_to_train: float) -> float:
  """Standard deviation of a mean over folds, corrected for shared training.

  Nadeau and Bengio (2003, Machine Learning 52, 239-281): with J folds the
  variance of the mean is (1 / J + n_test / n_train) times the variance over
  folds, as the folds' training parts overlap.

  Args:
    values: (g,) one value per fold, NaN where undefined.
    test_to_train: n_test / n_train, NaN if unknown.

  Returns:
    NaN if fewer than two folds are defined or the ratio is unknown.
  """
  values = values[~np.isnan(values)]
  if len(values) < 2 or math.isnan(test_to_train):
    return math.nan
  variance = float(np.var(values, ddof=1))
  return math.sqrt((1 / len(values) + test_to_train) * variance)


def test_to_train(
  test: Sequence[folds_lib.Fold], valid: Sequence[folds_lib.Fold]
) -> float:
  """Mean over folds of n_test / n_train, from the table of predictions.

  The studies of a repeat are those tested in any of its folds; what is
  neither tested nor validated on in a fold was trained on. NaN if nothing is
  left to have been trained on, as with another cohort's studies, or if studies
  were validated on that are tested in no fold, so that folds are missing.
  """
  validated = {(f.repeat, f.fold): f.study for f in valid}
  ratios = []
  for fold in test:
    everyone = np.unique(
      np.concatenate([f.study for f in test if f.repeat == fold.repeat])
    )
    held_out = validated.get((fold.repeat, fold.fold), fold.study[:0])
    n_train = len(everyone) - len(fold.study) - len(held_out)
    if n_train <= 0 or not np.isin(held_out, everyone).all():
      return math.nan
    ratios.append(len(fold.study) / n_train)
  return float(np.mean(ratios)) if ratios else math.nan
