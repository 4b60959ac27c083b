"""What the report draws beside curves, of the arms that its answer is about."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import types
from fusion_jax.evaluation import (
  classes,
  distributions,
  reclassification,
  resampling,
  residuals,
  risk_groups,
  thresholds,
)
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib

KEY = 'pictures'


def chosen(summary: Mapping[str, Any]) -> list[str]:
  """The arm of the gain and the best single modality; two others if none."""
  gain = summary['gain'] or {}
  arms = [gain.get('arm'), summary['best_single']['arm']]
  kept = list(dict.fromkeys(a for a in arms if a is not None))
  return kept or list(summary['arms'])[:2]


def beside(
  curves: Mapping[str, Any],
  predictions: predictions_lib.Predictions,
  *,
  summary: Mapping[str, Any],
  config: config_lib.EvaluationConfig,
) -> dict[str, Any]:
  """Curves with the key KEY added; an arm of that name keeps its curves.

  Args:
    curves: what `curves.of` returned.
    predictions: the checked table that curves and summary are of.
    summary: says which arms, and by which factor bounds are wider.
    config: of the evaluation; the draws are those of the summary.
  """
  task = predictions.task
  test = folds_lib.arrange(predictions)
  valid = folds_lib.arrange(predictions, predictions_lib.VALID)
  drawn = of(
    task,
    thresholds.attach(task, test, valid),
    valid,
    arms=chosen(summary),
    reclassified=_pair(summary),
    resamples=resampling.draw_folds(test, config),
    factor=summary['evaluation']['factor']['value'],
  )
  return {KEY: drawn, **curves}


def of(
  task: types.Task,
  test: Sequence[folds_lib.Fold],
  valid: Sequence[folds_lib.Fold],
  *,
  arms: Sequence[str],
  reclassified: tuple[str, str] | None,
  resamples: resampling.Resamples,
  factor: float = 1.0,
) -> dict[str, Any]:
  """All that is drawn, JSON-ready.

  Args:
    task: what is predicted.
    test: test parts, with thresholds.
    valid: validation parts.
    arms: whose pictures.
    reclassified: an arm and the single modality it is compared with.
    resamples: of the patients of the test parts.
    factor: of the bounds, see `dependence`; curves have bands without it.

  Returns:
    `arms`, their names, and what the task has: by arm `confusion`
    (multiclass), `scores` (binary, multilabel), `risk_groups` and
    `auroc_over_time` (survival), `residuals` (regression); and
    `reclassification` (binary). The modules of these names say what they hold.
  """
  drawn: dict[str, Any] = {'arms': list(arms)}
  by_arm = {
    'confusion': lambda a: classes.confusion(
      task, test, a, resamples, factor=factor
    ),
    'scores': lambda a: distributions.histograms(task, test, a),
    'risk_groups': lambda a: risk_groups.survival(
      task, test, valid, a, resamples
    ),
    'auroc_over_time': lambda a: risk_groups.auroc_over_time(
      task, test, a, resamples
    ),
    'residuals': lambda a: residuals.points(task, test, a),
  }
  for name, build in by_arm.items():
    values = {arm: x for arm in arms if (x := build(arm)) is not None}
    if values:
      drawn[name] = values
  if reclassified is not None:
    moved = reclassification.against(
      task, test, *reclassified, resamples, factor=factor
    )
    if moved is not None:
      drawn['reclassification'] = moved
  return drawn


def _pair(summary) -> tuple[str, str] | None:
  gain = summary['gain']
  if gain is None:
    return None
  return gain['arm'], summary['best_single']['arm'] or gain['single']
