"""The table as a figure: a grid of cells with words in them."""

import textwrap
from collections.abc import Mapping
from typing import Any

from experiments.studies.table2 import claims
from fusion_jax.report.figures import style

NAME = 'review_table'
NOT_MEASURED = 'not measured'
# Light fills with a mark each: told apart without colour and in grey.
_LOOKS = {
  claims.AGREES: ('#cfe8dd', '='),
  claims.QUALIFIED: ('#fbe3c0', '~'),
  claims.DISAGREES: ('#f2cdd9', '!'),
  NOT_MEASURED: ('#eceff2', '?'),
}
_HEIGHT, _WIDTHS = 0.72, (2.0, 1.95, 1.95, 1.95)


def draw(result: Mapping[str, Any]) -> style.Drawn:
  """A grid of the cells, each with its outcome in words."""
  rows = list(claims.CLAIMS)
  width = sum(_WIDTHS)
  height = _HEIGHT * (len(rows) + 0.5)
  with style.context():
    canvas = style.new(width, height)
    axes = canvas.subplots()
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    edges = [sum(_WIDTHS[:k]) for k in range(len(_WIDTHS))]
    for k, strategy in enumerate(claims.STRATEGIES, start=1):
      axes.text(edges[k] + 0.06, 0.25, f'{strategy} fusion', fontweight='bold')
    for r, name in enumerate(rows):
      top = _HEIGHT * (r + 0.5)
      words = textwrap.fill(claims.CLAIMS[name].text, 26)
      axes.text(0.02, top + _HEIGHT / 2, words, va='center')
      for k, strategy in enumerate(claims.STRATEGIES, start=1):
        _draw_cell(axes, result, name, strategy, edges[k], top, _WIDTHS[k])
  details = '; '.join(
    f'{claims.CLAIMS[n].text}: '
    + ', '.join(f'{s} {outcome(result, n, s)}' for s in claims.STRATEGIES)
    for n in rows
  )
  return style.Drawn(
    NAME,
    "The review's Table 2, tested",
    'The second line of a cell is what the review says.',
    canvas,
    details=details + '.',
  )


def _draw_cell(axes, result, name, strategy, left, top, width) -> None:
  found = outcome(result, name, strategy)
  fill, mark = _LOOKS[found]
  axes.fill_between(
    [left + 0.02, left + width - 0.02],
    top + 0.02,
    top + _HEIGHT - 0.02,
    color=fill,
    linewidth=0,
  )
  axes.text(
    left + 0.08, top + 0.17, f'{mark} {found}', va='center', fontweight='bold'
  )
  lines = textwrap.wrap(f'review: {claims.CLAIMS[name].review[strategy]}', 31)
  if name in result['rows']:
    cell = result['rows'][name]['cells'][strategy]
    same = sum(c['found'] == c['expected'] for c in cell['checks'])
    lines.append(f'{same} of {len(cell["checks"])} checks as it says')
  for i, line in enumerate(lines):
    axes.text(
      left + 0.08,
      top + 0.35 + 0.13 * i,
      line,
      va='center',
      fontsize=7,
      color=style.INK,
    )


def outcome(result: Mapping[str, Any], name: str, strategy: str) -> str:
  """Of a cell, or that it was not measured."""
  if name not in result['rows']:
    return NOT_MEASURED
  return result['rows'][name]['cells'][strategy]['outcome']
