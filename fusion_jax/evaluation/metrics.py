"""Metrics by name, for one weighting or for many at once.

Every metric is prepared once for a set of labels and scores and then computed
for (n, r) weights; an estimate is the case r = 1, so that a replicate can
never follow another definition. Undefined is NaN, never 0.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from fusion_jax.core import errors, types
from fusion_jax.evaluation import calibration, ranking, survival

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
    'accuracy',
    'sensitivity',
    'specificity',
    'calibration_slope',
    'calibration_intercept',
  ),
  types.MULTICLASS: ('auroc_macro', 'accuracy', 'brier', 'log_loss'),
  types.MULTILABEL: (
    'auroc_macro',
    'auprc_macro',
    'accuracy',
    'brier',
    'log_loss',
  ),
  types.REGRESSION: ('r2', 'rmse', 'mae'),
  types.SURVIVAL: ('c_index',),
}

# Neither higher nor lower is better: nothing is compared by these.
_TARGETS = ('calibration_slope', 'calibration_intercept')
_LOWER = ('brier', 'log_loss', 'rmse', 'mae')
_THRESHOLD = 0.5


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


def names(task: types.Task) -> tuple[str, ...]:
  """Names of all metrics of the task, the primary one first."""
  found = _NAMES[task.kind]
  if task.kind == types.MULTICLASS:
    found += tuple(f'auroc/{x}' for x in task.names)
  if task.kind == types.MULTILABEL:
    found += tuple(f'{m}/{x}' for m in ('auroc', 'auprc') for x in task.names)
  return found


def comparable(task: types.Task) -> tuple[str, ...]:
  """Names of the metrics arms can be compared by."""
  return tuple(n for n in names(task) if n not in _TARGETS)


def higher_is_better(name: str) -> bool:
  """Whether more of the metric is better."""
  return name.partition('/')[0] not in _LOWER


def prepare(
  task: types.Task,
  labels: np.ndarray,
  scores: np.ndarray,
  wanted: Sequence[str],
  weight: np.ndarray | None = None,
) -> ranking.Kernel:
  """Prepares metrics of one set of scores for many weightings.

  Whether a metric of `comparable(task)` is defined depends on labels and
  weights alone, never on the scores, so a replicate leaves out the same folds
  for all arms. A macro mean is over the classes or labels that are defined.

  Args:
    task: what is predicted.
    labels: (n, l), NaN where unknown; such rows (for multilabel: entries)
      count for nothing.
    scores: (n, s).
    wanted: names of m metrics.
    weight: (n,) study weights around which calibration is resampled.

  Returns:
    A function from (n, r) weights to (m, r) values, NaN where undefined.

  Raises:
    UserError: for a metric the task does not have.
  """
  for name in wanted:
    if name not in names(task):
      raise errors.unknown_name(f'{task.kind} metric', name, names(task))
  parts = {}
  for name in wanted:
    for part in _parts(task, name):
      if part not in parts:
        parts[part] = _prepare_part(task, part, labels, scores, weight)

  def kernel(weights):
    values = {part: function(weights) for part, function in parts.items()}
    return np.stack(
      [mean([values[x] for x in _parts(task, name)]) for name in wanted]
    )

  return kernel


def evaluate(
  task: types.Task,
  labels: np.ndarray,
  scores: np.ndarray,
  weight: np.ndarray | None = None,
  wanted: Sequence[str] | None = None,
) -> dict[str, Value]:
  """All metrics (or the wanted ones) of one set of scores.

  Args:
    task: what is predicted.
    labels: (n, l), NaN where unknown.
    scores: (n, s).
    weight: (n,) study weights, or None for equal weights.
    wanted: names of metrics; None for all of the task.

  Raises:
    UserError: for a metric the task does not have.
  """
  wanted = names(task) if wanted is None else tuple(wanted)
  weight = np.ones(len(labels)) if weight is None else np.asarray(weight)
  kernel = prepare(task, labels, scores, wanted, weight)
  values = kernel(weight.astype(np.float64)[:, None])[:, 0]
  return {
    name: Value(float(value), _reason(task, name, labels, scores, weight))
    if np.isnan(value) or len(_parts(task, name)) > 1
    else Value(float(value))
    for name, value in zip(wanted, values, strict=True)
  }


def _parts(task, name):
  """The metrics a macro metric is the mean of, or the metric itself."""
  if name.endswith('_macro'):
    return [f'{name.removesuffix("_macro")}/{x}' for x in task.names]
  return [name]


def mean(values: Sequence[np.ndarray]) -> np.ndarray:
  """Mean over arrays of one shape, leaving out NaN; NaN where all are."""
  if len(values) == 1:
    return values[0]
  values = np.stack(values)
  defined = ~np.isnan(values)
  return ranking.ratio(
    np.where(defined, values, 0).sum(axis=0), defined.sum(axis=0)
  )


def _column(task, name, labels, scores):
  """Labels and scores of a one-vs-rest or per-label metric, both (n,)."""
  _, _, part = name.partition('/')
  if not part:
    return labels[:, 0], scores[:, 0]
  i = task.names.index(part)
  if task.kind == types.MULTILABEL:
    return labels[:, i], scores[:, i]
  y = np.where(np.isnan(labels[:, 0]), np.nan, labels[:, 0] == i)
  return y, scores[:, i]


def _prepare_part(task, name, labels, scores, weight) -> ranking.Kernel:
  base = name.partition('/')[0]
  if base in ('auroc', 'auprc', *_TARGETS):
    y, s = _column(task, name, labels, scores)
    rows = np.flatnonzero(~np.isnan(y))
    build = {
      'auroc': ranking.auroc,
      'auprc': ranking.average_precision,
      'calibration_slope': calibration.slope,
      'calibration_intercept': calibration.intercept,
    }[base]
    extra = {}
    if base in _TARGETS and weight is not None:
      extra['weight'] = weight[rows]
    return _on(rows, len(y), lambda: build(y[rows] > 0, s[rows], **extra))
  rows = np.flatnonzero(_known_rows(task, labels))
  y, s = labels[rows], scores[rows]

  def prepared():
    if base == 'c_index':
      return survival.c_index(y[:, 0], y[:, 1] > 0, s[:, 0])
    return _ratio_metric(task, base, y, s)

  return _on(rows, len(labels), prepared)


def _known_rows(task, labels):
  known = ~np.isnan(labels)
  many = task.kind == types.MULTILABEL
  return known.any(axis=1) if many else known.all(axis=1)


def _on(rows, n, build) -> ranking.Kernel:
  """What `build` prepares from `rows`, as a function of all n weights."""
  if not len(rows):
    return lambda weights: np.full(weights.shape[1], np.nan)
  function = build()
  if len(rows) == n:
    return function
  return lambda weights: function(weights[rows])


def _moments(
  terms: Sequence[np.ndarray], finish: Callable[..., np.ndarray]
) -> ranking.Kernel:
  """A metric that is a function of weighted sums of (n,) terms."""
  stacked = np.stack([np.asarray(t, np.float64) for t in terms])
  return lambda weights: finish(*(stacked @ weights))


def _ratio_metric(task, base, y, s) -> ranking.Kernel:
  if task.kind == types.REGRESSION:
    return _regression_metric(base, y[:, 0], s[:, 0])
  eps = np.finfo(np.float64).eps
  if task.kind == types.MULTICLASS:
    code = y[:, 0].astype(int)
    right = np.eye(task.num_outputs)[code]
    count = np.ones(len(y))
    loss = {
      'accuracy': lambda: s.argmax(axis=1) == code,
      'brier': lambda: ((s - right) ** 2).sum(axis=1),
      'log_loss': lambda: -np.log(np.clip(s[np.arange(len(y)), code], eps, 1)),
    }[base]()
  else:
    known = ~np.isnan(y)
    truth = np.where(known, y, 0) > 0
    called = s >= _THRESHOLD
    if base == 'sensitivity':
      known = known & truth
    elif base == 'specificity':
      known = known & ~truth
    count = known.sum(axis=1)
    p = np.clip(s, eps, 1 - eps)
    loss = {
      'brier': lambda: (s - truth) ** 2,
      'log_loss': lambda: -np.where(truth, np.log(p), np.log1p(-p)),
    }.get(base, lambda: called == truth)()
    loss = np.where(known, loss, 0).sum(axis=1)
  return _moments([loss, count], ranking.ratio)


def _regression_metric(base, y, s) -> ranking.Kernel:
  one = np.ones(len(y))
  if base == 'mae':
    return _moments([np.abs(s - y), one], ranking.ratio)
  if base == 'rmse':
    return _moments(
      [(s - y) ** 2, one], lambda e, w: np.sqrt(ranking.ratio(e, w))
    )
  # Centring first keeps the sum of squares from cancelling.
  centred = y - y.mean()
  scale = (centred**2).sum() * 1e-12

  def r2(residual, total, square, weight):
    spread = square - ranking.ratio(total**2, weight)
    spread = np.where(spread > scale, spread, np.nan)
    return 1 - residual / spread

  return _moments([(s - y) ** 2, centred, centred**2, one], r2)


def _reason(task, name, labels, scores, weight) -> str:
  """Why a metric is undefined, or what its macro mean leaves out."""
  heavy = weight > 0
  labels, scores = labels[heavy], scores[heavy]
  parts = _parts(task, name)
  if len(parts) > 1:
    missing = {}
    for part, label in zip(parts, task.names, strict=True):
      reason = _class_reason(_column(task, part, labels, scores)[0], part)
      if reason:
        missing[label] = reason
    if not missing:
      return ''
    listed = '; '.join(f'{k}: {v}' for k, v in missing.items())
    return f'defined for {len(parts) - len(missing)} of {len(parts)} ({listed})'
  if not _known_rows(task, labels).any():
    return 'no study with a known label'
  base = name.partition('/')[0]
  if base == 'c_index':
    return 'no comparable pair of studies'
  if base == 'r2':
    return 'the labels do not vary'
  if task.kind in (types.REGRESSION, types.MULTICLASS) and '/' not in name:
    return 'no study has weight'
  y, s = _column(task, name, labels, scores)
  reason = _class_reason(y, name)
  if reason or base not in _TARGETS:
    return reason
  known = ~np.isnan(y)
  if np.ptp(s[known]) == 0:
    return 'the scores do not vary'
  return 'the scores separate the two classes'


def _class_reason(y, name) -> str:
  base = name.partition('/')[0]
  y = y[~np.isnan(y)]
  if not len(y):
    return 'no study with a known label'
  if not y.any() and base != 'specificity':
    return f'none of {len(y)} studies is positive'
  if y.all() and base not in ('auprc', 'sensitivity'):
    return f'all {len(y)} studies are positive'
  return ''
