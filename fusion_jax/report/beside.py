"""The files that lie beside a page, by their paths from it."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.report import facts

FIGURES = 'figures'
TABLES = 'tables'
CARDS = 'model_cards'
SUMMARY = 'summary.json'
CURVES = 'curves.json'
PREDICTIONS = 'predictions.parquet'


def slug(text: str) -> str:
  """A file name and anchor: lower case letters, digits and '_'."""
  kept = ''.join(c if c.isascii() and c.isalnum() else '_' for c in text)
  return kept.lower().strip('_') or 'x'


def cards(summary: Mapping[str, Any]) -> dict[str, str]:
  """By arm, its model card."""
  taken: set[str] = set()
  paths = {}
  for arm in summary['arms']:
    name = slug(arm)
    # Names of other people's arms may differ in what a file name drops.
    while name in taken:
      name += '_'
    taken.add(name)
    paths[arm] = f'{CARDS}/{name}.md'
  return paths


def links(
  summary: Mapping[str, Any], *, curves: bool
) -> list[tuple[str, str, str]]:
  """(path, name, what it holds) of files that are no figure or table.

  Args:
    summary: what `summary.json` holds.
    curves: whether there is a file of curves.
  """
  rows = [(SUMMARY, SUMMARY, 'every number of this page')]
  if curves:
    rows.append((CURVES, CURVES, 'the curves of every arm'))
  if facts.trained_here(summary):
    rows.append((PREDICTIONS, PREDICTIONS, 'what every model said'))
  return rows + [
    (path, f'model card of {arm}', '') for arm, path in cards(summary).items()
  ]
