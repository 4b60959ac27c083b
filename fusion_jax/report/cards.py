"""A model card of every arm (Mitchell et al., 2019), from the run's facts."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.report import audits, groups, made_of, prose, run_box
from fusion_jax.report import content as content_lib
from fusion_jax.report import facts as facts_lib
from fusion_jax.report import text as text_lib


def render(summary: Mapping[str, Any], arm: str) -> str:
  """The model card of one arm, in Markdown."""
  entry = summary['arms'][arm]
  facts = facts_lib.of(summary)
  reasons = text_lib.Reasons()
  alarms = audits.alarms(summary)
  compared = {x['arm']: x for x in summary['comparisons']}.get(arm)
  controls = (summary.get('controls') or {}).get(arm) or {}
  phrases = prose.passages(
    'phrases', facts, only=('apart', 'averaged', 'reference_in_short')
  )
  template = prose.environment(escapes=False, keeps_lines=True).get_template(
    'card.md'
  )
  return template.render(
    arm=arm,
    entry=entry,
    summary=summary,
    facts=facts,
    phrases=phrases,
    comparison=compared,
    control=controls.get('sentence', ''),
    strategy=content_lib.STRATEGIES.get(entry.get('strategy'), ''),
    models=sum(len(x['seeds']) for x in entry.get('folds') or ()),
    without_models=facts_lib.without_models(summary).get(arm, 0),
    unfinished=[
      {'reason': '', **x}
      for x in summary.get('history') or ()
      if x['arm'] == arm and x['status'] != 'finished'
    ],
    made_of=made_of.lines(entry),
    run=run_box.facts(summary),
    alarms=alarms,
    warnings=audits.other_warnings(summary['warnings'], alarms),
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
    of_value=text_lib.of_value,
  )


_COSTS = prose.data('vocabulary')['card_cost']


def _traded(summary, arm) -> Mapping[str, Any]:
  """What the summary's trade-offs say about an arm."""
  return ((summary.get('tradeoffs') or {}).get('arms') or {}).get(arm) or {}


def _cost(cost, traded) -> list[tuple[str, str]]:
  """Every cost, or why it is not known; none if the run has no costs."""
  if all(value is None for value in cost.values()):
    return []
  costs = []
  for name, label in _COSTS.items():
    if cost.get(name) is not None:
      show = text_lib.duration if name.endswith('seconds') else text_lib.count
      costs.append((label, show(cost[name])))
    elif name != 'upstream_seconds':
      reason = f'{name}_reason'
      why = 'not known' if name in cost else 'not measured'
      costs.append((label, cost.get(reason) or traded.get(reason) or why))
  return costs


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
    (groups.group_name(part['group']), values)
    for part in summary.get('subgroups') or ()
    if (
      values := ((part.get('arms') or {}).get(arm) or {})
      .get('metrics', {})
      .get(metric)
    )
  ]
