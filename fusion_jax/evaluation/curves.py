"""curves.json: the curves of the report, with pointwise bands."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import files, types
from fusion_jax.evaluation import (
  bands,
  censoring,
  decision,
  parts,
  ranking,
  reliability,
  resampling,
  roc,
  selective,
)
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib

TREAT_ALL = 'treat_all'


def of(
  predictions: predictions_lib.Predictions,
  *,
  config: config_lib.EvaluationConfig,
) -> dict[str, Any]:
  """The curves of a checked table of predictions, all arms of it.

  The draws are those of `summary.summarise`.
  """
  test = folds_lib.arrange(predictions)
  return curves(
    predictions.task,
    test,
    arms=list(dict.fromkeys(arm for fold in test for arm in fold.scores)),
    resamples=resampling.draw_folds(test, config),
  )


def curves(
  task: types.Task,
  test_folds: Sequence[folds_lib.Fold],
  *,
  arms: Sequence[str],
  resamples: resampling.Resamples,
) -> dict[str, Any]:
  """All curves of all arms, JSON-ready.

  Binary: roc, pr, calibration, decision and risk_coverage. Multiclass and
  multilabel: the same by class (one against the rest) or label, except that a
  multiclass task has one risk_coverage. Regression: calibration. Survival:
  calibration by horizon, where survival was predicted. docs/statistics.md
  says what they are.

  Args:
    task: what is predicted.
    test_folds: g folds.
    arms: names.
    resamples: r replicates over all patients in the folds.

  Returns:
    By arm and curve {x, y, low, high}, decision curves {threshold,
    net_benefit, low, high}; beside the arms `treat_all`, where there are
    decision curves. Undefined numbers are None, an undefined curve has a
    reason.
  """
  found: dict[str, Any] = {}
  for arm in arms:
    found[arm] = _of_arm(task, test_folds, arm, resamples)
  if task.kind not in (types.REGRESSION, types.SURVIVAL):
    found[TREAT_ALL] = {
      'decision': _by_label(
        task,
        lambda label: decision.treat_all_curve(
          task, test_folds, resamples, label
        ),
      )
    }
  return found


def write(curves: Mapping[str, Any], path: str | os.PathLike) -> None:
  """Writes curves as JSON; the file appears complete or not at all.

  Raises:
    UserError: if the file cannot be written.
    ValueError: for NaN or infinity, which JSON has no word for.
  """
  text = json.dumps(curves, allow_nan=False, ensure_ascii=False)
  with files.saving(path) as part:
    part.write_text(text + '\n', encoding='utf-8')


def _of_arm(task, folds, arm, resamples) -> dict[str, Any]:
  if task.kind == types.REGRESSION:
    return {
      'calibration': _calibration(
        folds,
        lambda fold: bands.kernels(task, fold, arm, reliability.curve),
        resamples,
      )
    }
  if task.kind == types.SURVIVAL:
    return _of_survival(folds, arm, resamples)

  def on_grid(build, grid):
    def of(label):
      def kernels(fold):
        return bands.kernels(
          task, fold, arm, lambda y, s: build(y > 0, s), label
        )

      return bands.band(bands.means(folds, kernels, resamples), grid)

    return _by_label(task, of)

  return {
    'roc': on_grid(roc.roc, roc.GRID),
    'pr': on_grid(roc.precision_recall, roc.GRID),
    'calibration': _by_label(
      task,
      lambda label: _calibration(
        folds,
        lambda fold: bands.kernels(task, fold, arm, reliability.curve, label),
        resamples,
      ),
    ),
    'decision': _by_label(
      task,
      lambda label: decision.curve(task, folds, arm, resamples, label),
    ),
    'risk_coverage': _selective(task, folds, arm, resamples),
  }


def _by_label(task, of) -> dict[str, Any]:
  if task.kind == types.BINARY:
    return of('')
  return {label: of(label) for label in task.names}


def _calibration(folds, kernels, resamples) -> dict[str, Any]:
  """Mean prediction (x) and mean outcome (y) in bins of equal weight."""
  values = bands.means(folds, kernels, resamples)
  x = None if values is None else values[0, :, 0]
  return bands.band(None if values is None else values[1], x)


def _selective(task, folds, arm, resamples) -> dict[str, Any]:
  if task.kind == types.MULTICLASS:

    def kernels(fold):
      rows = np.flatnonzero(parts.known_rows(task, fold.labels))
      y = fold.labels[rows, 0]
      return [
        _with_area(rows, len(fold.labels), y, scores[rows])
        for scores in fold.scores.get(arm, {}).values()
        if len(rows)
      ]

    return _risk(folds, kernels, resamples)

  def of(label):
    def kernels(fold):
      return bands.kernels(
        task,
        fold,
        arm,
        lambda y, s: _with_area(np.arange(len(y)), len(y), y, s),
        label,
      )

    return _risk(folds, kernels, resamples)

  return _by_label(task, of)


def _with_area(rows, n, y, s) -> ranking.Kernel:
  """Risks on the grid of coverages, and last of all their area."""
  loss = selective.mistaken(y, s)
  certain = selective.certainty(s)
  risk = selective.risk_coverage(loss, certain)
  area = selective.aurc(loss, certain)
  return parts.on_rows(
    rows, n, lambda: lambda w: np.concatenate([risk(w), area(w)[None]])
  )


def _risk(folds, kernels, resamples) -> dict[str, Any]:
  values = bands.means(folds, kernels, resamples)
  if values is None:
    return bands.band(None, selective.COVERAGE)
  found = bands.band(values[:-1], selective.COVERAGE)
  low, high = bands.bounds(values[-1:])
  area = bands.rounded(np.array([values[-1, 0], low[0], high[0]]))
  found['aurc'] = dict(zip(('estimate', 'low', 'high'), area, strict=True))
  return found


def _of_survival(folds, arm, resamples) -> dict[str, Any]:
  names = folds_lib.horizons(folds)
  if not names:
    return {}

  def at(i):
    def kernels(fold):
      known = ~np.isnan(fold.labels).any(axis=1)
      found = []
      for alive in fold.survival.get(arm, {}).values():
        rows = np.flatnonzero(known & ~np.isnan(alive[:, i]))
        if len(rows):
          build = _event_by(fold.labels[rows], 1 - alive[rows, i], names[i])
          found.append(parts.on_rows(rows, len(known), lambda b=build: b))
      return found

    return kernels

  return {
    'calibration': {
      name: _calibration(folds, at(i), resamples)
      for i, name in enumerate(names)
    }
  }


def _event_by(labels, predicted, horizon) -> ranking.Kernel:
  """Predicted and observed probability of the event by bin of prediction.

  Observed is the mean of event up to t / G(its time): who is censored before
  counts 0, who had the event stands for those as well.
  """
  time, event = labels[:, 0], labels[:, 1] > 0
  case = (event & (time <= float(horizon)))[:, None]
  times, curve = censoring.survival(time, event)
  own = censoring.place(times, time)

  def kernel(weights):
    outcome = censoring.inverse(curve(weights)[own], case & (weights > 0))
    return reliability.curve(outcome, predicted)(weights)

  return kernel
