"""Names in plain words: of the metric of comparison and of verdicts."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.core import words

# Sign of a verdict, and of one that also lies within the margin.
SIGNS = {
  'superior': ('▲', '△'),
  'inferior': ('▼', '▽'),
  'equivalent': ('=', '='),
  'inconclusive': ('?', '?'),
}


def of_comparison(summary: Mapping[str, Any]) -> str:
  """The metric that arms are compared by."""
  return words.metric(summary['evaluation']['metric'])


def sign(verdict: str, *, within_margin: bool = False) -> str:
  """What stands before a verdict, hollow where it is within the margin."""
  return SIGNS.get(verdict, ('', ''))[within_margin]


def style(verdict: str, *, within_margin: bool = False) -> str:
  """The class of the style sheet for a verdict."""
  if verdict not in SIGNS:
    return ''
  return f'{verdict} within' if within_margin else verdict
