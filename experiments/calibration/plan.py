"""Which cells a simulation has, and how often each is run."""

from experiments.calibration import cells, end_to_end, findings, scores
from fusion_jax.core import errors

FUNCTIONS = {
  'scores': scores.verdict,
  'power': scores.verdict,
  'naive': scores.naive,
  'end_to_end': end_to_end.verdict,
  'fresh': end_to_end.fresh,
}
DEFAULT_RUNS = {'scores': 1000, 'power': 1000, 'naive': 1000}
DEFAULT_RUNS |= {'end_to_end': 300, 'fresh': 300}
FAMILIES = (1, 7, 15)
SIZES = (100, 250, 1000, 5000)
GAINS = (0.01, 0.02, 0.04)
COHORTS = (300, 1000)
WEAK_EHR = 0.55


def grid(parts: tuple[str, ...], max_n: int = 0) -> list[cells.Cell]:
  """The cells of the parts, without those of more than `max_n` studies."""
  found = []
  for part in parts:
    if part in findings.WHOLE:
      found += [
        cells.Cell(part, len(end_to_end.FUSIONS), n, p)
        for n in COHORTS
        for p in (1, 3)
      ]
    elif part == 'power':
      found += [
        cells.Cell(part, k, n, 1, gain)
        for k in (1, 7)
        for gain in GAINS
        for n in SIZES[1:]
      ]
    else:
      found += [
        cells.Cell(part, k, n, p)
        for k in FAMILIES
        for p in (1, 5)
        for n in SIZES
      ]
    if part == 'scores':
      # With a useless EHR arm only the comparison with the image is a hurdle.
      found += [
        cells.Cell(part, k, n, p, ehr=WEAK_EHR)
        for k in FAMILIES
        for p in (1, 5)
        for n in SIZES[::2]
      ]
  return [c for c in found if not max_n or c.n <= max_n]


def parse_runs(text: str, parts: tuple[str, ...]) -> dict[str, int]:
  """Runs by part from '200' or 'scores:200,naive:1000'.

  Raises:
    UserError: for an unknown part or what is no positive whole number.
  """
  found = {part: DEFAULT_RUNS[part] for part in parts}
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
      if name in found:
        found[name] = int(number)
  return found
