"""A model card of every arm (Mitchell et al., 2019), from the run's facts."""

from collections.abc import Mapping
from typing import Any

import jinja2

from fusion_jax.report import content as content_lib
from fusion_jax.report import findings
from fusion_jax.report import text as text_lib

_MARKDOWN = '\\`*_{}[]<>|#'


def escape(text: object) -> str:
  """Text that Markdown prints as it stands, on one line."""
  line = ' '.join(str(text).split())
  return ''.join(f'\\{c}' if c in _MARKDOWN else c for c in line)


def render(summary: Mapping[str, Any], arm: str) -> str:
  """The model card of one arm, in Markdown."""
  entry = summary['arms'][arm]
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader('fusion_jax.report'),
    autoescape=False,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
  )
  environment.filters['md'] = escape
  reasons = text_lib.Reasons()
  compared = {x['arm']: x for x in summary['comparisons']}.get(arm)
  controls = (summary.get('controls') or {}).get(arm) or {}
  return environment.get_template('card.md').render(
    arm=arm,
    entry=entry,
    summary=summary,
    comparison=compared,
    control=controls.get('sentence', ''),
    apart=content_lib.apart(summary),
    trained_on=content_lib.trained_on(summary),
    own=content_lib.trained_here(summary),
    strategy=content_lib.strategy_of(arm, entry),
    alarms=findings.alarms(summary),
    groups=_groups(summary, arm),
    cost=_cost(entry.get('cost') or {}),
    interval=lambda x, signed=False: text_lib.interval(
      text_lib.number(x)
      if 'estimate' in x
      else text_lib.number(x, 'difference'),
      reasons,
      signed=signed,
    ),
    reasons=reasons,
    plain=content_lib.plain_text,
  )


_COSTS = {
  'parameters': 'Parameters',
  'flops': 'FLOPs of one prediction',
  'seconds': 'Training',
  'compile_seconds': 'Compiling',
  'upstream_seconds': 'Training of what it builds on',
  'latency_seconds': 'One prediction',
  'memory_bytes': 'Bytes of memory',
}


def _cost(cost) -> list[tuple[str, str]]:
  found = []
  for name, label in _COSTS.items():
    if cost.get(name) is not None:
      show = text_lib.duration if name.endswith('seconds') else text_lib.count
      found.append((label, show(cost[name])))
  return found


def _groups(summary, arm) -> list[tuple[str, Mapping[str, Any]]]:
  metric = summary['evaluation']['metric']
  return [
    (findings.group_name(part['group']), found)
    for part in summary.get('subgroups') or ()
    if (
      found := ((part.get('arms') or {}).get(arm) or {})
      .get('metrics', {})
      .get(metric)
    )
  ]
