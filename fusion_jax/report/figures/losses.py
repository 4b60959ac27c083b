"""Losses by epoch, one small panel an arm."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.report.figures import style

# Of an arm, as many models are drawn, the first ones.
MOST_MODELS = 6
_COLUMNS = 3
_LETTERS = 26


def draw(losses: Mapping[str, Sequence[Mapping[str, Any]]]):
  """Training and validation losses as a matplotlib figure; None without any.

  Args:
    losses: by arm, models {epochs, train, valid, kept}; None for a loss that
      was not finite.
  """
  drawn = {arm: models for arm, models in losses.items() if models}
  if not drawn:
    return None
  columns = min(_COLUMNS, len(drawn))
  rows = math.ceil(len(drawn) / columns)
  with style.context():
    canvas = style.new(2.5 * columns + 0.4, 1.9 * rows + 0.6)
    grid = canvas.subplots(rows, columns, squeeze=False)
    flat = [axes for row in grid for axes in row]
    for axes, (arm, models) in zip(flat, drawn.items(), strict=False):
      _panel(axes, models[:MOST_MODELS])
      axes.set_title(style.shortened(arm, _LETTERS), loc='left')
    for axes in flat[len(drawn) :]:
      axes.set_visible(False)
    for row in grid:
      row[0].set_ylabel('loss')
    for k, axes in enumerate(flat):
      if k + columns >= len(drawn):
        axes.set_xlabel('epoch')
    style.legend(canvas, flat[0])
  return canvas


def _panel(axes, models) -> None:
  validation, training = style.look(0), style.look(1)
  for number, model in enumerate(models):
    named = number == 0
    for name, look, words in (
      ('train', training, 'training'),
      ('valid', validation, 'validation'),
    ):
      axes.plot(
        model['epochs'],
        style.values(model[name]),
        color=look['color'],
        linestyle=look['linestyle'],
        linewidth=1.1,
        alpha=0.8,
        label=words if named else None,
      )
    if model['kept'] in model['epochs']:
      kept = style.values(model['valid'])[model['epochs'].index(model['kept'])]
      axes.plot(
        [model['kept']],
        [kept],
        color=validation['color'],
        marker='o',
        linestyle='none',
        label='epoch that was kept' if named else None,
      )
  axes.xaxis.get_major_locator().set_params(integer=True, nbins=5)
  axes.locator_params(axis='y', nbins=4)
