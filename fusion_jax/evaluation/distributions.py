"""How scores are distributed, by outcome."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import bands, pooling
from fusion_jax.evaluation import folds as folds_lib

BINS = 20
# Of labels, in the order of the task, as many are counted.
MOST_LABELS = 6


def histograms(
  task: types.Task, folds: Sequence[folds_lib.Fold], arm: str
) -> dict[str, Any] | None:
  """Counts of studies in bins of equal width of predicted probability.

  Args:
    task: binary, or multilabel, of which the first labels; None for others.
    folds: test parts.
    arm: its name; None is returned if it has no model.

  Returns:
    By label ('' for a binary task) {edges (b + 1,), event (b,), no_event
    (b,)}. A study that several models tested counts once, for the mean over
    them; counts sum to the studies whose label is known. Every bin but the
    last is without its upper edge.
  """
  pooled = pooling.pool(folds, (arm,))
  labels = {
    types.BINARY: ('',),
    types.MULTILABEL: task.names[:MOST_LABELS],
  }.get(task.kind, ())
  if not labels or not pooled:
    return None
  return {label: _of_label(task, pooled, arm, label) for label in labels}


def _of_label(task, pooled, arm, label) -> dict[str, Any]:
  def terms(fold):
    models = fold.scores[arm].values()
    cells = np.zeros((2, BINS, len(fold.study)))
    for scores in models:
      y, s = bands.column(task, fold, scores, label)
      rows = np.flatnonzero(~np.isnan(y))
      place = np.clip((s[rows] * BINS).astype(int), 0, BINS - 1)
      cells[y[rows].astype(int), place, rows] += 1 / len(models)
    return cells

  no_event, event = pooling.sums(pooled, terms)[..., 0]
  return {
    'edges': pooling.numbers(np.linspace(0, 1, BINS + 1)),
    'event': pooling.numbers(event),
    'no_event': pooling.numbers(no_event),
  }
