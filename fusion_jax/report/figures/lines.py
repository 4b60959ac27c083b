"""Performance against a rate, a size or a cost."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from matplotlib import ticker

from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import style

# At most so many ticks stand side by side on a logarithmic axis.
_TICKS = 5
# Names in a plot of 3.3 x 2.6 inches, as shares of it: the width of a letter,
# the height of a line, the room beside a spot; longer names are cut.
_LETTER, _LINE, _ASIDE = 0.021, 0.055, 0.02
_LETTERS = 30


@dataclasses.dataclass(frozen=True)
class Point:
  """One place of a line: x and a number with its interval."""

  x: float
  number: text_lib.Number


def draw(
  series: Mapping[str, Sequence[Point]],
  *,
  x_name: str,
  y_name: str,
  zero: bool = False,
):
  """Lines with bands as a matplotlib figure; None if nothing is known.

  Args:
    series: by arm, in the order of the legend; at most six look different.
    x_name: name of the x axis.
    y_name: name of the y axis.
    zero: whether a line stands at y = 0.
  """
  known = {
    arm: [p for p in points if p.number.estimate is not None]
    for arm, points in series.items()
  }
  if not any(known.values()):
    return None
  with style.context():
    canvas = style.new(4.2, 3.7)
    axes = canvas.subplots()
    for number, (arm, points) in enumerate(known.items()):
      look = style.look(number)
      axes.plot(
        [p.x for p in points],
        [p.number.estimate for p in points],
        label=style.label(arm),
        gid=style.arm_id(arm),
        markevery=max(1, len(points) // 5),
        **look,
      )
      banded = [p for p in points if p.number.has_interval()]
      axes.fill_between(
        [p.x for p in banded],
        [p.number.low for p in banded],
        [p.number.high for p in banded],
        color=look['color'],
        alpha=0.13,
        linewidth=0,
        gid=style.arm_id(arm, 'band'),
      )
    if zero:
      axes.axhline(0, color=style.INK, linewidth=0.9)
    axes.set_xlabel(x_name)
    axes.set_ylabel(y_name)
    style.legend(canvas, axes)
  return canvas


@dataclasses.dataclass(frozen=True)
class Spot:
  """One arm of a trade-off: what it costs and what it is worth."""

  arm: str
  strategy: str
  cost: float
  number: text_lib.Number
  on_front: bool


def scatter(
  spots: Sequence[Spot], *, cost_name: str, y_name: str, unit: str = ''
):
  """Cost against performance, the front as a line; None if nothing is known.

  Args:
    spots: one for each arm; those of the front are named where there is room.
    cost_name: name of the x axis.
    y_name: name of the y axis.
    unit: of the costs: 's', or empty for a count.
  """
  spots = [s for s in spots if s.number.estimate is not None]
  if not spots:
    return None
  with style.context():
    canvas = style.new(4.2, 3.9)
    axes = canvas.subplots()
    strategies = list(dict.fromkeys(s.strategy for s in spots))
    front = sorted((s for s in spots if s.on_front), key=lambda s: s.cost)
    if front:
      axes.plot(
        [s.cost for s in front],
        [s.number.estimate for s in front],
        color=style.FAINT,
        linestyle='--',
        linewidth=1.0,
        label='nothing cheaper is better',
      )
    for number, strategy in enumerate(strategies):
      look = style.look(number)
      here = [s for s in spots if s.strategy == strategy]
      axes.scatter(
        [s.cost for s in here],
        [s.number.estimate for s in here],
        color=look['color'],
        marker=look['marker'],
        s=26,
        zorder=3,
        label=strategy,
      )
    costs = [s.cost for s in spots]
    ticks = _ticks(min(costs), max(costs)) if min(costs) > 0 else []
    if len(ticks) > 1:
      axes.set_xscale('log')
      axes.xaxis.set_major_locator(ticker.FixedLocator(ticks))
      axes.xaxis.set_minor_locator(ticker.NullLocator())
    else:
      axes.xaxis.set_major_locator(ticker.MaxNLocator(3))
    axes.xaxis.set_major_formatter(lambda value, _: _amount(value, unit))
    axes.margins(0.12)
    # Asked for, the limits are settled.
    axes.get_xlim(), axes.get_ylim()
    _name(axes, front, spots)
    axes.set_xlabel(cost_name)
    axes.set_ylabel(y_name)
    style.legend(canvas, axes)
  return canvas


def _ticks(low: float, high: float) -> list[float]:
  """Round places of a logarithmic axis, few enough to be read."""
  decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
  found: list[float] = []
  for steps in ((1, 2, 5), (1, 3), (1,)):
    places = (float(f'{s}e{d}') for d in decades for s in steps)
    found = [x for x in places if low <= x <= high]
    if len(found) <= _TICKS:
      return found
  return found[:: math.ceil(len(found) / _TICKS)]


def _amount(value: float, unit: str) -> str:
  """What stands at a tick."""
  if unit == 's' and 0 < abs(value) < 0.1:
    value, unit = 1000 * value, 'ms'
  text = text_lib.count(value) if value >= 1000 else f'{value:.4g}'
  return f'{text} {unit}'.rstrip()


def _name(axes, front: Sequence[Spot], spots: Sequence[Spot]) -> None:
  """Names arms beside their spots, unless that hides another name or spot.

  Places and sizes are shares of the plot, which no name changes.
  """

  def place(spot):
    data = axes.transData.transform((spot.cost, spot.number.estimate))
    return axes.transAxes.inverted().transform(data)

  taken = [(x, x, y, y) for x, y in map(place, spots)]
  for spot in front:
    name = style.shortened(spot.arm, _LETTERS)
    width, (x, y) = _LETTER * len(name), place(spot)
    right, left = x + _ASIDE, x - _ASIDE - width
    middle = min(max(0, x - width / 2), 1 - width)
    above, below = y + _ASIDE, y - _ASIDE - _LINE
    # First those that the front, where more is better, does not cross.
    for low, start in (
      (below, right),
      (above, left),
      (above, right),
      (below, left),
      (below, middle),
      (above, middle),
    ):
      box = (start, start + width, low, low + _LINE)
      inside = min(start, low) >= 0 and max(box) <= 1
      if inside and not any(_meet(box, x) for x in taken):
        axes.text(
          start, low, name, fontsize=8, va='bottom', transform=axes.transAxes
        ).set_in_layout(False)
        taken.append(box)
        break


def _meet(a, b) -> bool:
  """Whether two boxes (left, right, low, high) have a point in common."""
  return a[0] <= b[1] and b[0] <= a[1] and a[2] <= b[3] and b[2] <= a[3]
