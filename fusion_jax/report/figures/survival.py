"""Kaplan-Meier curves with the numbers at risk below them."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.report.figures import style

# Room for half of a count, in points.
_PAD = 16
_KEYS = ('x', 'y', 'low', 'high')


def draw(
  groups: Sequence[Mapping[str, Any]],
  at_risk: Mapping[str, Any],
  *,
  x_name: str,
  y_name: str = 'share without the event',
):
  """One curve a group as a matplotlib figure; None without a single one.

  Args:
    groups: {group, x, y, low, high}: a curve falls at the x it is given for;
      without any the group has a row below and no curve.
    at_risk: {x, counts}: rising times, and for each group its counts there.
    x_name: name of the time.
    y_name: of the share.
  """
  if not any(y is not None for g in groups for y in g['y']):
    return None
  with style.context():
    canvas = style.new(4.2, 4.4)
    axes, below = canvas.subplots(
      2, 1, sharex=True, height_ratios=(5, 0.42 * len(groups) + 0.3)
    )
    for number, group in enumerate(groups):
      if any(y is not None for y in group['y']):
        _curve(axes, group, number)
      for t, count in zip(at_risk['x'], at_risk['counts'][number], strict=True):
        below.text(
          t,
          -number,
          f'{round(count):,}',
          ha='center',
          va='center',
          fontsize=8,
          color=style.INK,
        )
    axes.set_ylim(-0.01, 1.02)
    axes.set_xlim(left=0)
    axes.set_ylabel(y_name)
    axes.set_xlabel(x_name)
    axes.set_xticks(at_risk['x'], [f'{t:,.6g}' for t in at_risk['x']])
    axes.tick_params(labelbottom=True)
    _bare(below, [g['group'] for g in groups])
    style.legend(canvas, axes)
  return canvas


def _curve(axes, group, number) -> None:
  look = style.look(number)
  x, y, low, high = (style.values(group[k]) for k in _KEYS)
  axes.plot(
    x,
    y,
    drawstyle='steps-post',
    label=style.label(group['group']),
    markevery=(0.05 + 0.04 * number, 0.3),
    **look,
  )
  axes.fill_between(
    x, low, high, step='post', color=look['color'], alpha=0.13, linewidth=0
  )


def _bare(axes, names) -> None:
  """A table without lines, one row a name."""
  axes.set_ylim(-len(names) + 0.4, 0.6)
  axes.set_yticks([-k for k in range(len(names))], names)
  axes.set_title('at risk', loc='left', fontsize=8.5)
  axes.grid(visible=False)
  axes.tick_params(length=0, labelbottom=False)
  # Counts at time 0 are centred on the axis.
  axes.tick_params(axis='y', pad=_PAD)
  for spine in axes.spines.values():
    spine.set_visible(False)
