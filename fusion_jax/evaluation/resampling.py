"""The patient bootstrap: one set of resamples for every arm, fold and seed."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import metrics, ranking

# Replicates are computed in blocks that fit the cache of one core.
_BLOCK_BYTES = 2**20
_DRAW_BLOCK = 128


@dataclasses.dataclass(frozen=True)
class Resamples:
  """How often each of p patients was drawn in each of r replicates.

  Attributes:
    patients: (p,) str, sorted.
    counts: (p, r) uint16; each column sums to p.
  """

  patients: np.ndarray
  counts: np.ndarray

  def rows(self, patients: np.ndarray) -> np.ndarray:
    """Places (n,) of the given patients in `patients`."""
    return np.searchsorted(self.patients, patients)


@dataclasses.dataclass(frozen=True)
class Replicates:
  """Bootstrap replicates of a arms.

  Attributes:
    by_fold: (g, a, r) the metric of comparison in each fold, mean over seeds;
      NaN where the arm has no model or the replicate leaves it undefined.
    means: (a, m, r) every metric, mean over the folds where it is defined.
  """

  by_fold: np.ndarray
  means: np.ndarray


def draw(patients: np.ndarray, *, replicates: int, seed: int) -> Resamples:
  """Draws patients with replacement, as many as there are, r times.

  Whole patients are drawn (cluster bootstrap: Field and Welsh, 2007, JRSS B
  69, 369-390), from the whole cohort and not within folds.

  Args:
    patients: (n,) str, repeats allowed.
    replicates: number r.
    seed: of the draw; which patient gets which count depends on the sorted
      patients only.
  """
  patients = np.unique(patients)
  p = len(patients)
  rng = np.random.default_rng(seed)
  counts = np.empty((p, replicates), np.uint16)
  for lo in range(0, replicates, _DRAW_BLOCK):
    width = min(_DRAW_BLOCK, replicates - lo)
    drawn = rng.integers(0, p, size=(width, p))
    cells = drawn * width + np.arange(width)[:, None]
    found = np.bincount(cells.reshape(-1), minlength=p * width)
    counts[:, lo : lo + width] = found.reshape(p, width)
  return Resamples(patients, counts)


def draw_folds(
  folds: Sequence[folds_lib.Fold], config: config_lib.EvaluationConfig
) -> Resamples:
  """The draws of all patients in the folds that the configuration fixes.

  Whatever is said of the same test parts shares them.
  """
  return draw(
    np.concatenate([f.patient for f in folds]),
    replicates=config.replicates,
    seed=config.seed,
  )


def replicate(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  *,
  arms: Sequence[str],
  wanted: Sequence[str],
  metric: str,
  resamples: Resamples,
) -> Replicates:
  """Computes every metric of every arm for every replicate.

  A study's weight in a replicate is its own weight times how often its
  patient was drawn. If a replicate leaves a metric undefined in a fold (one
  class only, say), that fold is left out of that replicate's mean, for all
  arms alike as it is the labels that decide; no replicate is drawn again.

  Args:
    task: what is predicted.
    folds: g folds.
    arms: names of a arms; an arm may lack models in some folds.
    wanted: names of m metrics.
    metric: the one of them that arms are compared by.
    resamples: r replicates over all patients in the folds.
  """
  replicates = resamples.counts.shape[1]
  primary = list(wanted).index(metric)
  shape = (len(arms), len(wanted), replicates)
  by_fold = np.full((len(folds), len(arms), replicates), np.nan)
  sums, defined = np.zeros(shape), np.zeros(shape)
  for g, fold in enumerate(folds):
    kernels = [
      [
        metrics.prepare(
          task,
          fold.labels,
          scores,
          wanted,
          fold.weight,
          **fold.of_model(arm, seed),
        )
        for seed, scores in fold.scores.get(arm, {}).items()
      ]
      for arm in arms
    ]
    places = resamples.rows(fold.patient)
    width = max(16, _BLOCK_BYTES // (8 * max(1, len(places))))
    for lo in range(0, replicates, width):
      block = slice(lo, min(lo + width, replicates))
      weights = resamples.counts[places, block] * fold.weight[:, None]
      for a, of_seeds in enumerate(kernels):
        if not of_seeds:
          continue
        values = metrics.mean([kernel(weights) for kernel in of_seeds])
        by_fold[g, a, block] = values[primary]
        there = ~np.isnan(values)
        sums[a, :, block] += np.where(there, values, 0)
        defined[a, :, block] += there
  return Replicates(by_fold, ranking.ratio(sums, defined))
