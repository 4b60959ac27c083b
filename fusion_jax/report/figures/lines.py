"""Performance against a rate, a size or a cost."""

import dataclasses
from collections.abc import Mapping, Sequence

from matplotlib import ticker

from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import style


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


def scatter(spots: Sequence[Spot], *, cost_name: str, y_name: str):
  """Cost against performance, the front as a line; None if nothing is known."""
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
    for k, spot in enumerate(front):
      axes.annotate(
        spot.arm,
        (spot.cost, spot.number.estimate),
        xytext=(4, 5 if k % 2 == 0 else -11),
        textcoords='offset points',
        fontsize=8,
      )
    if all(s.cost > 0 for s in spots):
      axes.set_xscale('log')
      costs = [s.cost for s in spots]
      steps = (1,) if max(costs) > 100 * min(costs) else (1, 2, 5)
      axes.xaxis.set_major_locator(ticker.LogLocator(subs=steps, numticks=5))
      axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(lambda value, _: _amount(value))
    axes.margins(0.12)
    axes.set_xlabel(cost_name)
    axes.set_ylabel(y_name)
    style.legend(canvas, axes)
  return canvas


def _amount(value: float) -> str:
  return text_lib.count(value) if value >= 1 else f'{value:g}'
