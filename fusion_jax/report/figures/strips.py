"""Rows of a forest plot as small SVGs of one scale, one for each table row.

A strip is as wide as its cell: places along the axis are shares of its width,
so that the plot fits a screen of any size and rows can be sorted.
"""

import dataclasses
import html
import math
from collections.abc import Sequence

from fusion_jax.report import text as text_lib

HEIGHT = 21
_AXIS_HEIGHT = 18
# Room beyond the outermost value, as a share of what lies between.
_ASIDE = 0.04
_TICKS = 6
_STEPS = (1, 2, 2.5, 5, 10)


@dataclasses.dataclass(frozen=True)
class Scale:
  """What the width of a strip stands for.

  Attributes:
    low: at its left end.
    high: at its right end.
    zero: where a line stands for no effect; None for none.
    margin: half the width of a shaded band around `zero`.
    signed: whether values are differences.
  """

  low: float
  high: float
  zero: float | None = 0.0
  margin: float = 0.0
  signed: bool = True

  def place(self, value: float) -> float:
    """The share of the width that lies left of a value, in percent."""
    return 100 * (value - self.low) / (self.high - self.low)

  def ticks(self) -> list[float]:
    """Round values within the scale, few enough to be read."""
    rough = (self.high - self.low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s * power for s in _STEPS if s * power >= rough * (1 - 1e-9))
    first = math.ceil(self.low / step - 1e-9)
    last = math.floor(self.high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def scale(
  numbers: Sequence[text_lib.Number],
  *,
  zero: float | None = 0.0,
  margin: float = 0.0,
  signed: bool = True,
) -> Scale | None:
  """A scale that holds all numbers and their bounds; None if there are none."""
  values = [
    v for x in numbers for v in (x.estimate, x.low, x.high) if v is not None
  ]
  if not values:
    return None
  if zero is not None:
    values += [zero - margin, zero + margin]
  low, high = min(values), max(values)
  aside = _ASIDE * (high - low) or max(abs(high), 1e-3)
  return Scale(low - aside, high + aside, zero, margin, signed)


def strip(
  number: text_lib.Number | None, on: Scale, *, style: str, title: str
) -> str:
  """One row as an `svg` element; the same numbers stand in the row as text.

  Args:
    number: a line for its bounds and a dot for its estimate; neither if None.
    on: the scale of all rows.
    style: classes of the page's style sheet.
    title: what is shown to who points at it.
  """
  shapes = []
  if on.zero is not None:
    left, right = (on.place(on.zero + s * on.margin) for s in (-1, 1))
    if on.margin:
      shapes.append(
        f'<rect class="band" x="{left:.2f}%" width="{right - left:.2f}%" '
        'y="0" height="100%"/>'
      )
    zero = f'{on.place(on.zero):.2f}%'
    shapes.append(
      f'<line class="zero" x1="{zero}" x2="{zero}" y1="0" y2="100%"/>'
    )
  middle = HEIGHT // 2
  if number is not None and number.has_interval():
    shapes.append(
      f'<line class="bar" x1="{on.place(number.low):.2f}%" '
      f'x2="{on.place(number.high):.2f}%" y1="{middle}" y2="{middle}"/>'
    )
  if number is not None and number.estimate is not None:
    shapes.append(
      f'<circle class="dot" cx="{on.place(number.estimate):.2f}%" '
      f'cy="{middle}" r="4"/>'
    )
  return (
    f'<svg class="strip {html.escape(style)}" width="100%" height="{HEIGHT}" '
    f'aria-hidden="true"><title>{html.escape(title)}</title>'
    f'{"".join(shapes)}</svg>'
  )


def axis(on: Scale) -> str:
  """The values below the strips as an `svg` element."""
  texts = []
  for value in on.ticks():
    text = text_lib.short(value, signed=on.signed)
    texts.append(
      f'<text x="{on.place(value):.2f}%" y="13" text-anchor="middle">'
      f'{text}</text>'
    )
  return (
    f'<svg class="strip axis" width="100%" height="{_AXIS_HEIGHT}" '
    f'aria-hidden="true">{"".join(texts)}</svg>'
  )
