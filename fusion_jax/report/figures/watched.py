"""How each modality learns, epoch by epoch, two small panels an arm."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.report.figures import style

_LETTERS = 26
# By key of a model in curves.json, what the panel shows.
PANELS = {
  'alone': 'validation loss alone',
  'gradients': 'norm of gradients',
}


def draw(models: Mapping[str, Mapping[str, Any]]):
  """A line for each modality as a matplotlib figure; None without any.

  Args:
    models: by arm, one {epochs, alone, gradients}, the last two by modality;
      None for what was not finite.
  """
  if not models:
    return None
  names = sorted({m for x in models.values() for m in x['alone']})
  looks = {m: style.look(k) for k, m in enumerate(names)}
  with style.context():
    canvas = style.new(2 * 2.9 + 0.4, 1.9 * len(models) + 0.6)
    grid = canvas.subplots(len(models), 2, squeeze=False)
    for row, (arm, model) in zip(grid, models.items(), strict=True):
      row[0].set_title(style.shortened(arm, _LETTERS), loc='left')
      for axes, (key, words) in zip(row, PANELS.items(), strict=True):
        _panel(axes, model, key, looks)
        axes.set_ylabel(words)
    for axes in grid[-1]:
      axes.set_xlabel('epoch')
    # The arm that sees most has a line of each.
    most = max(range(len(grid)), key=lambda k: len(grid[k][0].lines))
    style.legend(canvas, grid[most][0])
  return canvas


def _panel(axes, model, key, looks) -> None:
  for m, values in model[key].items():
    axes.plot(
      model['epochs'],
      style.values(values),
      color=looks[m]['color'],
      linestyle=looks[m]['linestyle'],
      linewidth=1.1,
      label=m,
    )
  axes.xaxis.get_major_locator().set_params(integer=True, nbins=5)
  axes.locator_params(axis='y', nbins=4)
