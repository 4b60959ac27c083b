"""Selective prediction: the risk if the least certain are left to others."""

import numpy as np

from fusion_jax.evaluation import ranking

COVERAGE = np.arange(1, 101) / 100

# Probabilities p and 1 - p are equally certain, up to rounding.
_DIGITS = 12


def certainty(scores: np.ndarray) -> np.ndarray:
  """Largest class probability (softmax response), (n,).

  Args:
    scores: (n,) probabilities of a binary label, or (n, k) of classes.
  """
  scores = np.asarray(scores, np.float64)
  top = (
    scores.max(axis=1) if scores.ndim > 1 else np.maximum(scores, 1 - scores)
  )
  return np.round(top, _DIGITS)


def mistaken(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
  """(n,) bool: whether the most probable class is not the label.

  A binary score of exactly .5 counts as positive.

  Args:
    labels: (n,) of 0 and 1, or class codes.
    scores: (n,) probabilities of a binary label, or (n, k) of classes.
  """
  called = scores.argmax(axis=1) if scores.ndim > 1 else scores >= 0.5
  return called != labels


def risk_coverage(
  loss: np.ndarray, certain: np.ndarray, coverage: np.ndarray = COVERAGE
) -> ranking.Kernel:
  """Mean loss of the most certain share (Geifman and El-Yaniv, 2017).

  Equally certain studies are taken in together: where the share ends among
  them their mean loss fills it up. At coverage 1 it is the overall risk; with
  constant certainty it is that everywhere.

  Args:
    loss: (n,) of each study, 0 or 1 for mistakes.
    certain: (n,) higher = more certain.
    coverage: (t,) shares, above 0 and up to 1.

  Returns:
    A function from (n, r) weights to (t, r) risks, NaN without weight.
  """
  sums = _cumulative(loss, certain)
  coverage = np.asarray(coverage, np.float64)[:, None]

  def kernel(weights):
    mass, lost = sums(weights)
    target = coverage * mass[-1]
    columns = np.arange(weights.shape[1])
    above = ranking.first_at_least(mass, target * (1 - 1e-12))
    above = np.clip(above, 1, len(mass) - 1)
    start, end = mass[above - 1, columns], mass[above, columns]
    part = np.divide(
      target - start, end - start, out=np.ones_like(end), where=end > start
    )
    before = lost[above - 1, columns]
    found = before + part * (lost[above, columns] - before)
    return ranking.ratio(found, target)

  return kernel


def aurc(loss: np.ndarray, certain: np.ndarray) -> ranking.Kernel:
  """Area under the risk-coverage curve; lower is better.

  The integral of `risk_coverage` over coverages 0 to 1, in closed form
  between the levels of certainty. The usual mean over k = 1 ... n most
  certain studies is its sum of upper ends; that mean would change if every
  study were there twice, the integral does not.

  Args:
    loss: (n,) of each study.
    certain: (n,) higher = more certain.

  Returns:
    A function from (n, r) weights to (r,) areas, NaN without weight.
  """
  sums = _cumulative(loss, certain)

  def kernel(weights):
    mass, lost = sums(weights)
    start, end = mass[:-1], mass[1:]
    slope = np.divide(
      np.diff(lost, axis=0),
      end - start,
      out=np.zeros_like(end),
      where=end > start,
    )
    # Risk between start and end: slope + (lost - slope * start) / coverage.
    log = np.log(np.divide(end, start, out=np.ones_like(end), where=start > 0))
    area = slope * (end - start) + (lost[:-1] - slope * start) * log
    return ranking.ratio(area.sum(axis=0), mass[-1])

  return kernel


def _cumulative(loss, certain):
  """Weight and loss of the most certain, after each level of certainty."""
  _, group = np.unique(-np.asarray(certain), return_inverse=True)
  order = np.argsort(group, kind='stable')
  levels = np.arange(group.max(initial=-1) + 1)
  ends = np.searchsorted(group[order], levels, side='right')
  ends = np.concatenate([[0], ends])
  loss = np.asarray(loss, np.float64)[order, None]

  def sums(weights):
    mine = weights[order]
    return ranking.cumulative(mine)[ends], ranking.cumulative(mine * loss)[ends]

  return sums
