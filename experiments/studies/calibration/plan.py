"""Which cells a simulation has, and how often each is run."""

from experiments.studies.calibration import (
  cells,
  end_to_end,
  findings,
  intervals,
  scores,
)
from fusion_jax.core import errors
from fusion_jax.evaluation import dependence

FUNCTIONS = {
  'scores': scores.verdict,
  'power': scores.verdict,
  'intervals': intervals.coverage,
  'naive': scores.naive,
  'end_to_end': end_to_end.verdict,
  'fresh': end_to_end.fresh,
}
DEFAULT_RUNS = {'scores': 2000, 'power': 500, 'intervals': 2000, 'naive': 1000}
DEFAULT_RUNS |= {'end_to_end': 500, 'fresh': 500}
# Studies of a cohort and of each of its patients.
COHORTS = ((300, 1), (1000, 3))

_Cell = cells.Cell
# Patients and studies of each, where single arms are tied, unequal, or four.
_SCORES = (
  *(_Cell('scores', 7, n, 1) for n in (20, 100, 300, 1000)),
  _Cell('scores', 3, 5000, 1),
  *(_Cell('scores', 7, 5 * n, 5) for n in (20, 100, 300)),
  *(_Cell('scores', 7, n, 1, singles=cells.UNEQUAL) for n in (100, 300, 1000)),
  _Cell('scores', 3, 5000, 1, singles=cells.UNEQUAL),
  _Cell('scores', 7, 1500, 5, singles=cells.UNEQUAL),
  *(
    _Cell('scores', 7, n, 1, singles=cells.FOUR_TIED) for n in (100, 300, 1000)
  ),
  _Cell('scores', 7, 1500, 5, singles=cells.FOUR_TIED),
  _Cell('scores', 1, 1000, 1),
  _Cell('scores', 15, 300, 1),
  _Cell('scores', 7, 300, 1, folds=5),
  _Cell('scores', 7, 1000, 1, folds=5, singles=cells.UNEQUAL),
  _Cell('scores', 3, 300, 1, seeds=3),
  _Cell('scores', 3, 300, 1, seeds=3, singles=cells.FOUR_TIED),
  _Cell('scores', 7, 300, 1, twins=True),
  _Cell('scores', 7, 1000, 1, twins=True),
  # True gains of exactly the margin, on either side.
  *(
    _Cell('scores', 3, n, 1, gain=g, every=True, singles=s)
    for s in (cells.TIED, cells.UNEQUAL, cells.FOUR_TIED)
    for g, n in ((0.02, 1000), (-0.02, 1000))
  ),
)
_POWER = tuple(
  _Cell('power', 3, n, 1, gain=g, singles=s)
  for s in (cells.TIED, cells.UNEQUAL, cells.FOUR_TIED)
  for g in (0.0, 0.03, 0.05)
  for n in (300, 1000)
) + tuple(
  # Enough for "equivalent".
  _Cell('power', 3, 5000, 1, gain=g, singles=s)
  for s in (cells.TIED, cells.UNEQUAL)
  for g in (0.0, -0.02)
)
_INTERVALS = tuple(
  _Cell('intervals', 1, 5 * events, 1, singles=(area, area), events=events)
  for area in (0.80, 0.95, 0.99)
  for events in (15, 50, 150)
)
_NAIVE = tuple(
  _Cell('naive', k, n, p)
  for k in (1, 7, 15)
  for p in (1, 5)
  for n in (100, 1000)
)


def grid(parts: tuple[str, ...], max_n: int = 0) -> list[cells.Cell]:
  """The cells of the parts, without those of more than `max_n` studies."""
  # Fresh patients have trained no model, so that the factor is 1 for them.
  whole = [
    _Cell(
      part,
      len(end_to_end.FUSIONS),
      n,
      p,
      factor=1.0 if part == 'fresh' else dependence.FACTOR,
    )
    for part in findings.WHOLE
    for n, p in COHORTS
  ]
  every = [*_SCORES, *_POWER, *_INTERVALS, *_NAIVE, *whole]
  order = {part: i for i, part in enumerate(parts)}
  chosen = [c for c in every if c.part in order]
  chosen.sort(key=lambda c: order[c.part])
  return [c for c in chosen if not max_n or c.n <= max_n]


def parse_runs(text: str, parts: tuple[str, ...]) -> dict[str, int]:
  """Runs by part from '200' or 'scores:200,naive:1000'.

  Raises:
    UserError: for an unknown part or what is no positive whole number.
  """
  runs = {part: DEFAULT_RUNS[part] for part in parts}
  for item in filter(None, (x.strip() for x in text.split(','))):
    part, colon, number = item.rpartition(':')
    if colon and part not in FUNCTIONS:
      raise errors.unknown_name('part', part, findings.PARTS, where='--runs')
    if not number.isdecimal() or int(number) < 1:
      raise errors.UserError(
        f"--runs='{text}': expected a positive whole number or "
        f"PART:NUMBER,..., got '{item}'."
      )
    for name in [part] if colon else parts:
      if name in runs:
        runs[name] = int(number)
  return runs
