"""What the runs say: rates with bounds, and which cells fail."""

import textwrap
from collections.abc import Mapping
from typing import Any

from experiments.studies.calibration import cells as cells_lib
from experiments.studies.published import reported
from fusion_jax.core import words
from fusion_jax.evaluation import caveats

VERSION = 2
PASS, FAIL, APART = 'pass', 'FAIL', 'apart'
# Parts that train models and evaluate them.
WHOLE = ('end_to_end', 'fresh')
JUDGED = ('scores', 'intervals', 'power', *WHOLE)
PARTS = ('scores', 'intervals', *WHOLE, 'power', 'naive')

# Largest rates of error, and of what they are an error; coverage is the rest
# of its own.
NOMINAL = {
  'superior': 0.025,
  'inferior': 0.025,
  'equivalent': 0.05,
  'covered': 0.05,
}
NAMES = {
  'superior': '"superior" wrongly',
  'inferior': '"inferior" wrongly',
  'equivalent': '"equivalent" wrongly',
  'covered': 'gains covered',
}
_LEVEL = 0.001
CRITERION = (
  'A cell fails if the exact 99.9% binomial interval of one of its error rates '
  'lies above the nominal one: "superior" of an arm whose true gain is 0 or '
  'less, 2.5%; "inferior" of one whose true gain is 0 or more, 2.5%; '
  '"equivalent" of one whose true gain is the margin or more on either side, '
  '5%; not all of its true gains inside their intervals, 5%. Cells with fewer '
  f'than {caveats.FEWEST_PATIENTS} patients in the smaller class stand apart: '
  'they are shown, not judged.'
)


def judge(results: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
  """The results of `cells.run`, JSON-ready, with which cells fail.

  A rate is {estimate, low, high, runs} with 95% Clopper-Pearson bounds.
  """
  rows = [_row(result) for result in results.values()]
  failed = [r for r in rows if FAIL in r['criterion'].values()]
  return {
    'version': VERSION,
    'criterion': CRITERION,
    'result': FAIL if failed else PASS,
    'cells': rows,
  }


def fails(name: str, tally: cells_lib.Tally) -> bool:
  """Whether an error rate is shown to be above what it may be.

  Args:
    name: of NOMINAL.
    tally: how often the error was made; of 'covered', how often it was not.
  """
  errors = round(tally.total)
  errors = tally.runs - errors if name == 'covered' else errors
  low, _ = reported.clopper_pearson(errors, tally.runs, level=1 - _LEVEL)
  return low > NOMINAL[name]


def _row(result) -> dict[str, Any]:
  cell, tallies = result['cell'], result['tallies']
  fewest = tallies['fewest']
  enough = fewest.mean >= caveats.FEWEST_PATIENTS
  criterion = {}
  if cell.part in JUDGED:
    for name in NOMINAL:
      tally = tallies.get(name)
      if tally is not None and tally.runs:
        bad = fails(name, tally)
        criterion[name] = (FAIL if bad else PASS) if enough else APART
  return {
    'part': cell.part,
    'k': cell.k,
    'n': cell.n,
    'per_patient': cell.per_patient,
    'singles': list(cell.singles),
    'gain': cell.gain,
    'every': cell.every,
    'folds': cell.folds,
    'seeds': cell.seeds,
    'twins': cell.twins,
    'events': cell.events,
    'factor': cell.factor,
    'runs': fewest.runs,
    'seconds_per_run': result['seconds'] / fewest.runs,
    'fewest_patients': fewest.mean,
    'outcomes': {
      name: _rate(name, tally)
      for name, tally in tallies.items()
      if name != 'fewest' and tally.runs
    },
    'criterion': criterion,
  }


def _rate(name, tally) -> dict[str, Any]:
  if 'width' in name:
    # A mean and no rate.
    return {'estimate': tally.mean, 'runs': tally.runs}
  low, high = reported.clopper_pearson(round(tally.total), tally.runs)
  return {'estimate': tally.mean, 'low': low, 'high': high, 'runs': tally.runs}


def shown(rate: Mapping[str, Any] | None) -> str:
  """A rate with its bounds, or a mean, as text."""
  if rate is None:
    return 'n/a'
  if 'low' not in rate:
    return f'{rate["estimate"]:.3f}'
  bounds = f'{100 * rate["low"]:.1f}, {100 * rate["high"]:.1f}'
  return f'{100 * rate["estimate"]:.1f}% [{bounds}]'


def world(row: Mapping[str, Any]) -> str:
  """What is special about a cell's world, in words."""
  singles = row['singles']
  text = 'tied' if len(set(singles)) == 1 else 'unequal'
  if row['part'] in WHOLE:
    text = 'image and its copy'
  elif len(singles) > 2:
    text = f'{words.counted(len(singles), text + " single")}'
  for condition, what in (
    (row['folds'] > 1, words.counted(row['folds'], 'fold')),
    (row['seeds'] > 1, words.counted(row['seeds'], 'seed')),
    (row['twins'], 'twins'),
    (row['factor'] != 1, f'factor {row["factor"]:g}'),
  ):
    text += f', {what}' if condition else ''
  return text


def faults(results: Mapping[str, Any]) -> list[str]:
  """Which cells fail, why, and how many do not."""
  judged = [
    r for r in results['cells'] if set(r['criterion'].values()) & {PASS, FAIL}
  ]
  lines, failed = [], 0
  for row in judged:
    names = [n for n, state in row['criterion'].items() if state == FAIL]
    failed += bool(names)
    lines += [
      f'{FAIL}: {row["part"]}, {world(row)}, k = {row["k"]}, n = {row["n"]}, '
      f'{row["per_patient"]} a patient, gain {row["gain"]:g}, {row["runs"]} '
      f'runs: {NAMES[n]} {shown(row["outcomes"][n])}'
      for n in names
    ]
  return [
    *lines,
    f'{len(judged) - failed} of {words.counted(len(judged), "judged cell")} '
    'do not fail',
  ]


def lines(results: Mapping[str, Any], width: int = 80) -> list[str]:
  """What is printed: what fails and why, the criterion, the result.

  Args:
    results: of `judge`.
    width: no line is longer.
  """
  return [
    line
    for text in (
      *faults(results),
      results['criterion'],
      f'Result: {results["result"]}',
    )
    for line in textwrap.wrap(
      text, width, subsequent_indent='  ', break_on_hyphens=False
    )
  ]
