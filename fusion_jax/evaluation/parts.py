"""What single metrics are made of: kernels, and sums that are shared."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import (
  calibration,
  confusion,
  folds,
  horizons,
  ranking,
  reliability,
  survival,
  thresholds,
)

# Calls at a threshold that keeps something else at .9: its rule and metric.
FIXED = {
  'sensitivity_at_specificity_90': (
    thresholds.SPECIFICITY_90,
    'sensitivity',
  ),
  'specificity_at_sensitivity_90': (
    thresholds.SENSITIVITY_90,
    'specificity',
  ),
}

TARGETS = ('calibration_slope', 'calibration_intercept')
_RANKING = {'auroc': ranking.auroc, 'auprc': ranking.average_precision}


@dataclasses.dataclass(frozen=True)
class Sums:
  """A metric that is a function of weighted sums.

  Attributes:
    key: what the terms are; metrics of one key share them.
    terms: returns (k, n) terms, 0 where a study counts for nothing.
    finish: from k arrays (r,) of sums to (r,) values.
  """

  key: tuple[str, ...]
  terms: Callable[[], np.ndarray]
  finish: Callable[..., np.ndarray]


@dataclasses.dataclass(frozen=True)
class Model:
  """All that is known of one model on one part."""

  task: types.Task
  labels: np.ndarray
  scores: np.ndarray
  weight: np.ndarray | None
  points: folds.OperatingPoints | None
  survival_at: np.ndarray | None
  horizons: tuple[str, ...]


def base_of(name: str) -> str:
  """The name without its label or horizon."""
  return name.partition('/')[0].partition('@')[0]


def parts_of(
  task: types.Task, name: str, horizons: Sequence[str] = ()
) -> list[str]:
  """The metrics another one is made of, or the metric itself."""
  if name.endswith('_macro'):
    return [f'{name.removesuffix("_macro")}/{x}' for x in task.names]
  if name == 'balanced_accuracy' and task.kind == types.MULTICLASS:
    return [f'sensitivity/{x}' for x in task.names]
  if name == 'integrated_brier':
    return [f'brier@{t}' for t in horizons]
  return [name]


def column(model: Model, name: str) -> tuple[np.ndarray, np.ndarray]:
  """Labels and scores of a one-vs-rest or per-label metric, both (n,)."""
  part = name.partition('/')[2]
  if not part:
    return model.labels[:, 0], model.scores[:, 0]
  i = model.task.names.index(part)
  if model.task.kind == types.MULTILABEL:
    return model.labels[:, i], model.scores[:, i]
  codes = model.labels[:, 0]
  return np.where(np.isnan(codes), np.nan, codes == i), model.scores[:, i]


def prepare(model: Model, name: str) -> ranking.Kernel | Sums:
  """A metric that is not made of others, as a kernel or as sums."""
  base = base_of(name)
  if model.task.kind == types.SURVIVAL:
    return _survival_metric(model, name)
  if base.endswith('_micro') and base != 'f1_micro':
    return _micro(model, _RANKING[base.removesuffix('_micro')])
  if base in _RANKING or base in (*TARGETS, 'ece'):
    y, s = column(model, name)
    rows = np.flatnonzero(~np.isnan(y))
    build = {
      **_RANKING,
      'calibration_slope': calibration.slope,
      'calibration_intercept': calibration.intercept,
      'ece': reliability.ece,
    }[base]
    extra = {}
    if base in TARGETS and model.weight is not None:
      extra['weight'] = model.weight[rows]
    return on_rows(rows, len(y), lambda: build(y[rows] > 0, s[rows], **extra))
  if model.task.kind == types.REGRESSION:
    return _regression_metric(base, model.labels[:, 0], model.scores[:, 0])
  if base in ('brier', 'log_loss'):
    return _loss(model, base)
  return _calls(model, name)


def known_rows(task: types.Task, labels: np.ndarray) -> np.ndarray:
  """(n,) whether the label is known; multilabel: any of them."""
  known = ~np.isnan(labels)
  many = task.kind == types.MULTILABEL
  return known.any(axis=1) if many else known.all(axis=1)


def on_rows(
  rows: np.ndarray, n: int, build: Callable[[], ranking.Kernel]
) -> ranking.Kernel:
  """What `build` prepares from `rows`, as a function of all n weights."""
  if not len(rows):
    return lambda weights: np.full(weights.shape[1], np.nan)
  function = build()
  if len(rows) == n and (rows == np.arange(n)).all():
    return function
  return lambda weights: function(weights[rows])


def one_hot(model: Model) -> np.ndarray:
  """(n, k) labels of 0 and 1, NaN where unknown."""
  if model.task.kind != types.MULTICLASS:
    return model.labels
  codes = model.labels
  hits = codes == np.arange(model.task.num_outputs)
  return np.where(np.isnan(codes), np.nan, hits)


def _micro(model, build) -> ranking.Kernel:
  """A ranking of all pairs of study and label at once."""
  labels = one_hot(model)
  known = ~np.isnan(labels)
  y, s = labels[known] > 0, model.scores[known]
  return on_rows(np.nonzero(known)[0], -1, lambda: build(y, s))


def _loss(model, base) -> Sums:
  s = model.scores
  eps = np.finfo(np.float64).eps

  def terms():
    y = one_hot(model)
    known = ~np.isnan(y)
    truth = known & (np.where(known, y, 0) > 0)
    if model.task.kind == types.MULTICLASS:
      known = known.all(axis=1, keepdims=True)
      count = known[:, 0].astype(np.float64)
      loss = (
        (s - truth) ** 2
        if base == 'brier'
        else np.where(truth, -np.log(np.clip(s, eps, 1)), 0)
      )
    else:
      count = known.sum(axis=1)
      p = np.clip(s, eps, 1 - eps)
      loss = (
        (s - truth) ** 2
        if base == 'brier'
        else -np.where(truth, np.log(p), np.log1p(-p))
      )
    return np.stack([np.where(known, loss, 0).sum(axis=1), count])

  return Sums((base,), terms, ranking.ratio)


def _calls(model, name) -> Sums:
  """A metric of who is called positive, at the model's thresholds."""
  base, _, part = name.partition('/')
  rule, metric = FIXED.get(base, (thresholds.YOUDEN, base))
  metric = metric.removesuffix('_micro')
  finish = confusion.METRICS[metric]
  if model.task.kind == types.MULTICLASS and not part:
    # The most probable class: right or wrong, there is no threshold.
    def right():
      codes = model.labels[:, 0]
      known = ~np.isnan(codes)
      hit = model.scores.argmax(axis=1) == codes
      return confusion.terms(hit, known, known)

    return Sums(('argmax',), right, finish)
  levels = _levels(model, rule)
  missing = np.isnan(levels)
  if part:
    missing = missing[[model.task.names.index(part)]]

  def terms():
    y = one_hot(model)
    if model.task.kind == types.MULTICLASS:
      called = model.scores.argmax(axis=1)[:, None] == np.arange(y.shape[1])
    else:
      called = model.scores >= levels
    known = ~np.isnan(y)
    if part:
      i = [model.task.names.index(part)]
      y, called, known = y[:, i], called[:, i], known[:, i]
    return confusion.terms(called, y > 0, known)

  def undefined(tp, *_):
    return np.full_like(tp, np.nan)

  return Sums(
    ('calls', rule, part), terms, undefined if missing.any() else finish
  )


def _levels(model, rule) -> np.ndarray:
  """(k,) thresholds of a rule."""
  if model.task.kind == types.MULTICLASS:
    return np.zeros(model.task.num_outputs)
  return operating_points(model).values[rule]


def operating_points(model: Model) -> folds.OperatingPoints:
  """The model's own, or those of a model that has none."""
  return model.points or thresholds.without(
    model.task, 'no threshold was chosen on validation'
  )


def _regression_metric(base, y, s) -> Sums:
  known = ~np.isnan(y)
  one = known.astype(np.float64)
  error = np.where(known, s - y, 0)
  # Centring first keeps the sum of squares from cancelling.
  centred = np.where(known, y - (y[known].mean() if known.any() else 0), 0)
  scale = (centred**2).sum() * 1e-12

  def r2(residual, total, square, weight):
    spread = square - ranking.ratio(total**2, weight)
    spread = np.where(spread > scale, spread, np.nan)
    return 1 - residual / spread

  terms, finish = {
    'mae': ([np.abs(error), one], ranking.ratio),
    'rmse': ([error**2, one], lambda e, w: np.sqrt(ranking.ratio(e, w))),
    'r2': ([error**2, centred, centred**2, one], r2),
  }[base]
  return Sums((base,), lambda: np.stack(terms), finish)


def _survival_metric(model, name) -> ranking.Kernel:
  base, _, horizon = name.partition('@')
  rows = known_rows(model.task, model.labels)
  risk = model.scores[:, 0]
  if base == 'brier':
    # Without a predicted survival there is no Brier score.
    predicted = model.survival_at
    risk = np.full(len(rows), np.nan)
    if predicted is not None:
      risk = predicted[:, model.horizons.index(horizon)]
    if np.isnan(risk[rows]).any():
      rows = np.zeros(len(rows), bool)
  rows = np.flatnonzero(rows)
  time, event, s = model.labels[rows, 0], model.labels[rows, 1] > 0, risk[rows]
  return on_rows(
    rows,
    len(risk),
    {
      'c_index': lambda: survival.c_index(time, event, s),
      'c_index_uno': lambda: survival.c_index_uno(time, event, s),
      'auroc': lambda: horizons.auroc(time, event, s, float(horizon)),
      'brier': lambda: horizons.brier(time, event, s, float(horizon)),
    }[base],
  )
