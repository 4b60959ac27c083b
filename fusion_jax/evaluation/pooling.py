"""Sums over studies, each of which counts once however often it was tested."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fusion_jax.evaluation import bands, resampling
from fusion_jax.evaluation import folds as folds_lib

_BLOCK_BYTES = 2**24
_DIGITS = 5


@dataclasses.dataclass(frozen=True)
class Tested:
  """A fold, and for how much each of its studies counts there.

  Attributes:
    fold: n studies.
    share: (n,) 1 / the number of folds that test the study.
  """

  fold: folds_lib.Fold
  share: np.ndarray


def pool(
  folds: Sequence[folds_lib.Fold], arms: Sequence[str]
) -> tuple[Tested, ...]:
  """The folds in which all the arms have models.

  A study that is tested in several folds or repeats counts for its mean over
  them, so that shares sum to the number of distinct studies.
  """
  kept = [f for f in folds if all(f.scores.get(a) for a in arms)]
  if not kept:
    return ()
  _, place = np.unique(
    np.concatenate([f.study for f in kept]), return_inverse=True
  )
  share = 1 / np.bincount(place)[place]
  ends = np.cumsum([len(f.study) for f in kept])[:-1]
  return tuple(
    Tested(fold, part)
    for fold, part in zip(kept, np.split(share, ends), strict=True)
  )


def sums(
  pooled: Sequence[Tested],
  terms: Callable[[folds_lib.Fold], np.ndarray],
  resamples: resampling.Resamples | None = None,
  replicates: int = bands.MOST_REPLICATES,
) -> np.ndarray:
  """Sums of per-study terms over all studies, by replicate.

  Studies count as studies: their weights take no part.

  Args:
    pooled: from `pool`, at least one.
    terms: from a fold to (..., n) numbers, mean over its models.
    resamples: of the patients; None for the estimate alone.
    replicates: the most that are used, the first ones.

  Returns:
    (..., 1 + r) the sum, then the replicates.
  """
  total = 0.0
  for tested in pooled:
    own = np.asarray(terms(tested.fold), np.float64) * tested.share
    flat = own.reshape(-1, own.shape[-1])
    parts = [flat.sum(axis=1, keepdims=True)]
    if resamples is not None:
      places = resamples.rows(tested.fold.patient)
      counts = resamples.counts[:, :replicates]
      width = max(16, _BLOCK_BYTES // (8 * max(1, len(places))))
      for lo in range(0, counts.shape[1], width):
        drawn = counts[places, lo : lo + width].astype(np.float64)
        parts.append(flat @ drawn)
    values = np.concatenate(parts, axis=1)
    total = total + values.reshape(*own.shape[:-1], values.shape[1])
  return total


def entry(
  values: np.ndarray, *, factor: float = 1.0, reason: str = ''
) -> dict[str, Any]:
  """{estimate, low, high} of (1 + r,) values, JSON-ready.

  Bounds are the 2.5% and 97.5% percentile of the replicates, `factor` times
  as far from the estimate; None where fewer than half of them are defined.

  Args:
    values: the estimate, then the replicates.
    factor: see `dependence`.
    reason: why the estimate may be undefined; kept only if it is.
  """
  low, high = bands.bounds(values[None])
  estimate = values[0]
  shown = {
    'estimate': number(estimate),
    'low': number(estimate + factor * (low[0] - estimate)),
    'high': number(estimate + factor * (high[0] - estimate)),
  }
  if shown['estimate'] is None:
    shown['reason'] = reason
  elif shown['low'] is None:
    shown['reason'] = 'undefined in most bootstrap replicates'
  return shown


def number(value: float) -> float | None:
  """A plain number of a few digits, None where undefined."""
  return None if np.isnan(value) else round(float(value), _DIGITS) + 0.0


def numbers(values: np.ndarray) -> Any:
  """Lists, as deep as the array is, of `number`."""
  if np.ndim(values) == 0:
    return number(values)
  return [numbers(x) for x in values]
