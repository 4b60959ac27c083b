"""A report as one HTML file that needs nothing else."""

import os
from collections.abc import Mapping
from typing import Any

import jinja2

from fusion_jax.core import files
from fusion_jax.report import page as page_lib
from fusion_jax.report import text as text_lib


def render(
  summary: Mapping[str, Any], curves: Mapping[str, Any] | None = None
) -> str:
  """The page as text: no scripts, nothing loaded from elsewhere.

  Args:
    summary: what `summary.json` holds. Only what is known to be about groups
      of patients is shown.
    curves: what `curves.json` holds, if there is one.
  """
  return render_page(page_lib.build(summary, curves))


def render_page(page: page_lib.Page) -> str:
  """A page that was built before, as text."""
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
    content=page.content,
    reasons=reasons,
    interval=lambda x: text_lib.interval(x, reasons),
    plain=text_lib.plain,
  )


def write_html(
  summary: Mapping[str, Any],
  path: str | os.PathLike,
  curves: Mapping[str, Any] | None = None,
) -> None:
  """Writes the page; the file appears complete or not at all.

  Raises:
    UserError: if it cannot be written.
  """
  text = render(summary, curves)
  with files.saving(path) as part:
    part.write_text(text, encoding='utf-8')
