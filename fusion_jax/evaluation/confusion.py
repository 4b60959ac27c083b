"""Metrics of calls: accuracy, sensitivity, predictive values, F1.

Each is a function of four weighted sums: true positives, false negatives,
false positives and true negatives.
"""

from collections.abc import Callable

import numpy as np

from fusion_jax.evaluation import ranking


def terms(
  called: np.ndarray, truth: np.ndarray, known: np.ndarray
) -> np.ndarray:
  """(4, n) TP, FN, FP and TN of each study, summed over l labels if given.

  Args:
    called: (n,) or (n, l) bool.
    truth: the same of the labels.
    known: the same of whether the label is known.
  """
  found = np.stack(
    [
      known & truth & called,
      known & truth & ~called,
      known & ~truth & called,
      known & ~truth & ~called,
    ]
  ).astype(np.float64)
  return found if found.ndim == 2 else found.sum(axis=2)


def accuracy(tp, fn, fp, tn):
  """Share of the calls that are right."""
  return ranking.ratio(tp + tn, tp + fn + fp + tn)


def sensitivity(tp, fn, fp, tn):
  """Share of the positives that are called; NaN without positives."""
  return ranking.ratio(tp, tp + fn)


def specificity(tp, fn, fp, tn):
  """Share of the negatives that are not called; NaN without negatives."""
  return ranking.ratio(tn, tn + fp)


def balanced_accuracy(tp, fn, fp, tn):
  """Mean of sensitivity and specificity; NaN where one of them is."""
  return (sensitivity(tp, fn, fp, tn) + specificity(tp, fn, fp, tn)) / 2


def ppv(tp, fn, fp, tn):
  """Share of the called that are positive; NaN where nothing is called."""
  return ranking.ratio(tp, tp + fp)


def npv(tp, fn, fp, tn):
  """Share of the not called that are negative; NaN where all are called."""
  return ranking.ratio(tn, tn + fn)


def f1(tp, fn, fp, tn):
  """2 TP / (2 TP + FN + FP); NaN without positives, 0 if none is found."""
  return ranking.ratio(2 * tp, np.where(tp + fn > 0, 2 * tp + fn + fp, 0))


METRICS: dict[str, Callable[..., np.ndarray]] = {
  'accuracy': accuracy,
  'balanced_accuracy': balanced_accuracy,
  'sensitivity': sensitivity,
  'specificity': specificity,
  'ppv': ppv,
  'npv': npv,
  'f1': f1,
}
