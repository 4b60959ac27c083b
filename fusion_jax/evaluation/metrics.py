"""Metrics by name, for one weighting or for many at once.

Every metric is prepared once for a set of labels and scores and then computed
for (n, r) weights; an estimate is the case r = 1, so that a replicate can
never follow another definition. Undefined is NaN, never 0.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fusion_jax.core import errors, types
from fusion_jax.evaluation import confusion, folds, ranking, reasons
from fusion_jax.evaluation import horizons as horizons_lib
from fusion_jax.evaluation import parts as parts_lib

PRIMARY = {
  types.BINARY: 'auroc',
  types.MULTICLASS: 'auroc_macro',
  types.MULTILABEL: 'auroc_macro',
  types.REGRESSION: 'r2',
  types.SURVIVAL: 'c_index',
}

_NAMES = {
  types.BINARY: (
    'auroc',
    'auprc',
    'brier',
    'log_loss',
    *confusion.METRICS,
    *parts_lib.FIXED,
    'calibration_slope',
    'calibration_intercept',
    'ece',
  ),
  types.MULTICLASS: (
    'auroc_macro',
    'auroc_micro',
    'auprc_macro',
    'accuracy',
    'balanced_accuracy',
    'f1_macro',
    'brier',
    'log_loss',
  ),
  types.MULTILABEL: (
    'auroc_macro',
    'auroc_micro',
    'auprc_macro',
    'auprc_micro',
    'accuracy',
    'sensitivity_macro',
    'specificity_macro',
    'f1_macro',
    'f1_micro',
    'brier',
    'log_loss',
  ),
  types.REGRESSION: ('r2', 'rmse', 'mae'),
  types.SURVIVAL: ('c_index', 'c_index_uno'),
}
_BY_LABEL = ('auroc', 'auprc', 'f1')

# Nothing is compared by these: neither higher nor lower is better, the scores
# decide whether they are defined, or resamples are too high on average.
_NOT_COMPARED = (*parts_lib.TARGETS, 'ppv', 'npv', 'ece')
_LOWER = ('brier', 'log_loss', 'rmse', 'mae', 'ece', 'integrated_brier')


@dataclasses.dataclass(frozen=True)
class Value:
  """An estimate; NaN, with the reason, where it is undefined.

  Attributes:
    estimate: the value or NaN.
    reason: why it is undefined, or what a macro mean had to leave out; empty
      otherwise.
  """

  estimate: float
  reason: str = ''


def names(task: types.Task, horizons: Sequence[str] = ()) -> tuple[str, ...]:
  """Names of all metrics of the task, the primary one first.

  Args:
    task: what is predicted.
    horizons: for a survival task, the times for which survival is predicted
      (`folds.horizons`).
  """
  found = _NAMES[task.kind]
  if task.kind in (types.MULTICLASS, types.MULTILABEL):
    found += tuple(f'{m}/{x}' for m in _BY_LABEL for x in task.names)
  if task.kind == types.SURVIVAL and horizons:
    found += tuple(f'{m}@{t}' for m in ('auroc', 'brier') for t in horizons)
    found += ('integrated_brier',) if len(horizons) > 1 else ()
  return found


def comparable(
  task: types.Task, horizons: Sequence[str] = ()
) -> tuple[str, ...]:
  """Names of the metrics arms can be compared by."""
  return tuple(n for n in names(task, horizons) if n not in _NOT_COMPARED)


def higher_is_better(name: str) -> bool:
  """Whether more of the metric is better."""
  return parts_lib.base_of(name) not in _LOWER


def prepare(
  task: types.Task,
  labels: np.ndarray,
  scores: np.ndarray,
  wanted: Sequence[str],
  weight: np.ndarray | None = None,
  *,
  points: folds.OperatingPoints | None = None,
  survival_at: np.ndarray | None = None,
  horizons: Sequence[str] = (),
) -> ranking.Kernel:
  """Prepares metrics of one set of scores for many weightings.

  Whether a metric of `comparable(task)` is defined depends on labels and
  weights alone, never on the scores, so a replicate leaves out the same folds
  for all arms; only a model without a validation part, or without predicted
  survival, lacks what needs it in every replicate. A macro mean is over the
  classes or labels that are defined.

  Args:
    task: what is predicted.
    labels: (n, l), NaN where unknown; such rows (for multilabel: entries)
      count for nothing.
    scores: (n, s).
    wanted: names of m metrics.
    weight: (n,) study weights around which calibration is resampled.
    points: thresholds of the model; None for .5, and NaN for metrics at a
      fixed sensitivity or specificity.
    survival_at: (n, t) predicted P(no event up to each horizon).
    horizons: (t,) their names, rising.

  Returns:
    A function from (n, r) weights to (m, r) values, NaN where undefined.

  Raises:
    UserError: for a metric the task does not have.
  """
  known = names(task, horizons)
  for name in wanted:
    if name not in known:
      raise errors.unknown_name(f'{task.kind} metric', name, known)
  model = parts_lib.Model(
    task, labels, scores, weight, points, survival_at, tuple(horizons)
  )
  needed = [parts_lib.parts_of(task, name, horizons) for name in wanted]
  kernels, linear = {}, {}
  for part in dict.fromkeys(p for parts in needed for p in parts):
    found = parts_lib.prepare(model, part)
    (linear if isinstance(found, parts_lib.Sums) else kernels)[part] = found
  terms = {v.key: v.terms for v in linear.values()}
  terms = {key: build() for key, build in terms.items()}
  ends = np.cumsum([0, *(len(t) for t in terms.values())])
  spans = dict(zip(terms, zip(ends, ends[1:], strict=False), strict=True))
  stacked = np.concatenate([*terms.values()]) if terms else None

  def kernel(weights):
    values = {part: function(weights) for part, function in kernels.items()}
    if linear:
      sums = stacked @ weights
      for part, one in linear.items():
        values[part] = one.finish(*sums[slice(*spans[one.key])])
    return np.stack(
      [
        _combine(model, name, [values[p] for p in parts])
        for name, parts in zip(wanted, needed, strict=True)
      ]
    )

  return kernel


def evaluate(
  task: types.Task,
  labels: np.ndarray,
  scores: np.ndarray,
  weight: np.ndarray | None = None,
  wanted: Sequence[str] | None = None,
  *,
  points: folds.OperatingPoints | None = None,
  survival_at: np.ndarray | None = None,
  horizons: Sequence[str] = (),
) -> dict[str, Value]:
  """All metrics (or the wanted ones) of one set of scores.

  Args:
    task: what is predicted.
    labels: (n, l), NaN where unknown.
    scores: (n, s).
    weight: (n,) study weights, or None for equal weights.
    wanted: names of metrics; None for all of the task.
    points: see `prepare`.
    survival_at: see `prepare`.
    horizons: see `prepare`.

  Raises:
    UserError: for a metric the task does not have.
  """
  wanted = names(task, horizons) if wanted is None else tuple(wanted)
  weight = np.ones(len(labels)) if weight is None else np.asarray(weight)
  more = dict(points=points, survival_at=survival_at, horizons=horizons)
  kernel = prepare(task, labels, scores, wanted, weight, **more)
  values = kernel(weight.astype(np.float64)[:, None])[:, 0]
  heavy = weight > 0
  model = parts_lib.Model(
    task,
    labels[heavy],
    scores[heavy],
    weight[heavy],
    points,
    None if survival_at is None else survival_at[heavy],
    tuple(horizons),
  )
  return {
    name: Value(float(value), reasons.reason(model, name, np.isnan(value)))
    for name, value in zip(wanted, values, strict=True)
  }


def mean(values: Sequence[np.ndarray]) -> np.ndarray:
  """Mean over arrays of one shape, leaving out NaN; NaN where all are."""
  if len(values) == 1:
    return values[0]
  values = np.stack(values)
  defined = ~np.isnan(values)
  return ranking.ratio(
    np.where(defined, values, 0).sum(axis=0), defined.sum(axis=0)
  )


def _combine(model, name, parts):
  if name == 'integrated_brier':
    return horizons_lib.integrated(parts, [float(t) for t in model.horizons])
  return mean(parts)
