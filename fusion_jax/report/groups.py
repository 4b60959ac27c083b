"""Subgroups: their metrics and gains, gaps between them, and by site."""

import collections
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import prose, tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import forest

Column = tables.Column

# An adjusted p-value up to this is a difference that was shown.
_ALPHA = 0.05


def interactions(summary: Mapping[str, Any]) -> tables.Table:
  """The interaction test of every column and arm."""
  metric = summary['evaluation']['metric']
  rows = []
  for x in summary.get('interactions') or ():
    contrast = x.get('contrast') or {}
    number = text_lib.number(contrast) if contrast else None
    number = number or text_lib.Number(None, None, None, x.get('reason', ''))
    rows.append(
      [
        tables.word(x['column']),
        tables.word(x['arm']),
        tables.word(_sides(contrast)),
        tables.Cell(number=number, signed=True),
        tables.p_value(x['p']),
        tables.p_value(x['p_adjusted']),
      ]
    )
  return tables.plain_table(
    'interactions',
    f'Does the gain in {words.metric(metric)} differ between groups?',
    [
      *tables.of_words('column', 'arm', 'compared'),
      Column('difference of gains [95%]', interval=True),
      Column('p'),
      Column('adjusted p'),
    ],
    rows,
    note=_text('interactions'),
  )


def interaction_lines(summary: Mapping[str, Any]) -> list[str]:
  """What the interaction tests came to, in words."""
  tested = [
    x
    for x in summary.get('interactions') or ()
    if x.get('p_adjusted') is not None
  ]
  if not tested:
    return []
  shown = [x for x in tested if x['p_adjusted'] <= _ALPHA]
  if not shown:
    least = min(x['p_adjusted'] for x in tested)
    return [_text('no_interaction', tests=len(tested), least=least)]
  lines = []
  for column in dict.fromkeys(x['column'] for x in shown):
    here = [x for x in shown if x['column'] == column]
    first = min(here, key=lambda x: x['p_adjusted'])
    lines.append(
      _text(
        'interaction',
        arm=first['arm'],
        column=column,
        sides=_sides(first['contrast']),
        difference=text_lib.number(first['contrast']),
        p_adjusted=first['p_adjusted'],
        others=len(here) - 1,
      )
    )
  return lines


def calibration_by_site(summary: Mapping[str, Any]) -> tables.Table:
  """Calibration slope and intercept of every arm at every site.

  Sites that are too small are left out, and not named.
  """
  parts = summary.get('calibration_by_site') or ()
  groups = []
  for part in parts:
    rows = [
      [
        tables.word(arm),
        tables.count(part['studies']),
        tables.count(part['patients']),
        tables.count(part['events']),
        *(
          tables.entry(entry[name], signed=signed)
          for name, signed in (
            ('calibration_intercept', True),
            ('calibration_slope', False),
          )
        ),
      ]
      for arm, entry in (part.get('arms') or {}).items()
    ]
    if rows:
      label = f', {part["label"]}' if part.get('label') else ''
      groups.append((f'{part["site"]}{label}', rows))
  return tables.Table(
    'calibration_by_site',
    'Calibration by site',
    [
      Column('arm', word=True),
      Column('studies'),
      Column('patients'),
      Column('events'),
      Column('intercept [95%]', interval=True),
      Column('slope [95%]', interval=True),
    ],
    groups,
    note=_text('calibration_by_site'),
  )


def small_sites(summary: Mapping[str, Any]) -> list[str]:
  """How many sites were too small; neither names nor sizes are shown."""
  counts = collections.Counter(
    part.get('label', '')
    for part in summary.get('calibration_by_site') or ()
    if part.get('suppressed')
  )
  return [
    _text('small_sites', label=label, count=n) for label, n in counts.items()
  ]


def small_groups(summary: Mapping[str, Any]) -> list[str]:
  """How many groups were too small, by column.

  Neither their levels nor their sizes are shown: a level of one patient could
  name the patient.
  """
  counts = collections.Counter(
    ' x '.join(part['group'])
    for part in summary.get('subgroups') or ()
    if part.get('suppressed')
  )
  return [
    _text('small_groups', columns=columns, count=n)
    for columns, n in counts.items()
  ]


def _text(passage: str, **context: Any) -> str:
  return prose.passage('sections/subgroups', passage, **context)


def _sides(contrast: Mapping[str, Any]) -> str:
  """'f less m', or 'north less the mean of the others'."""
  if not contrast:
    return ''
  against: Sequence[str] = contrast['against']
  other = against[0] if len(against) == 1 else 'the mean of the others'
  return f'{contrast["level"]} less {other}'


def group_name(group: Mapping[str, Any]) -> str:
  """A group as a heading names it."""
  return ', '.join(f'{k} {v}' for k, v in group.items())


def table(summary: Mapping[str, Any]) -> tables.Table:
  """The metric of comparison and the gain in every subgroup."""
  metric = summary['evaluation']['metric']
  parts = summary.get('subgroups') or ()
  with_events = any(part.get('events') is not None for part in parts)
  groups = []
  for part in parts:
    size = [
      tables.count(part.get('studies')),
      tables.count(part.get('patients')),
      *([_events(part.get('events'))] if with_events else []),
    ]
    rows = []
    for arm, entry in (part.get('arms') or {}).items():
      gain = text_lib.number(entry.get('gain'))
      rows.append(
        [
          tables.word(arm),
          *size,
          tables.number(
            text_lib.number((entry.get('metrics') or {}).get(metric)),
            f'{metric} was not computed',
          ),
          tables.number(gain, 'only fusion arms have a gain', signed=True),
        ]
      )
    if rows:
      groups.append((group_name(part['group']), rows))
  return tables.Table(
    'subgroups',
    f'{words.metric(metric)} and gain by subgroup',
    [
      Column('arm', word=True),
      Column('studies'),
      Column('patients'),
      *([Column('events')] if with_events else []),
      Column(f'{words.metric(metric)} [95%]', interval=True),
      Column('gain [95%]', interval=True),
    ],
    groups,
  )


def _events(value) -> tables.Cell:
  if isinstance(value, Mapping):
    return tables.word(', '.join(f'{k} {v}' for k, v in value.items()))
  return tables.count(value)


def lines(summary: Mapping[str, Any], arm: str | None) -> list[forest.Line]:
  """The gain of one arm in every subgroup, by the columns that define it."""
  drawn, heading = [], None
  for part in summary.get('subgroups') or ():
    entry = (part.get('arms') or {}).get(arm)
    gain = entry and text_lib.number(entry.get('gain'))
    if not gain or gain.estimate is None:
      continue
    columns = ' x '.join(part['group'])
    name = ', '.join(map(str, part['group'].values()))
    size = f' (n {part.get("studies")})'
    drawn.append(
      forest.Line(
        f'{name}{size}', gain, heading=columns if columns != heading else ''
      )
    )
    heading = columns
  return drawn


def equalised_odds(summary: Mapping[str, Any]) -> tables.Table:
  """Largest differences of rates between the levels of a column."""
  return tables.plain_table(
    'equalised_odds',
    'Largest gaps between groups at the chosen threshold',
    [
      *tables.of_words('column', 'arm'),
      Column('true positive rate [95%]', interval=True),
      Column('false positive rate [95%]', interval=True),
    ],
    [
      [
        tables.word(_column(x)),
        tables.word(x['arm']),
        *(
          tables.number(text_lib.number(x.get(k)), 'this gap was not computed')
          for k in ('tpr_gap', 'fpr_gap')
        ),
      ]
      for x in summary.get('equalised_odds') or ()
    ],
  )


def _column(entry) -> str:
  label = f', {entry["label"]}' if entry.get('label') else ''
  return f'{entry["column"]}{label}'
