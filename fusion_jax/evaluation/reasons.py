"""Why a metric is undefined, incomplete or not at a chosen threshold."""

import numpy as np

from fusion_jax.core import types
from fusion_jax.evaluation import confusion, thresholds
from fusion_jax.evaluation import parts as parts_lib

_NO_POSITIVE_NEEDED = ('specificity', 'specificity_at_sensitivity_90')
_NO_NEGATIVE_NEEDED = (
  'auprc',
  'sensitivity',
  'sensitivity_at_specificity_90',
  'f1',
)


def reason(model: parts_lib.Model, name: str, undefined: bool) -> str:
  """Why a metric is undefined, what a macro mean leaves out, or a fallback.

  Args:
    model: its studies with weight.
    name: of the metric.
    undefined: whether the metric is NaN.

  Returns:
    An empty string where there is nothing to say.
  """
  task = model.task
  parts = parts_lib.parts_of(task, name)
  if len(parts) > 1:
    missing = {}
    for part, label in zip(parts, task.names, strict=True):
      why = _class_reason(parts_lib.column(model, part)[0], part)
      if why:
        missing[label] = why
    if missing:
      listed = '; '.join(f'{k}: {v}' for k, v in missing.items())
      kept = len(parts) - len(missing)
      return f'defined for {kept} of {len(parts)} ({listed})'
    return _point_reason(model, name)
  if not undefined:
    return _point_reason(model, name)
  if not parts_lib.known_rows(task, model.labels).any():
    return 'no study with a known label'
  base = parts_lib.base_of(name)
  if task.kind == types.SURVIVAL:
    return _survival_reason(model, name)
  if base == 'r2':
    return 'the labels do not vary'
  if task.kind == types.REGRESSION:
    return 'no study has weight'
  if base in parts_lib.FIXED and _point_reason(model, name):
    return _point_reason(model, name)
  if '/' not in name and task.kind == types.MULTICLASS:
    return 'no study has weight'
  if base.endswith('_micro'):
    y = parts_lib.one_hot(model).reshape(-1)
  else:
    y, s = parts_lib.column(model, name)
  why = _class_reason(y, name)
  if base in ('ppv', 'npv') and not why:
    return f'{"no" if base == "ppv" else "every"} study is called positive'
  if why or base not in parts_lib.TARGETS:
    return why
  known = ~np.isnan(y)
  if np.ptp(s[known]) == 0:
    return 'the scores do not vary'
  return 'the scores separate the two classes'


def _survival_reason(model, name) -> str:
  base, _, horizon = name.partition('@')
  if base in ('brier', 'integrated_brier'):
    at = model.survival_at
    if at is not None and horizon:
      at = at[:, model.horizons.index(horizon)]
    if at is None or np.isnan(at).any():
      return 'no survival was predicted'
    horizon = horizon or model.horizons[-1]
  if horizon and not (model.labels[:, 0] > float(horizon)).any():
    return f'no study is followed beyond {horizon}'
  if horizon:
    return f'no study has the event up to {horizon}'
  return 'no comparable pair of studies'


def _point_reason(model, name) -> str:
  """Why a metric of calls is not at a threshold chosen on validation."""
  base = parts_lib.base_of(name)
  plain = base.removesuffix('_macro').removesuffix('_micro')
  if model.task.kind not in (types.BINARY, types.MULTILABEL):
    return ''
  if plain not in confusion.METRICS and base not in parts_lib.FIXED:
    return ''
  rule = parts_lib.FIXED.get(base, (thresholds.YOUDEN,))[0]
  points = parts_lib.operating_points(model)
  reasons = list(points.reasons[rule])
  part = name.partition('/')[2]
  if part:
    reasons = [reasons[model.task.names.index(part)]]
  reasons = sorted({r for r in reasons if r})
  if not reasons:
    return ''
  why = '; '.join(reasons)
  if rule != thresholds.YOUDEN:
    return f'no threshold: {why}'
  return f'at probability {thresholds.FALLBACK}: {why}'


def _class_reason(y, name) -> str:
  base = parts_lib.base_of(name).removesuffix('_micro')
  y = y[~np.isnan(y)]
  if not len(y):
    return 'no study with a known label'
  if base in ('ppv', 'npv'):
    return ''
  if not y.any() and base not in _NO_POSITIVE_NEEDED:
    return f'none of {len(y)} studies is positive'
  if y.all() and base not in _NO_NEGATIVE_NEEDED:
    return f'all {len(y)} studies are positive'
  return ''
