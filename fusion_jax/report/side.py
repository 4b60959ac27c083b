"""What stands beside the comparison of an arm: calibration, spread, cost."""

from fusion_jax.report import content as content_lib
from fusion_jax.report import prose, tables


def names(page: content_lib.Content) -> list[str]:
  """Headings.

  What is known for no arm has none (one seed, other people's predictions).
  """
  return [
    *(content_lib.CALIBRATION[x] for x in _calibration(page)),
    *(content_lib.SPREADS[x] for x in _spreads(page)),
    *(content_lib.COSTS[x][0] for x in costs(page)),
  ]


def title(page: content_lib.Content) -> str:
  """What `names` are about."""
  known = {
    'calibration': _calibration(page),
    'spread': _spreads(page),
    'cost': costs(page),
  }
  kinds = [name for name, keys in known.items() if keys]
  return prose.listed(kinds).capitalize()


def values(
  page: content_lib.Content, row: content_lib.Row
) -> list[tables.Cell]:
  """One arm's cells under `names`."""
  numbers = [row.calibration.get(x) for x in _calibration(page)]
  numbers += [row.spread.get(x) for x in _spreads(page)]
  known = [(content_lib.COSTS[x][1], getattr(row, x)) for x in costs(page)]
  return [
    *(
      tables.Cell() if x is None else tables.plain(x.estimate, x.reason)
      for x in numbers
    ),
    *(tables.Cell(f(v), value='' if v is None else v) for f, v in known),
  ]


def _calibration(page) -> list[str]:
  rows = page.rows()
  return [
    k for k in content_lib.CALIBRATION if any(k in r.calibration for r in rows)
  ]


def costs(page: content_lib.Content) -> list[str]:
  """Keys of the costs that are known of some arm."""
  rows = page.rows()
  return [
    k for k in content_lib.COSTS if any(getattr(r, k) is not None for r in rows)
  ]


def _spreads(page) -> list[str]:
  known = [
    name
    for row in page.rows()
    for name, number in row.spread.items()
    if number.estimate is not None
  ]
  return [name for name in content_lib.SPREADS if name in known]
