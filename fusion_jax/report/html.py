"""A report as one HTML file that needs nothing else."""

from collections.abc import Mapping
from typing import Any

import jinja2

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
