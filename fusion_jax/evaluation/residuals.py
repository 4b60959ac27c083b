"""What was predicted beside what was observed, study by study."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import bands, pooling
from fusion_jax.evaluation import folds as folds_lib

MOST = 2000


def points(
  task: types.Task, folds: Sequence[folds_lib.Fold], arm: str
) -> dict[str, Any] | None:
  """Predicted and observed values of an arm's test studies, without names.

  Args:
    task: a regression task; None is returned for others.
    folds: test parts.
    arm: its name; None is returned if it has no model.

  Returns:
    {predicted, observed, residual, studies}: in the label's unit, six digits,
    rising by predicted; residual is observed minus predicted. A study that
    several models tested has their mean prediction. Of more than MOST studies
    every so many-th by predicted value is kept, the first and the last among
    them; `studies` is how many there are.
  """
  pooled = pooling.pool(folds, (arm,))
  if task.kind != types.REGRESSION or not pooled:
    return None
  study = np.concatenate([t.fold.study for t in pooled])
  share = np.concatenate([t.share for t in pooled])
  observed = np.concatenate([t.fold.labels[:, 0] for t in pooled])
  each = np.concatenate(
    [
      np.mean([s[:, 0] for s in t.fold.scores[arm].values()], axis=0)
      for t in pooled
    ]
  )
  _, first, place = np.unique(study, return_index=True, return_inverse=True)
  predicted, observed = np.bincount(place, each * share), observed[first]
  known = ~np.isnan(observed)
  predicted, observed = predicted[known], observed[known]
  order = np.lexsort((observed, predicted))
  kept = order
  if len(order) > MOST:
    kept = order[np.linspace(0, len(order) - 1, MOST).round().astype(int)]
  predicted, observed = predicted[kept], observed[kept]
  return {
    'predicted': bands.significant(predicted).tolist(),
    'observed': bands.significant(observed).tolist(),
    'residual': bands.significant(observed - predicted).tolist(),
    'studies': len(order),
  }
