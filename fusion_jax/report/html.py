"""A report as one HTML file that needs nothing else."""

import os
from collections.abc import Mapping
from typing import Any

import jinja2

from fusion_jax.core import files
from fusion_jax.report import content as content_lib
from fusion_jax.report import text as text_lib

# The forest plot's axis, in its own units; see templates/report.html.
_WIDTH = 1000.0


def render(summary: Mapping[str, Any]) -> str:
  """The page as text: no scripts, nothing loaded from elsewhere.

  Args:
    summary: what `summary.json` holds. Only its tables are shown, no study or
      patient.
  """
  page = content_lib.build(summary)
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader('fusion_jax.report'),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
  )
  reasons = text_lib.Reasons()
  return environment.get_template('report.html').render(
    page=page,
    reasons=reasons,
    reference=content_lib.REFERENCE,
    forest=_forest(page),
    side_names=page.side_names(),
    side_cells=lambda row: page.side_cells(row, reasons),
    interval=lambda x, signed=False: text_lib.interval(
      x, reasons, signed=signed
    ),
    p_value=text_lib.p_value,
    count=text_lib.count,
    plain=text_lib.plain,
  )


def write_html(summary: Mapping[str, Any], path: str | os.PathLike) -> None:
  """Writes the page; the file appears complete or not at all.

  Raises:
    UserError: if it cannot be written.
  """
  text = render(summary)
  with files.saving(path) as part:
    part.write_text(text, encoding='utf-8')


def _forest(page: content_lib.Content) -> dict[str, Any] | None:
  """Places of the differences and their intervals on a shared axis.

  Returns None if no difference has an interval.
  """
  rows = [
    row
    for row in page.rows()
    if row.difference and row.difference.has_interval()
  ]
  if not rows:
    return None
  margin = page.margin
  ends = [x for r in rows for x in (r.difference.low, r.difference.high)]
  low, high = min(*ends, -margin), max(*ends, margin)
  step = _step(high - low)
  ticks = range(_floor(low / step), -_floor(-high / step) + 1)
  low, high = ticks[0] * step, ticks[-1] * step

  def place(value):
    return round((value - low) / (high - low) * _WIDTH, 1)

  return {
    'width': _WIDTH,
    'zero': place(0.0),
    'band': (place(-margin), place(margin)),
    'ticks': [
      (place(k * step), text_lib.plain(k * step, signed=True)) for k in ticks
    ],
    'rows': [
      {
        'row': row,
        'low': place(row.difference.low),
        'high': place(row.difference.high),
        'estimate': place(row.difference.estimate),
      }
      for row in rows
    ],
  }


def _floor(value: float) -> int:
  # Rounded first, so that 0.3 / 0.1 lies on its tick.
  return int(round(value, 9) // 1)


def _step(span: float) -> float:
  """A round tick distance that gives two to six steps."""
  step = 1e-6
  while span / step > 5:
    for factor in (2, 2.5, 2):
      step *= factor
      if span / step <= 5:
        break
  return step
