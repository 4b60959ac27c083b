"""A report as one HTML file that needs nothing else."""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from fusion_jax.report import names, prose
from fusion_jax.report import page as page_lib
from fusion_jax.report import text as text_lib

# A word with a flag of a command, which a browser would break after '--'.
_FLAG = re.compile(r'(\S*--\w\S*)')
# So many warnings are seen without asking.
_WARNINGS = 6


def render(
  summary: Mapping[str, Any], curves: Mapping[str, Any] | None = None
) -> str:
  """The page as text: nothing is loaded from elsewhere.

  All of it can be read without its script, which sorts, filters and hides. The
  page's own policy lets no other script run.

  Args:
    summary: what `summary.json` holds. Only what is known to be about groups
      of patients is shown.
    curves: what `curves.json` holds, if there is one.
  """
  return render_page(page_lib.build(summary, curves))


def render_page(page: page_lib.Page) -> str:
  """A page that was built before, as text."""
  environment = prose.environment(escapes=True, keeps_lines=True)
  source, *_ = environment.loader.get_source(environment, 'script.js')
  script = f'\n{source}'
  return render_template(
    'report.html',
    page=page,
    content=page.content,
    most=_WARNINGS,
    script=script,
    script_hash=_sha256(script),
  )


def render_template(name: str, **context: Any) -> str:
  """A template of pages as text, with what the macros need."""
  environment = prose.environment(escapes=True, keeps_lines=True)
  signs = {
    names.style(x, within_margin=y): f'{names.sign(x, within_margin=y)} '
    for x in names.SIGNS
    for y in (False, True)
  }
  reasons = text_lib.Reasons()
  return environment.get_template(name).render(
    signs={**signs, 'alarm': '⚠ '},
    reasons=reasons,
    # Every second one holds a flag.
    split_flags=_FLAG.split,
    interval=lambda x: text_lib.interval(x, reasons),
    plain=text_lib.plain,
    **context,
  )


def _sha256(script: str) -> str:
  """Of a script, as a policy names it."""
  return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
