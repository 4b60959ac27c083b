"""An image beside the map of what hiding its areas changes."""

import base64
import io
from collections.abc import Mapping
from typing import Any

from matplotlib import colors
from matplotlib import image as image_lib

from fusion_jax.report.figures import style

# Lowers, nothing, raises: two of the series' colours.
_COLOURS = colors.LinearSegmentedColormap.from_list(
  'change', (style.SERIES[0], '#ffffff', style.SERIES[1])
)
# What the map leaves to see of the image.
_OPACITY = 0.6


def draw(
  picture: str,
  *,
  height: int,
  width: int,
  change: Mapping[str, Any] | None,
  unit: str,
):
  """A study's image, and the map over it, as a matplotlib figure.

  Args:
    picture: a PNG file in base64.
    height: pixels of the image that the models saw.
    width: likewise.
    change: {values, cell}: rows of changes by cell, and a cell's pixels; None
      for the image alone.
    unit: what the changes are of.
  """
  pixels = image_lib.imread(io.BytesIO(base64.b64decode(picture)), format='png')
  look = {'interpolation': 'none', 'extent': (0, width, height, 0)}
  if pixels.ndim == 2:
    look.update(cmap='gray', vmin=0, vmax=1)
  with style.context():
    canvas = style.new(2.4 if change is None else 4.9, 2.4)
    panels = canvas.subplots(1, 1 if change is None else 2, squeeze=False)[0]
    for axes in panels:
      axes.set_axis_off()
      axes.imshow(pixels, **look)
    if change is None:
      return canvas
    values = change['values']
    reach = max(abs(x) for line in values for x in line) or 1.0
    below, right = (change['cell'] * len(x) for x in (values, values[0]))
    drawn = panels[1].imshow(
      values,
      cmap=_COLOURS,
      vmin=-reach,
      vmax=reach,
      alpha=_OPACITY,
      interpolation='none',
      extent=(0, right, below, 0),
    )
    panels[1].set_xlim(0, width)
    panels[1].set_ylim(height, 0)
    bar = canvas.colorbar(drawn, ax=panels[1], fraction=0.05, label=unit)
    bar.locator.set_params(nbins=5)
  return canvas
