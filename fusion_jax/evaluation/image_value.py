"""What acquiring the image is worth to those who decide, and for whom."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import (
  bands,
  decision,
  metrics,
  ranking,
  resampling,
  thresholds,
)
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import references as references_lib

# The name under which the reference of every fold stands among its arms.
_REFERENCE = '(without image)'
_THIRDS = ('lowest third', 'middle third', 'highest third')


def of(
  predictions: predictions_lib.Predictions,
  *,
  fusions: Sequence[str],
  singles: Sequence[str],
  config: config_lib.EvaluationConfig,
) -> dict[str, Any] | None:
  """The value of the image from a checked table of predictions.

  Args:
    predictions: rows of all arms; validation rows choose the reference.
    fusions: fusion arms; those without predictions are left out.
    singles: arms that see the EHR alone, in the order that breaks ties.
    config: of the evaluation; the draws are those of `summary.summarise`.

  Returns:
    See `image_value`.
  """
  task = predictions.task
  test = folds_lib.arrange(predictions, predictions_lib.TEST)
  valid = folds_lib.arrange(predictions, predictions_lib.VALID)
  choice = references_lib.choose(
    task,
    test,
    thresholds.attach(task, valid, valid),
    singles=singles,
    metric=config.metric or metrics.PRIMARY[task.kind],
  )
  return image_value(
    task,
    test,
    arms=[a for a in fusions if any(a in f.scores for f in test)],
    references=[c['arm'] for c in choice],
    resamples=resampling.draw_folds(test, config),
  )


def image_value(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  *,
  arms: Sequence[str],
  references: Sequence[str | None],
  resamples: resampling.Resamples,
) -> dict[str, Any] | None:
  """Net benefit of image and EHR over EHR alone.

  Net benefit is that of Vickers and Elkin (2006, Medical Decision Making 26,
  565-574); it presumes that scores are probabilities one would act on, and
  counts no cost of acquiring the image. `for_whom` divides each test part by
  the risk that the EHR gives, which is known before the image is made.

  Args:
    task: what is predicted; None is returned unless it is binary.
    folds: g test parts.
    arms: fusion arms; without any there is no value, and None is returned.
    references: (g,) the arm that sees the EHR alone and was best on each
      fold's validation part, or None.
    resamples: of the patients.

  Returns:
    {threshold, arms: {arm: {threshold, difference, low, high}}, for_whom:
    [{group, studies, events, arms: {arm: {changed, improved, net_benefit:
    entry}}}]}: `threshold` is the share of test studies with the event, at
    which `for_whom` is evaluated. `changed` is the share of a group's studies
    whose decision the image turns, `improved` how many of those rightly (mean
    over models); NaN with `improved_reason` if it turns none. `for_whom` is
    empty, with a `reason`, where there is no prevalence below 1 to decide at;
    a third without studies is left out. None if no fold has a reference.
  """
  if task.kind != types.BINARY or not arms:
    return None
  shared = [
    _with_reference(fold, reference)
    for fold, reference in zip(folds, references, strict=True)
    if reference is not None and reference in fold.scores
  ]
  if not shared:
    return None
  labels = np.concatenate([f.labels[:, 0] for f in shared])
  weight = np.concatenate([f.weight for f in shared])
  known = ~np.isnan(labels)
  threshold = float(
    ranking.ratio(weight[known] @ labels[known], weight[known].sum())
  )
  found = {
    'threshold': threshold,
    'arms': {
      arm: decision.difference(task, shared, arm, _REFERENCE, resamples)
      for arm in arms
    },
    'for_whom': [],
  }
  if not threshold < 1:
    why = 'every study has the event'
    if np.isnan(threshold):
      why = 'no study with weight has a known label'
    return {**found, 'reason': why}
  thirds = [_thirds(fold) for fold in shared]
  for k, name in enumerate(_THIRDS):
    part = [
      fold.take(third == k) for fold, third in zip(shared, thirds, strict=True)
    ]
    part = [fold for fold in part if len(fold.study)]
    if not part:
      continue
    sick = [fold.study[fold.labels[:, 0] == 1] for fold in part]
    found['for_whom'].append(
      {
        'group': f'{name} of the risk that the EHR gives',
        'studies': len(
          np.unique(np.concatenate([fold.study for fold in part]))
        ),
        'events': len(np.unique(np.concatenate(sick))),
        'arms': {
          arm: _of_group(task, part, arm, threshold, resamples) for arm in arms
        },
      }
    )
  return found


def _with_reference(fold, reference):
  scores = {**fold.scores, _REFERENCE: fold.scores[reference]}
  return dataclasses.replace(fold, scores=scores)


def _thirds(fold) -> np.ndarray:
  """(n,) 0, 1 or 2 by the reference's mean score; ties by study id."""
  risk = np.mean([*fold.scores[_REFERENCE].values()], axis=0)[:, 0]
  rank = np.empty(len(risk), int)
  rank[np.argsort(risk, kind='stable')] = np.arange(len(risk))
  return rank * len(_THIRDS) // len(risk)


def _of_group(task, folds, arm, threshold, resamples) -> dict[str, Any]:
  folds = [f for f in folds if arm in f.scores and not np.isnan(f.labels).all()]
  if not folds:
    nothing = {'estimate': np.nan, 'low': np.nan, 'high': np.nan}
    reason = 'no model was evaluated on a known label'
    return {
      'changed': np.nan,
      'improved': np.nan,
      'net_benefit': {**nothing, 'reason': reason},
      'reason': reason,
    }
  at = np.array([threshold])

  def values(name):
    def kernels(fold):
      return bands.kernels(
        task,
        fold,
        name,
        lambda y, s: decision.net_benefit(y > 0, s, at),
      )

    return bands.means(folds, kernels, resamples)

  difference = values(arm) - values(_REFERENCE)
  low, high = bands.bounds(difference)
  entry = {
    'estimate': difference[0, 0],
    'low': low[0],
    'high': high[0],
  }
  if np.isnan(low[0]):
    entry['reason'] = 'too few resamples are defined'
  changed, right, total = 0.0, 0.0, 0.0
  for fold in folds:
    before = [s[:, 0] >= threshold for s in fold.scores[_REFERENCE].values()]
    before = np.mean(before, axis=0) >= 0.5
    y, w = fold.labels[:, 0], fold.weight
    known = ~np.isnan(y)
    for scores in fold.scores[arm].values():
      turned = ((scores[:, 0] >= threshold) != before) & known
      changed += w[turned].sum()
      right += w[turned & (before != (y == 1))].sum()
      total += w[known].sum()
  found = {
    'changed': changed / total if total else np.nan,
    'improved': right / changed if changed else np.nan,
    'net_benefit': entry,
  }
  if not total:
    found['changed_reason'] = 'no study with a known label'
  if not changed:
    found['improved_reason'] = 'no decision changes'
  return found
