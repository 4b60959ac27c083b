"""A plan as tables, a figure and explanations."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import lines, style

# With fewer patients of a class error rates were not shown to hold.
_FEW = 50
# A test part with fewer of a class gives an AUROC of few values.
_FEW_OF_FOLD = 10
# Rows of a terminal's table of power.
_ROWS = 9

_SIZES = {
  'patients': 'patients',
  'studies': 'studies',
  'smaller_class': 'smaller class',
}
_NOTE = 'patients: tested; smaller class: patients of the class with fewer.'


def needs(plan: Mapping[str, Any]) -> tables.Table:
  """Patients needed by arm and verdict.

  Args:
    plan: what `planning.to_dict` returned, here and below.
  """
  rows = [
    [
      tables.word(n['arm']),
      tables.word(n['verdict']),
      tables.Cell(number=text_lib.Number(n['gain']), signed=True),
      *_sizes(plan, n),
    ]
    for n in plan['needs']
  ]
  return tables.plain_table(
    'needs',
    f'Patients needed for a power of {plan["power"]:g}',
    [
      tables.Column('arm', word=True),
      tables.Column('verdict', word=True),
      tables.Column('true gain'),
      *(tables.Column(_SIZES[name]) for name in _known_sizes(plan)),
    ],
    rows,
    note=_NOTE if 'smaller_class' in _known_sizes(plan) else '',
  )


def curve(plan: Mapping[str, Any], *, short: bool = False) -> tables.Table:
  """The power of both verdicts by number of patients.

  Args:
    plan: see `needs`.
    short: some rows only, those with the planned power among them.
  """
  asked = _asked(plan)
  kept = {n['patients'] for n in asked}
  step = max(1, math.ceil(len(plan['curve']) / _ROWS)) if short else 1
  rows = [
    [*_sizes(plan, p), *(tables.plain(p[n['verdict']]) for n in asked)]
    for i, p in enumerate(plan['curve'])
    if not i % step or p['patients'] in kept
  ]
  return tables.plain_table(
    'power',
    'Power by number of patients',
    [
      *(tables.Column(_SIZES[name]) for name in _known_sizes(plan)),
      *(tables.Column(_named(n)) for n in asked),
    ],
    rows,
  )


def figure(plan: Mapping[str, Any]) -> style.Drawn | None:
  """The power curve; None where there is nothing to draw."""
  asked = _asked(plan)
  if not asked:
    return None
  power = plan['power']
  series = {
    _named(n): [
      lines.Point(p['patients'], text_lib.Number(p[n['verdict']]))
      for p in plan['curve']
    ]
    for n in asked
  }
  series[f'power {power:g}'] = [
    lines.Point(plan['curve'][i]['patients'], text_lib.Number(power))
    for i in (0, -1)
  ]
  canvas = lines.draw(series, x_name='patients tested', y_name='power')
  details = '; '.join(
    f'{_named(n)}: power {power:g} with {n["patients"]:,} patients'
    for n in asked
  )
  return style.Drawn(
    'power',
    'Power by number of patients',
    'The share of studies of that size that would reach the verdict.',
    canvas,
    details=f'{details}.',
  )


def explanations(plan: Mapping[str, Any]) -> list[str]:
  """What each number means and rests on, one or two sentences each."""
  singles = plan['singles']
  percent = f'{100 * plan["power"]:g}'
  best = min(singles, key=lambda name: singles[name]['behind_best'])
  found = []
  if n := plan['superior']:
    apart = ', '.join(
      f'{text_lib.plain(n["gain"] + x["behind_best"], signed=True)} over {name}'
      for name, x in singles.items()
    )
    found.append(
      f'superior: of 100 studies with {n["patients"]:,} patients, {percent} '
      f"would call '{n['arm']}' superior if its true differences are {apart}: "
      'every lower 95% bound is above 0.'
    )
  if n := plan['equivalent']:
    smallest = (
      f'smallest difference from {", ".join(singles)}'
      if len(singles) > 1
      else 'difference'
    )
    which = 'the best single modality, ' if len(singles) > 1 else ''
    found.append(
      f'equivalent: of 100 studies with {n["patients"]:,} patients, {percent} '
      f"would call '{n['arm']}' equivalent if it truly is as good as {which}"
      f"'{best}': the 90% bounds of its {smallest} lie within "
      f'{plan["margin"]:g} of 0, and it is neither superior nor inferior.'
    )
  if reach := plan['standard_errors_to_bounds']:
    found.append(
      f'bounds: corrected for {words.counted(len(plan["fusions"]), "arm")} and '
      f'{words.counted(len(singles), "single modality")}; 95% bounds lie '
      f'{reach["low"]:.2f} standard errors below a difference and '
      f'{reach["high"]:.2f} above (1.96 for one of each).'
    )
  if plan['factor'] > 1:
    found.append(
      f'factor: standard errors are {plan["factor"]:g} times those of the test '
      'sampling, since models of several test parts share training data; '
      'estimates are taken to vary by as much. It multiplies the patients by '
      f'{plan["factor"] ** 2:.3g}.'
    )
  return [*found, *plan['notes']]


def warnings(plan: Mapping[str, Any]) -> list[str]:
  """What to think of before the numbers are used."""
  found = []
  for n in _asked(plan):
    fewest = n['smaller_class']
    if fewest is None:
      continue
    if fewest < _FEW:
      found.append(
        f'{n["verdict"]}: {words.counted(fewest, "patient")} in the smaller '
        f'class. Below {_FEW} the error rates of the verdict are not shown to '
        'hold.'
      )
    elif fewest < _FEW_OF_FOLD * plan['folds']:
      found.append(
        f'{n["verdict"]}: {fewest / plan["folds"]:.1f} patients of the smaller '
        'class in each test part, whose AUROCs then take few values.'
      )
  return found


def _asked(plan: Mapping[str, Any]) -> list[Mapping[str, Any]]:
  return [plan[k] for k in ('superior', 'equivalent') if plan[k] is not None]


def _named(need: Mapping[str, Any]) -> str:
  gain = need['gain']
  text = text_lib.plain(gain, signed=True) if gain else 'no'
  return f'{need["verdict"]}, {text} gain'


def _known_sizes(plan: Mapping[str, Any]) -> Sequence[str]:
  rows = [*plan['needs'], *plan['curve']]
  classes = any(x['smaller_class'] is not None for x in rows)
  return [name for name in _SIZES if classes or name != 'smaller_class']


def _sizes(plan, entry: Mapping[str, Any]) -> list[tables.Cell]:
  names = _known_sizes(plan)
  if entry['patients'] is None:
    first = tables.Cell(
      text_lib.UNDEFINED, value='', reason=entry.get('reason', '')
    )
    return [first, *[tables.Cell()] * (len(names) - 1)]
  return [tables.Cell(f'{entry[name]:,}', value=entry[name]) for name in names]
