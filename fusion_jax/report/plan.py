"""A plan as tables, a figure and explanations."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.report import prose, tables
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
      *tables.of_words('arm', 'verdict'),
      tables.Column('true gain'),
      *(tables.Column(_SIZES[name]) for name in _known_sizes(plan)),
    ],
    rows,
    note=_text('needs_note', classes='smaller_class' in _known_sizes(plan)),
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
  context = {
    'asked': [{'name': _named(n), 'patients': n['patients']} for n in asked],
    'power': power,
  }
  title, caption, details = prose.passages(
    'plan', only=('figure',), **context
  ).values()
  return style.Drawn('power', title, caption, canvas, details=details)


def explanations(plan: Mapping[str, Any]) -> list[str]:
  """What each number means and rests on, one or two sentences each."""
  singles = {name: x['behind_best'] for name, x in plan['singles'].items()}
  texts = prose.passages(
    'plan',
    only=('superior', 'equivalent', 'bounds', 'factor'),
    superior=plan['superior'],
    equivalent=plan['equivalent'],
    percent=f'{100 * plan["power"]:g}',
    singles=singles,
    best=min(singles, key=singles.get),
    margin=plan['margin'],
    fusions=len(plan['fusions']),
    reach=plan['standard_errors_to_bounds'],
    factor=plan['factor'],
  )
  return [x for x in (*texts.values(), *plan['notes']) if x]


def warnings(plan: Mapping[str, Any]) -> list[str]:
  """What to think of before the numbers are used."""
  lines = []
  for n in _asked(plan):
    fewest, verdict = n['smaller_class'], n['verdict']
    if fewest is None:
      continue
    if fewest < _FEW:
      lines.append(_text('few', verdict=verdict, fewest=fewest, few=_FEW))
    elif fewest < _FEW_OF_FOLD * plan['folds']:
      lines.append(
        _text(
          'few_of_fold', verdict=verdict, fewest=fewest, folds=plan['folds']
        )
      )
  return lines


def _text(passage: str, **context: Any) -> str:
  return prose.passage('plan', passage, **context)


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
