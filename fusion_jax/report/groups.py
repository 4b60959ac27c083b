"""Whether the gain differs between groups, and calibration by site."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import tables
from fusion_jax.report import text as text_lib

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
        tables.Cell(text_lib.p_value(x['p']), value=x['p'] or ''),
        tables.Cell(
          text_lib.p_value(x['p_adjusted']), value=x['p_adjusted'] or ''
        ),
      ]
    )
  return tables.plain_table(
    'interactions',
    f'Does the gain in {words.metric(metric)} differ between groups?',
    [
      Column('column', word=True),
      Column('arm', word=True),
      Column('compared', word=True),
      Column('difference of gains [95%]', interval=True),
      Column('p'),
      Column('adjusted p'),
    ],
    rows,
    note='The gain is that over the best single modality, here within a group. '
    'p asks whether it is the same in all groups of the column (of more than '
    'two, the group is shown that differs most from the mean of the others); '
    'adjusted p allows for all columns and arms.',
    folded=True,
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
    tests = words.counted(len(tested), 'test')
    return [
      f'It is not shown that the gain differs between groups ({tests}, '
      f'smallest adjusted p {text_lib.p_value(least)}). Nor is it shown that '
      'it does not: groups are small, and only a large difference would be '
      'seen.'
    ]
  found = []
  for column in dict.fromkeys(x['column'] for x in shown):
    here = [x for x in shown if x['column'] == column]
    first = min(here, key=lambda x: x['p_adjusted'])
    contrast = first['contrast']
    size = text_lib.interval(
      text_lib.number(contrast), text_lib.Reasons(), signed=True
    )
    more = (
      f'; likewise of {words.counted(len(here) - 1, "other arm")}'
      if len(here) > 1
      else ''
    )
    found.append(
      f'The gain of {first["arm"]} differs by {column}: {_sides(contrast)} is '
      f'{size} (adjusted p {text_lib.p_value(first["p_adjusted"])}{more}).'
    )
  return found


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
          tables.Cell(number=text_lib.number(entry[name]), signed=signed)
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
    note='Intercept: calibration in the large, 0 is perfect, below 0 '
    'probabilities are too high on average. Slope: 1 is perfect, below 1 they '
    'are too extreme. Intervals are not adjusted for how many sites there are.',
    folded=True,
  )


def small_sites(summary: Mapping[str, Any]) -> list[str]:
  """How many sites were too small; neither names nor sizes are told."""
  counts: dict[str, int] = {}
  for part in summary.get('calibration_by_site') or ():
    if part.get('suppressed'):
      label = part.get('label', '')
      counts[label] = counts.get(label, 0) + 1
  return [
    f'Calibration by site{f" ({label})" if label else ""}: '
    f'{words.counted(n, "site")} {"was" if n == 1 else "were"} too small to be '
    'reported.'
    for label, n in counts.items()
  ]


def _sides(contrast: Mapping[str, Any]) -> str:
  """'f less m', or 'north less the mean of the others'."""
  if not contrast:
    return ''
  against: Sequence[str] = contrast['against']
  other = against[0] if len(against) == 1 else 'the mean of the others'
  return f'{contrast["level"]} less {other}'
