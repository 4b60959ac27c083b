"""Permutation test of two arms on the same patients."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import delong, metrics
from fusion_jax.evaluation import folds as folds_lib

# As in the bootstrap: blocks that fit the cache of one core.
_BLOCK_BYTES = 2**20

# Of these only the order of a model's scores counts, and their values of
# those. What is called at a model's own threshold belongs to that model: there
# is no swapping it.
_BY_ORDER = ('auroc', 'auprc', 'c_index', 'c_index_uno')
_BY_VALUE = ('brier', 'log_loss', 'rmse', 'mae', 'r2')


@dataclasses.dataclass(frozen=True)
class Result:
  """What swapping two arms at random says; NaN where undefined.

  Attributes:
    difference: first minus second as the test sees it, positive = better.
    p: one-sided: the first is not better.
    p_two_sided: the two are exchangeable.
    permutations: how many were drawn.
    reason: why it is undefined; empty otherwise.
  """

  difference: float
  p: float
  p_two_sided: float
  permutations: int
  reason: str = ''


def paired(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  *,
  arm: str,
  references: Sequence[str | None],
  metric: str,
  permutations: int,
  seed: int = 0,
) -> Result:
  """Swaps the two arms' scores patient by patient.

  Under the null hypothesis that a patient's two scores are exchangeable every
  swap is equally likely; p = (1 + k) / (1 + N) for k of N swaps with at least
  the observed difference is then exact whatever the size of the sample. All
  studies of a patient swap together. Where only the order of scores counts
  (AUROC, AUPRC, C index) the scores of each model are replaced by their ranks
  first, as the scales of two arms need not be the same (Venkatraman and Begg,
  1996, Biometrika 83, 835-848; Bandos et al., 2005, Statistics in Medicine 24,
  2873-2893). The statistic is the one of every table: the mean over folds of
  the mean over seeds.

  The null says more than 'equal AUROC': two arms with equal areas but
  differently spread scores are not exchangeable.

  Args:
    task: what is predicted.
    folds: g folds.
    arm: the first arm.
    references: (g,) the second arm of each fold; None leaves the fold out.
    metric: name of the metric.
    permutations: number N of random swaps.
    seed: of the swaps.
  """
  if _base(metric) not in (*_BY_ORDER, *_BY_VALUE):
    reason = f'{metric} depends on more than the scores that are swapped'
    return _undefined(permutations, reason)
  patients = np.unique(np.concatenate([f.patient for f in folds]))
  rng = np.random.default_rng([seed, 1])
  swaps = rng.integers(2, size=(len(patients), permutations), dtype=bool)
  # The first column is the observed data.
  swaps = np.concatenate([np.zeros((len(patients), 1), bool), swaps], axis=1)
  sign = 1 if metrics.higher_is_better(metric) else -1
  found = []
  for fold, reference in zip(folds, references, strict=True):
    if reference is None or arm not in fold.scores:
      continue
    pairs = [fold.scores[arm], fold.scores.get(reference, {})]
    if len(pairs[0]) != len(pairs[1]):
      return _undefined(permutations, 'the arms differ in their seeds')
    places = np.searchsorted(patients, fold.patient)
    of_seeds = []
    for first, second in zip(*(p.values() for p in pairs), strict=True):
      if _base(metric) in _BY_ORDER:
        first, second = _ranks(first), _ranks(second)
      of_seeds.append(
        _differences(task, fold, first, second, metric, swaps[places])
      )
    found.append(metrics.mean(of_seeds))
  if not found:
    return _undefined(permutations, 'no fold has both arms')
  values = sign * metrics.mean(found)
  if math.isnan(values[0]):
    return _undefined(permutations, f'{metric} is undefined in every fold')
  # Equal values must count as equal however they were summed.
  slack = 1e-12 * max(1.0, abs(values[0]))
  drawn = values[1:]
  more = int((drawn >= values[0] - slack).sum())
  further = int((np.abs(drawn) >= abs(values[0]) - slack).sum())
  return Result(
    float(values[0]),
    (1 + more) / (1 + permutations),
    (1 + further) / (1 + permutations),
    permutations,
  )


def _undefined(permutations, reason) -> Result:
  return Result(math.nan, math.nan, math.nan, permutations, reason)


def _base(metric: str) -> str:
  return metric.partition('/')[0].removesuffix('_macro')


def _ranks(scores: np.ndarray) -> np.ndarray:
  """(n, s) ranks of each column, between 0 and 1."""
  return delong.midranks(scores.T).T / (len(scores) + 1)


def _differences(task, fold, first, second, metric, swaps) -> np.ndarray:
  """(r,) first minus second, a swapped study having the other's score.

  Both arms' scores lie below each other and weights say which of the two a
  study has, so that they are sorted once for all swaps.
  """
  labels = np.concatenate([fold.labels] * 2)
  scores = np.concatenate([first, second])
  weight = fold.weight[:, None]
  kernel = metrics.prepare(task, labels, scores, [metric])
  found = np.empty(swaps.shape[1])
  width = max(16, _BLOCK_BYTES // (16 * max(1, len(swaps))))
  for lo in range(0, len(found), width):
    block = slice(lo, min(lo + width, len(found)))
    kept, swapped = weight * ~swaps[:, block], weight * swaps[:, block]
    found[block] = (
      kernel(np.concatenate([kept, swapped]))[0]
      - kernel(np.concatenate([swapped, kept]))[0]
    )
  return found
