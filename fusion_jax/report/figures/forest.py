"""Estimates with intervals, one line each, on a shared axis."""

import dataclasses
from collections.abc import Sequence

from fusion_jax.report import text as text_lib
from fusion_jax.report.figures import style


@dataclasses.dataclass(frozen=True)
class Line:
  """One line.

  Attributes:
    name: at its left.
    number: what is drawn; nothing where it has no estimate.
    heading: of the group that begins here, or empty.
    style: a verdict, which colours it.
  """

  name: str
  number: text_lib.Number
  heading: str = ''
  style: str = ''


_COLORS = {
  'superior': style.GOOD,
  'inferior': style.BAD,
  'inconclusive': style.FAINT,
}


def draw(
  lines: Sequence[Line],
  *,
  axis: str,
  zero: float | None = 0.0,
  margin: float = 0.0,
  signed: bool = True,
):
  """A forest plot as a matplotlib figure; None if nothing has an interval.

  Args:
    lines: from top to bottom.
    axis: what the numbers are.
    zero: where a line stands for no effect; None for none.
    margin: half the width of a shaded band around `zero`.
    signed: whether the numbers are differences.
  """
  if not any(x.number.has_interval() for x in lines):
    return None
  rows = len(lines) + sum(bool(x.heading) for x in lines)
  with style.context():
    # Long names must not take the room of the plot.
    longest = max(len(x.name) for x in lines)
    width = 4.5 + 0.075 * max(0, longest - 18)
    canvas = style.new(width, 0.8 + 0.235 * rows)
    axes = canvas.subplots()
    axes.grid(False, axis='y')
    if margin and zero is not None:
      axes.axvspan(zero - margin, zero + margin, color=style.SOFT, lw=0)
    if zero is not None:
      axes.axvline(zero, color=style.INK, linewidth=0.9)
    beside = axes.get_yaxis_transform()
    ticks, names, place = [], [], 0
    for line in lines:
      if line.heading:
        axes.annotate(
          line.heading,
          (0, place),
          xycoords=beside,
          xytext=(-4, 0),
          textcoords='offset points',
          ha='right',
          va='center',
          color=style.FAINT,
          fontstyle='italic',
          fontsize=8.5,
        )
        place += 1
      _bar(axes, place, line.number, _COLORS.get(line.style, style.SERIES[0]))
      text = text_lib.interval(
        dataclasses.replace(line.number, reason=''),
        text_lib.Reasons(),
        signed=signed,
      )
      axes.text(1.02, place, text, transform=beside, va='center', fontsize=8.5)
      ticks.append(place)
      names.append(line.name)
      place += 1
    axes.set_yticks(ticks, names)
    axes.set_ylim(place - 0.4, -0.6)
    axes.tick_params(axis='y', length=0)
    axes.spines['left'].set_visible(False)
    axes.locator_params(axis='x', nbins=5)
    axes.set_xlabel(axis)
  return canvas


def _bar(axes, place, number, color) -> None:
  if number.has_interval():
    axes.plot(
      [number.low, number.high],
      [place, place],
      color=color,
      solid_capstyle='butt',
    )
  if number.estimate is not None:
    axes.plot(
      [number.estimate],
      [place],
      marker='s',
      markersize=5,
      color=color,
    )
