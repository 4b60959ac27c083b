"""A model card of every arm (Mitchell et al., 2019), from the run's facts."""

from collections.abc import Mapping
from typing import Any

import jinja2

from fusion_jax.core import plain, words
from fusion_jax.report import content as content_lib
from fusion_jax.report import findings, made_of, notes, run_box
from fusion_jax.report import text as text_lib

_MARKDOWN = '\\`*_{}[]|#~'
# What HTML, which Markdown lets through, would read as a tag or an entity.
_HTML = {'&': '&amp;', '<': '&lt;', '>': '&gt;'}


def escape(text: object) -> str:
  """Text that Markdown prints as it stands, on one line."""
  line = plain.on_terminal(' '.join(str(text).split()))
  return ''.join(f'\\{c}' if c in _MARKDOWN else _HTML.get(c, c) for c in line)


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
  alarms = findings.alarms(summary)
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
    kind=_kind(entry),
    modalities=', '.join(entry.get('modalities') or ()) or 'not stated',
    models=_models(summary, arm),
    made_of=made_of.lines(entry),
    run=run_box.facts(summary),
    reference=content_lib.reference_in_words(summary),
    averaged=notes.averaged(summary),
    alarms=alarms,
    warnings=findings.not_said(summary['warnings'], alarms),
    spread=_spread(entry.get('variability') or {}, reasons),
    groups=_groups(summary, arm),
    cost=_cost(entry.get('cost') or {}, _traded(summary, arm)),
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
  'memory_bytes': 'Bytes of memory of a training step',
}


def _traded(summary, arm) -> Mapping[str, Any]:
  """What the summary's trade-offs say about an arm."""
  return ((summary.get('tradeoffs') or {}).get('arms') or {}).get(arm) or {}


def _cost(cost, traded) -> list[tuple[str, str]]:
  """Every cost, or why it is not known; none if the run has no costs."""
  if all(value is None for value in cost.values()):
    return []
  found = []
  for name, label in _COSTS.items():
    if cost.get(name) is not None:
      show = text_lib.duration if name.endswith('seconds') else text_lib.count
      found.append((label, show(cost[name])))
    elif name != 'upstream_seconds':
      reason = f'{name}_reason'
      why = 'not known' if name in cost else 'not measured'
      found.append((label, cost.get(reason) or traded.get(reason) or why))
  return found


def _kind(entry) -> str:
  if entry['role'] == 'single':
    return content_lib.SINGLE
  if entry['role'] != 'fusion':
    return 'neither a single modality nor fusion'
  strategy = content_lib.STRATEGIES.get(entry.get('strategy'))
  if not strategy:
    return 'fusion, strategy not stated'
  return f'{strategy}, type {entry["type"]}' if entry.get('type') else strategy


def _models(summary, arm) -> list[str]:
  """How many models were evaluated, and what is lacking."""
  parts = summary['arms'][arm].get('folds') or ()
  found = []
  if parts:
    count = sum(len(x['seeds']) for x in parts)
    found.append(f'{count}, of {words.counted(len(parts), "fold")}')
  lacking = findings.without_models(summary).get(arm)
  if lacking:
    found.append(f'none of {lacking} of {len(summary["folds"])} folds')
  found += [
    f'the run says {x["status"]}: {x.get("reason") or "no reason given"}'
    for x in summary.get('history') or ()
    if x['arm'] == arm and x['status'] != 'finished'
  ]
  return found


def _spread(variability, reasons) -> list[tuple[str, str]]:
  """What training again changes, or why that is not known."""
  return [
    (
      content_lib.SPREADS[name],
      text_lib.estimate(
        text_lib.Number(
          variability[name], reason=variability.get(f'{name}_reason', '')
        ),
        reasons,
      ),
    )
    for name in content_lib.SPREADS
    if name in variability
  ]


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
