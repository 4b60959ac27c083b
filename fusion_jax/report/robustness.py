"""Missing modalities, learning curves, trade-offs, the value of the image."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import content as content_lib
from fusion_jax.report import facts as facts_lib
from fusion_jax.report import prose, tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import lines

Column = tables.Column

# Names of costs on axes and in tables.
COSTS = prose.data('vocabulary')['cost']
# What the size of a training part may be told by, in this order.
_SIZES = ('patients', 'studies', 'fraction')
_KNOWN = ('arms', 'gain', 'replicates')


def _rows(entries, keys) -> tables.Table:
  """(keys, arm, entry, gain) of a list of {..., arms, gain}."""
  rows = []
  for entry in entries:
    for arm, number in (entry.get('arms') or {}).items():
      gain = (entry.get('gain') or {}).get(arm)
      rows.append(
        [
          tables.word(arm),
          *(_plain(entry.get(k)) for k in keys),
          tables.entry(number),
          tables.Cell() if gain is None else tables.entry(gain, signed=True),
        ]
      )
  return rows


def _plain(value) -> tables.Cell:
  if value is None:
    return tables.Cell()
  text = f'{value:g}' if isinstance(value, float) else str(value)
  return tables.Cell(text, value=value)


def _keys(entries) -> list[str]:
  """What the entries are told apart by: their plain values."""
  keys = dict.fromkeys(
    key
    for entry in entries
    for key, value in entry.items()
    if key not in _KNOWN and isinstance(value, str | int | float)
  )
  return list(keys)


def missing(summary: Mapping[str, Any], facts: facts_lib.Facts) -> tables.Table:
  """The metric of every arm by share of studies without a modality."""
  entries = summary.get('missing') or ()
  counts = {x['replicates'] for x in entries if x.get('replicates')}
  return _varied(
    facts,
    'missing',
    'Missing modalities',
    entries,
    redrawn=counts.pop() if len(counts) == 1 else None,
  )


def learning(
  summary: Mapping[str, Any], facts: facts_lib.Facts
) -> tables.Table:
  """The metric of every arm by size of the training part."""
  entries = summary.get('learning_curve') or ()
  return _varied(facts, 'learning', 'Learning curve', entries)


def _varied(facts, section, title, entries, **context) -> tables.Table:
  keys = _keys(entries)
  texts = prose.passages(
    f'sections/{section}', facts, only=('metric', 'gain', 'note'), **context
  )
  return tables.plain_table(
    {'learning': 'learning_curve'}.get(section, section),
    f'{title}: every number',
    [
      Column('arm', word=True),
      *(Column(k.replace('_', ' '), word=True) for k in keys),
      Column(f'{facts.metric} [95%]', interval=True, meaning=texts['metric']),
      Column('gain [95%]', interval=True, meaning=texts['gain']),
    ],
    _rows(entries, keys),
    note=texts['note'],
  )


def missing_series(
  summary: Mapping[str, Any], arms: Sequence[str]
) -> dict[tuple[str, ...], dict[str, list[lines.Point]]]:
  """By what is lost, how, and in which training, the curves of some arms."""
  entries = [_told(x) for x in summary.get('missing') or ()]
  return _series(entries, arms, 'rate')


def _told(entry) -> dict[str, Any]:
  """The training as one text, where it lacked a modality as well."""
  kept = {k: v for k, v in entry.items() if not k.startswith('train_')}
  if entry.get('train_modality') and entry.get('train_rate'):
    kept['training'] = (
      f'trained without {entry["train_modality"]} in {entry["train_rate"]:.0%}'
    )
  return kept


def learning_series(
  summary: Mapping[str, Any], arms: Sequence[str]
) -> tuple[str, dict[tuple[str, ...], dict[str, list[lines.Point]]]]:
  """What the size is told by, and the curves of some arms."""
  entries = summary.get('learning_curve') or ()
  size = next((k for k in _SIZES if entries and k in entries[0]), '')
  if not size:
    return '', {}
  kept = [
    {k: v for k, v in x.items() if k == size or k not in _SIZES}
    for x in entries
  ]
  return size, _series(kept, arms, size)


def _series(entries, arms, x_key):
  panels: dict[tuple[str, ...], dict[str, list[lines.Point]]] = {}
  for entry in entries:
    if entry.get(x_key) is None:
      continue
    panel = tuple(
      f'{k.replace("_", " ")} {v:g}' if isinstance(v, float) else str(v)
      for k, v in entry.items()
      if k not in (*_KNOWN, x_key) and isinstance(v, str | float)
    )
    series = panels.setdefault(panel, {arm: [] for arm in arms})
    for arm in arms:
      number = text_lib.number((entry.get('arms') or {}).get(arm))
      if number is not None:
        series[arm].append(lines.Point(entry[x_key], number))
  for series in panels.values():
    for points in series.values():
      points.sort(key=lambda p: p.x)
  return panels


def tradeoffs(summary: Mapping[str, Any]) -> tables.Table:
  """Costs and performance of every arm."""
  traded = summary.get('tradeoffs') or {}
  entries = traded.get('arms') or {}
  run = summary.get('run') or {}
  measured = any(x.get('latency_seconds') is not None for x in entries.values())
  costs = [
    k for k in COSTS if any(x.get(k) is not None for x in entries.values())
  ]
  return tables.plain_table(
    'tradeoffs',
    'What every arm costs and is worth',
    [
      Column('arm', word=True),
      Column(words.metric(traded.get('metric', 'estimate'))),
      *(Column(COSTS[k]) for k in costs),
      Column('nothing cheaper is better in', word=True),
    ],
    [
      [
        tables.word(arm),
        tables.plain(x.get('estimate'), x.get('reason', '')),
        *(_cost(k, x) for k in costs),
        tables.word(_front(x.get('front') or (), costs)),
      ]
      for arm, x in (entries.items() if costs else ())
    ],
    note=prose.passage(
      'sections/tradeoffs',
      'note',
      note=traded.get('note', ''),
      device=run.get('device') if measured else '',
      processor=run.get('processor'),
      unknown=_unknown(entries, costs),
    ),
  )


def _unknown(entries, costs) -> dict[str, list[str]]:
  """By reason, the costs that no arm has, which are not among the columns."""
  why: dict[str, list[str]] = {}
  for cost, name in COSTS.items():
    reasons = dict.fromkeys(
      x[f'{cost}_reason'] for x in entries.values() if f'{cost}_reason' in x
    )
    if cost not in costs and reasons:
      why.setdefault('; '.join(reasons), []).append(name)
  return why


def _front(on, costs) -> str:
  """The costs in which nothing cheaper is better."""
  if len(costs) > 1 and set(costs) <= set(on):
    return 'all of them'
  return ', '.join(COSTS.get(k, k) for k in on)


def _cost(name, entry) -> tables.Cell:
  value = entry.get(name)
  if value is None:
    return tables.plain(None, entry.get(f'{name}_reason', ''))
  show = text_lib.duration if name.endswith('seconds') else text_lib.count
  return tables.Cell(show(value), value=value)


def spots(summary: Mapping[str, Any]) -> dict[str, list[lines.Spot]]:
  """By cost, what a trade-off figure shows."""
  entries = (summary.get('tradeoffs') or {}).get('arms') or {}
  by_cost: dict[str, list[lines.Spot]] = {}
  for arm, entry in entries.items():
    for cost in COSTS:
      if entry.get(cost) is not None and arm in summary['arms']:
        whole = summary['arms'][arm]
        by_cost.setdefault(cost, []).append(
          lines.Spot(
            arm,
            content_lib.strategy_of(arm, whole),
            entry[cost],
            text_lib.Number(entry.get('estimate')),
            cost in (entry.get('front') or ()),
          )
        )
  return by_cost


def image_series(
  summary: Mapping[str, Any], arms: Sequence[str]
) -> dict[str, list[lines.Point]]:
  """By arm, the net benefit that the image adds at every threshold."""
  by_arm = (summary.get('image_value') or {}).get('arms') or {}
  return {
    arm: lines.points(by_arm[arm], 'threshold', 'difference')
    for arm in arms
    if arm in by_arm
  }


def for_whom(summary: Mapping[str, Any]) -> tables.Table:
  """What the image changes for whom, at one threshold."""
  value = summary.get('image_value') or {}
  threshold = value.get('threshold')
  groups = []
  for part in value.get('for_whom') or ():
    size = [tables.count(part.get(k)) for k in ('studies', 'events')]
    rows = []
    for arm, x in (part.get('arms') or {}).items():
      shares = [
        tables.plain(x.get(k), x.get(f'{k}_reason', ''))
        for k in ('changed', 'improved')
      ]
      benefit = tables.entry(x.get('net_benefit'), signed=True)
      rows.append([tables.word(arm), *size, *shares, benefit])
    groups.append((part['group'], rows))
  at = '' if threshold is None else f' at a threshold of {threshold:.3f}'
  return tables.Table(
    'image_value',
    f'For whom the image changes decisions{at}',
    [
      Column('arm', word=True),
      Column('studies'),
      Column('events'),
      Column('decisions changed'),
      Column('of them rightly'),
      Column('net benefit gained [95%]', interval=True),
    ],
    groups,
  )
