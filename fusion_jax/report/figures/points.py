"""One point a study: predicted values beside observed ones or residuals."""

from collections.abc import Sequence

from matplotlib import patches
from matplotlib import path as path_lib

from fusion_jax.report.figures import style

# Points of one layer are one path, which keeps a file small; where layers lie
# over each other it is darker.
_LAYERS = 8
_WIDTH = 3.0
# Half of the length of a dot, as a share of the axis.
_HALF = 2e-4
# How opaque they are, up to so many points and with more.
_FEW, _ALPHA = 300, (0.8, 0.45)
# Closed, as matplotlib leaves out points of an open path that has many.
_CODES = [path_lib.Path.MOVETO, path_lib.Path.LINETO, path_lib.Path.CLOSEPOLY]
# Room beyond the outermost point, as a share of what lies between.
_ASIDE = 0.04


def limits(*values: Sequence[float]) -> tuple[float, float]:
  """An axis that all values lie on, with some room at its ends."""
  low = min(x for some in values for x in some)
  high = max(x for some in values for x in some)
  room = _ASIDE * (high - low) or 0.5 * abs(high) or 1.0
  return low - room, high + room


def draw(
  x: Sequence[float],
  y: Sequence[float],
  *,
  x_name: str,
  y_name: str,
  x_limits: tuple[float, float],
  y_limits: tuple[float, float],
  identity: bool,
):
  """Points with a line, as a matplotlib figure; None without points.

  Args:
    x: (n,) values.
    y: (n,) values.
    x_name: name of the x axis.
    y_name: name of the y axis.
    x_limits: ends of the x axis.
    y_limits: ends of the y axis.
    identity: whether the line is y = x, or else y = 0.
  """
  if not len(x):
    return None
  with style.context():
    canvas = style.new(4.2, 3.9)
    axes = canvas.subplots()
    # A dot is a line with round ends that is hardly longer than nothing:
    # some programs leave out one without any length.
    half = _HALF * (x_limits[1] - x_limits[0])
    for layer in range(min(_LAYERS, len(x))):
      places = [
        (a + shift, b)
        for a, b in zip(x[layer::_LAYERS], y[layer::_LAYERS], strict=True)
        for shift in (-half, half, -half)
      ]
      axes.add_patch(
        patches.PathPatch(
          path_lib.Path(places, _CODES * (len(places) // 3)),
          facecolor='none',
          edgecolor=style.SERIES[0],
          linewidth=_WIDTH,
          alpha=_ALPHA[len(x) > _FEW],
          capstyle='round',
          joinstyle='round',
          snap=False,
        )
      )
    slope = 1 if identity else 0
    axes.axline((0, 0), slope=slope, color=style.INK, linewidth=0.9)
    axes.set_xlim(x_limits)
    axes.set_ylim(y_limits)
    axes.set_xlabel(x_name)
    axes.set_ylabel(y_name)
  return canvas
