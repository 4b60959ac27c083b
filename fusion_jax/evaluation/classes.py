"""Which classes are taken for which, and how well each class is known."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import pooling, ranking, resampling


def confusion(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  arm: str,
  resamples: resampling.Resamples,
  *,
  factor: float = 1.0,
) -> dict[str, Any] | None:
  """The confusion matrix of an arm of k classes, pooled over all test parts.

  A study is called the class of its highest score. It counts once: where
  several models tested it (seeds, repeats), for the mean over them, so counts
  need not be whole. Sensitivity and PPV are those of the pooled counts, their
  bounds those of the patient bootstrap.

  Args:
    task: a multiclass task; None is returned for others.
    folds: test parts.
    arm: its name; None is returned if it has no model.
    resamples: of the patients.
    factor: of the bounds, see `dependence`.

  Returns:
    {classes, counts (k, k) by true then called class, shares (k, k) of the
    row or None in a row without studies, models, by_class: [{class, studies,
    sensitivity, ppv}]} with entries {estimate, low, high, reason?}.
  """
  pooled = pooling.pool(folds, (arm,))
  if task.kind != types.MULTICLASS or not pooled:
    return None
  k = task.num_outputs

  def terms(fold):
    codes = fold.labels[:, 0]
    rows = np.flatnonzero(~np.isnan(codes))
    true = codes[rows].astype(int)
    cells = np.zeros((k, k, len(codes)))
    models = fold.scores[arm].values()
    for scores in models:
      cells[true, scores[rows].argmax(axis=1), rows] += 1 / len(models)
    return cells

  values = pooling.sums(pooled, terms, resamples)
  hits = np.einsum('iir->ir', values)
  rows, columns = values.sum(axis=1), values.sum(axis=0)
  sensitivity, ppv = ranking.ratio(hits, rows), ranking.ratio(hits, columns)
  counts = values[..., 0]
  whole = np.broadcast_to(rows[:, :1], counts.shape)
  return {
    'classes': list(task.names),
    'counts': pooling.numbers(counts),
    'shares': pooling.numbers(ranking.ratio(counts, whole)),
    'models': sum(len(t.fold.scores[arm]) for t in pooled),
    'by_class': [
      {
        'class': name,
        'studies': pooling.number(rows[i, 0]),
        'sensitivity': pooling.entry(
          sensitivity[i],
          factor=factor,
          reason='no tested study is of the class',
        ),
        'ppv': pooling.entry(
          ppv[i], factor=factor, reason='no study is called the class'
        ),
      }
      for i, name in enumerate(task.names)
    ],
  }
