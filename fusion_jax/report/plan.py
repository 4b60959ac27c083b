"""A plan as tables, a figure, explanations and a registration."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import words
from fusion_jax.evaluation import planning, registration
from fusion_jax.report import tables
from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import lines, style

# With fewer patients of a class error rates were not shown to hold.
_FEW = 50
# A test part with fewer events gives an AUROC of few values.
_FEW_OF_FOLD = 10


def needs(plan: planning.Plan, known: planning.Known) -> tables.Table:
  """Patients needed by arm and verdict."""
  rows = [
    [
      tables.word(n.arm),
      tables.word(n.verdict),
      tables.Cell(number=text_lib.Number(n.gain), signed=True),
      *_sizes(n.patients, known, n.reason),
    ]
    for n in plan.needs
  ]
  return tables.plain_table(
    'needs',
    f'Patients needed for a power of {plan.target:g}',
    [
      tables.Column('arm', word=True),
      tables.Column('verdict', word=True),
      tables.Column('true gain'),
      *_size_columns(known),
    ],
    rows,
  )


def curve(plan: planning.Plan, known: planning.Known) -> tables.Table:
  """The power of both verdicts by number of patients."""
  asked = _asked(plan)
  rows = [
    [
      *_sizes(p.patients, known),
      *(tables.plain(getattr(p, n.verdict)) for n in asked),
    ]
    for p in plan.curve
  ]
  return tables.plain_table(
    'power',
    'Power by number of patients',
    [
      *_size_columns(known),
      *(tables.Column(_named(n)) for n in asked),
    ],
    rows,
  )


def figure(plan: planning.Plan) -> style.Drawn | None:
  """The power curve; None where there is nothing to draw."""
  series = {
    _named(n): [
      lines.Point(p.patients, text_lib.Number(getattr(p, n.verdict)))
      for p in plan.curve
    ]
    for n in _asked(plan)
  }
  if not series:
    return None
  ends = [p.patients for p in (plan.curve[0], plan.curve[-1])]
  series[f'power {plan.target:g}'] = [
    lines.Point(x, text_lib.Number(plan.target)) for x in ends
  ]
  canvas = lines.draw(series, x_name='patients tested', y_name='power')
  details = '; '.join(
    f'{name}: power {plan.target:g} with {n.patients:,} patients'
    for name, n in zip(series, _asked(plan), strict=False)
  )
  return style.Drawn(
    'power',
    'Power by number of patients',
    'The share of studies of that size that would reach the verdict.',
    canvas,
    details=f'{details}.',
  )


def explanations(
  plan: planning.Plan, known: planning.Known, margin: float | None
) -> list[str]:
  """What each number means and rests on, a sentence or two each."""
  singles = ', '.join(known.singles)
  best = known.singles[int(known.behind.argmin())]
  found = []
  if plan.superior:
    n = plan.superior
    apart = ', '.join(
      f'{text_lib.plain(n.gain + b, signed=True)} over {s}'
      for s, b in zip(known.singles, known.behind, strict=True)
    )
    found.append(
      f'superior: of 100 studies with {n.patients:,} patients, '
      f"{100 * plan.target:.0f} would call '{n.arm}' superior if its true "
      f'differences are {apart}: every lower 95% bound is above 0.'
    )
  if plan.equivalent:
    n = plan.equivalent
    found.append(
      f'equivalent: of 100 studies with {n.patients:,} patients, '
      f"{100 * plan.target:.0f} would call '{n.arm}' equivalent if it truly is "
      f"as good as the best single modality, '{best}': the 90% bounds of its "
      f'smallest difference from {singles} lie within {margin:g} of 0, and it '
      'is neither superior nor inferior.'
    )
  bounds = plan.needs[0].bounds
  if not bounds.reason:
    low = text_lib.plain(max(bounds.critical_low))
    high = text_lib.plain(bounds.critical_high)
    found.append(
      f'bounds: corrected for {words.counted(len(known.fusions), "arm")}; they '
      f'lie {low} standard errors below a difference and {high} above (1.96 '
      'for one arm and one single modality).'
    )
  if bounds.factor > 1:
    found.append(
      f'factor: standard errors are {bounds.factor:g} times those of the test '
      'sampling, since models of several test parts share training data; '
      'estimates are taken to vary by as much. It multiplies the patients by '
      f'{bounds.factor**2:.3g}.'
    )
  return [*found, *known.notes(plan.superior or plan.equivalent)]


def warnings(plan: planning.Plan, known: planning.Known) -> list[str]:
  """What to think of before the numbers are used."""
  found = []
  for n in _asked(plan):
    fewest = known.fewest(n.patients)
    if fewest is None:
      continue
    if fewest < _FEW:
      found.append(
        f'{n.verdict}: {fewest:.0f} patients in the smaller class. Below '
        f'{_FEW} the error rates of the verdict are not shown to hold.'
      )
    elif fewest < _FEW_OF_FOLD * known.folds:
      found.append(
        f'{n.verdict}: {fewest / known.folds:.1f} patients of the smaller '
        'class in each test part, whose AUROCs then take few values.'
      )
  return found


def registered(known: planning.Known, margin: float, command: str) -> str:
  """A registration, as TOML, that `registration.load` reads.

  Args:
    known: its metric and arms are fixed.
    margin: of equivalence.
    command: that made it.
  """
  # JSON's strings and lists of strings are TOML's too.
  content: Mapping[str, Any] = {
    'metric': known.metric,
    'margin': margin,
    'estimand': 'min_single',
    'arms': [*known.singles, *known.fusions],
    'reference': registration.BEST_SINGLE,
  }
  head = [
    '# Fixed before the test studies were looked at. Publish this file or its',
    '# SHA-256, then run with --registered=FILE.',
    f'# Made by: {" ".join(command.split())}',
  ]
  rows = [
    f'{k} = {json.dumps(v, ensure_ascii=False)}' for k, v in content.items()
  ]
  return '\n'.join([*head, *rows]) + '\n'


def rounded(plan: planning.Plan, rows: int = 9) -> planning.Plan:
  """The same with a curve short enough for a terminal."""
  kept = {n.patients for n in _asked(plan)}
  step = max(1, math.ceil(len(plan.curve) / rows))
  shorter = [
    p for i, p in enumerate(plan.curve) if not i % step or p.patients in kept
  ]
  return plan.with_curve(shorter)


def _asked(plan: planning.Plan) -> list[planning.Need]:
  return [n for n in (plan.superior, plan.equivalent) if n is not None]


def _named(need: planning.Need) -> str:
  gain = text_lib.plain(need.gain, signed=True) if need.gain else 'no'
  return f'{need.verdict}, {gain} gain'


def _size_columns(known: planning.Known) -> list[tables.Column]:
  names = ['patients', 'studies']
  if known.fewest(1) is not None:
    names.append('smaller class')
  return [tables.Column(name) for name in names]


def _sizes(
  patients: int | None, known: planning.Known, reason: str = ''
) -> list[tables.Cell]:
  columns = len(_size_columns(known))
  if patients is None:
    first = tables.Cell(text_lib.UNDEFINED, value='', reason=reason)
    return [first, *[tables.Cell()] * (columns - 1)]
  sizes: Sequence[float | None] = [
    patients,
    known.studies(patients),
    known.fewest(patients),
  ]
  return [
    tables.Cell(f'{round(x):,}', value=round(x)) for x in sizes if x is not None
  ]
