"""Performance against a rate, a size or a cost."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import ticker

from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import style

# At most so many ticks stand side by side on a logarithmic axis.
_TICKS = 5
# Names in a plot of 3.3 x 2.6 inches, as shares of it: the width of a letter
# and the height of a line; longer names are cut.
_LETTER, _LINE = 0.021, 0.055
_LETTERS = 30
# Half of a spot, likewise.
_SPOT = (0.013, 0.017)
# How far names and numbers may lie from their spots, the nearest first; from
# where on a line leads there. Inches that a row of a key takes.
_NEAR = (0.02, 0.035)
_FAR = tuple(0.02 + 0.03 * k for k in range(24))
_LEADER = 0.09
_ROW = 0.17


@dataclasses.dataclass(frozen=True)
class Point:
  """One place of a line: x and a number with its interval."""

  x: float
  number: text_lib.Number


def points(curve: Mapping[str, Any], x: str = 'x', y: str = 'y') -> list[Point]:
  """The places of a curve of lists `x`, `y`, 'low' and 'high'.

  None and NaN are undefined; without bounds there is no interval.
  """
  places = curve.get(x) or ()
  unknown = [None] * len(places)
  numbers = (curve.get(name) or unknown for name in (y, 'low', 'high'))
  return [
    Point(at, text_lib.Number(*(None if v != v else v for v in values)))
    for at, *values in zip(places, *numbers, strict=True)
  ]


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
    spots: one for each arm, whose name stands beside it; where there is no
      room for all of them they are numbered, with a key below.
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
      here = [s for s in spots if s.strategy == strategy]
      look = style.look(number)
      axes.scatter(
        [s.cost for s in here],
        [s.number.estimate for s in here],
        color=look['color'],
        marker=look['marker'],
        s=26,
        zorder=3,
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
    ordered = [s for x in strategies for s in spots if s.strategy == x]
    named = _name(axes, spots)
    if not named:
      _number(axes, ordered)
      canvas.set_figheight(canvas.get_figheight() + _ROW * len(spots))
    _key(axes, ordered, numbered=not named)
    axes.set_xlabel(cost_name)
    axes.set_ylabel(y_name)
    style.legend(canvas, axes)
  return canvas


def _key(axes, spots: Sequence[Spot], *, numbered: bool) -> None:
  """Entries of the legend: each strategy, below it its numbered arms."""
  strategies = list(dict.fromkeys(s.strategy for s in spots))
  for number, strategy in enumerate(strategies):
    look = style.look(number) | {'linestyle': 'none'}
    axes.plot([], [], label=strategy, **look)
    for k, spot in enumerate(spots):
      if numbered and spot.strategy == strategy:
        axes.plot([], [], linestyle='none', label=f'{k + 1}  {spot.arm}')


def _ticks(low: float, high: float) -> list[float]:
  """Round places of a logarithmic axis, few enough to be read."""
  decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
  ticks: list[float] = []
  for steps in ((1, 2, 5), (1, 3), (1,)):
    places = (float(f'{s}e{d}') for d in decades for s in steps)
    ticks = [x for x in places if low <= x <= high]
    if len(ticks) <= _TICKS:
      return ticks
  return ticks[:: math.ceil(len(ticks) / _TICKS)]


def _amount(value: float, unit: str) -> str:
  """What stands at a tick."""
  if unit == 's' and 0 < abs(value) < 0.1:
    value, unit = 1000 * value, 'ms'
  text = text_lib.count(value) if value >= 1000 else f'{value:.4g}'
  return f'{text} {unit}'.rstrip()


def _name(axes, spots: Sequence[Spot]) -> bool:
  """Writes the names of all arms beside their spots; False without room.

  Then nothing is written. Those of the front choose first.
  """
  ordered = sorted(spots, key=lambda s: not s.on_front)
  names = [style.shortened(s.arm, _LETTERS) for s in ordered]
  boxes = _boxes(axes, ordered, names, _NEAR)
  if None in boxes:
    return False
  for name, box in zip(names, boxes, strict=True):
    _write(axes, box, name)
  return True


def _number(axes, spots: Sequence[Spot]) -> None:
  """Writes 1, 2, ... beside the spots, with a line where it is not near."""
  numbers = [str(k + 1) for k in range(len(spots))]
  boxes = _boxes(axes, spots, numbers, _FAR)
  for spot, number, box in zip(spots, numbers, boxes, strict=True):
    if box is None:
      continue
    _write(axes, box, number)
    middle = ((box[0] + box[1]) / 2, (box[2] + box[3]) / 2)
    place = _place(axes, spot)
    if math.dist(middle, place) > _LEADER:
      axes.annotate(
        '',
        place,
        xytext=middle,
        xycoords=axes.transAxes,
        textcoords=axes.transAxes,
        arrowprops={
          'arrowstyle': '-',
          'color': style.FAINT,
          'linewidth': 0.6,
          'shrinkA': 5,
          'shrinkB': 3,
        },
      ).set_in_layout(False)


def _write(axes, box, text) -> None:
  axes.text(
    box[0], box[2], text, fontsize=8, va='bottom', transform=axes.transAxes
  ).set_in_layout(False)


def _place(axes, spot):
  """A spot as shares of the plot, which no text changes."""
  data = axes.transData.transform((spot.cost, spot.number.estimate))
  return axes.transAxes.inverted().transform(data)


def _boxes(axes, spots, texts, distances) -> list[tuple[float, ...] | None]:
  """For each text a box (left, right, low, high) that meets no other or spot.

  None where there is no room at any of the distances from its spot.
  """
  places = [_place(axes, s) for s in spots]
  wide, high = _SPOT
  taken = [(x - wide, x + wide, y - high, y + high) for x, y in places]
  boxes: list[tuple[float, ...] | None] = []
  for text, (x, y) in zip(texts, places, strict=True):
    width = _LETTER * len(text)
    near = (
      (start, start + width, low, low + _LINE)
      for aside in distances
      for low, start in _around(x, y, width, aside)
    )
    free = (
      box
      for box in near
      if min(box[0], box[2]) >= 0
      and max(box) <= 1
      and not any(_meet(box, other) for other in taken)
    )
    box = next(free, None)
    boxes.append(box)
    if box is not None:
      taken.append(box)
  return boxes


def _around(x, y, width, aside) -> list[tuple[float, float]]:
  """Lower edges and left ends of boxes around a place."""
  right, left = x + aside, x - aside - width
  middle = min(max(0, x - width / 2), 1 - width)
  above, below, level = y + aside, y - aside - _LINE, y - _LINE / 2
  # First those that the front, where more is better, does not cross.
  return [
    (below, right),
    (above, left),
    (above, right),
    (below, left),
    (below, middle),
    (above, middle),
    (level, right),
    (level, left),
  ]


def _meet(a, b) -> bool:
  """Whether two boxes (left, right, low, high) have a point in common."""
  return a[0] <= b[1] and b[0] <= a[1] and a[2] <= b[3] and b[2] <= a[3]
