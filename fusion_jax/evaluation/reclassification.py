"""Whom one arm calls otherwise than another, and whether rightly.

Net reclassification is that of Pencina et al. (2008, Statistics in Medicine
27, 157-172) with two categories. It is no measure of a model's value: it can
be positive for a useless marker in a miscalibrated model (Kerr et al., 2014,
Epidemiology 25, 114-121; Hilden and Gerds, 2014, Statistics in Medicine 33,
3405-3414). Counts come first here and no verdict rests on it.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import pooling, ranking, resampling, thresholds

_OUTCOMES = ('no_event', 'event')
_MOVES = ('up', 'down', 'called_by_both', 'called_by_neither')


def against(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  arm: str,
  single: str,
  resamples: resampling.Resamples,
  *,
  factor: float = 1.0,
) -> dict[str, Any] | None:
  """Reclassification of studies by an arm against a single modality.

  Each model calls at its own threshold, which validation chose by Youden's
  index. A study that several pairs of models tested counts once, for the mean
  over every pair of a fold and over folds.

  Args:
    task: a binary task; None is returned for others.
    folds: test parts with thresholds (`thresholds.attach`).
    arm: the arm that may change a call.
    single: the arm whose calls may be changed.
    resamples: of the patients.
    factor: of the bounds, see `dependence`.

  Returns:
    {arm, single, counts: {event, no_event: {studies, up, down,
    called_by_both, called_by_neither}}, net: {event, no_event, total: entry},
    fallback: [reasons why a model calls at .5]}. `up` is called by the arm
    alone. Net of events is (up - down) / studies, of others (down - up) /
    studies, the total their sum. None if no fold has both arms.
  """
  pooled = pooling.pool(folds, (arm, single))
  if task.kind != types.BINARY or arm == single or not pooled:
    return None
  reasons: dict[str, None] = {}

  def called(fold, name):
    """(n,) the share of models that call each study."""
    shares = []
    for seed, scores in fold.scores[name].items():
      points = fold.thresholds[name][seed]
      reason = points.reasons[thresholds.YOUDEN][0]
      if reason:
        reasons.setdefault(f"'{name}': {reason}")
      shares.append(scores[:, 0] >= points.values[thresholds.YOUDEN][0])
    return np.mean(shares, axis=0)

  def terms(fold):
    y = fold.labels[:, 0]
    new, old = called(fold, arm), called(fold, single)
    moves = np.stack(
      [new * (1 - old), (1 - new) * old, new * old, (1 - new) * (1 - old)]
    )
    return np.stack([moves * (y == 0), moves * (y == 1)])

  values = pooling.sums(
    pooled, terms, resamples, replicates=resamples.counts.shape[1]
  )
  up, down = values[:, 0], values[:, 1]
  studies = values.sum(axis=1)
  net = ranking.ratio(up - down, studies) * np.array([[-1.0], [1.0]])
  why = ('all tested studies have the event', 'no tested study has the event')
  return {
    'arm': arm,
    'single': single,
    'counts': {
      outcome: {
        'studies': pooling.number(studies[i, 0]),
        **{
          move: pooling.number(values[i, j, 0]) for j, move in enumerate(_MOVES)
        },
      }
      for i, outcome in enumerate(_OUTCOMES)
    },
    'net': {
      **{
        outcome: pooling.entry(net[i], factor=factor, reason=why[i])
        for i, outcome in enumerate(_OUTCOMES)
      },
      'total': pooling.entry(
        net.sum(axis=0),
        factor=factor,
        reason='all tested studies have the same outcome',
      ),
    },
    'fallback': list(reasons),
  }
