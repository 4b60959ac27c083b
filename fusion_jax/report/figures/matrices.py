"""Confusion matrices: which class is taken for which."""

from collections.abc import Sequence

from matplotlib import patches

from fusion_jax.report.figures import style

# Of the strongest colour, so that text on it keeps its contrast.
_ALPHA = 0.45
# Cells of more classes are too small for text; a table holds their numbers.
_WRITTEN = 8
_LETTERS = 14
# Names of more classes stand upright below the columns.
_FLAT = 4
# Inches.
_CELL, _LEAST, _MOST = 0.62, 3.4, 6.4


def draw(
  counts: Sequence[Sequence[float]],
  shares: Sequence[Sequence[float | None]],
  classes: Sequence[str],
):
  """A confusion matrix as a matplotlib figure.

  Args:
    counts: (k, k) studies by true, then called class.
    shares: (k, k) of the row, which colour the cells; None without studies.
    classes: (k,) names.
  """
  k = len(classes)
  names = [style.shortened(x, _LETTERS) for x in classes]
  with style.context():
    side = min(max(_CELL * k, _LEAST), _MOST)
    canvas = style.new(side + 0.9, side + 0.5)
    axes = canvas.subplots()
    axes.grid(visible=False)
    for i in range(k):
      for j in range(k):
        axes.add_patch(
          patches.Rectangle(
            (j - 0.5, i - 0.5),
            1,
            1,
            facecolor=style.SERIES[0],
            alpha=_ALPHA * (shares[i][j] or 0),
            linewidth=0,
          )
        )
        if k <= _WRITTEN:
          axes.text(
            j,
            i,
            _written(counts[i][j], shares[i][j]),
            ha='center',
            va='center',
            fontsize=8 if k <= _FLAT else 7,
          )
    # The calls that are right, framed so that colour is not needed.
    for i in range(k):
      axes.add_patch(
        patches.Rectangle(
          (i - 0.5, i - 0.5),
          1,
          1,
          facecolor='none',
          edgecolor=style.INK,
          linewidth=0.9,
        )
      )
    axes.set_xlim(-0.5, k - 0.5)
    axes.set_ylim(k - 0.5, -0.5)
    axes.set_aspect('equal')
    axes.set_xticks(range(k), names, rotation=0 if k <= _FLAT else 90)
    axes.set_yticks(range(k), names)
    axes.tick_params(length=0)
    axes.set_xlabel('called class')
    axes.set_ylabel('true class')
  return canvas


def count(value: float) -> str:
  """A whole number, or one decimal of a mean over models."""
  return (
    f'{value:,.0f}' if abs(value - round(value)) < 0.05 else f'{value:,.1f}'
  )


def about(value: float) -> str:
  """A whole number, of a mean over models the nearest one."""
  whole = abs(value - round(value)) < 0.05
  return f'{"" if whole else "about "}{value:,.0f}'


def _written(number, share) -> str:
  return count(number) if share is None else f'{count(number)}\n{share:.0%}'
