"""The files that lie beside a page, by their paths from it."""

from collections.abc import Iterable, Mapping
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


def file_names(arms: Iterable[str]) -> dict[str, str]:
  """By arm, what its files are called, each differently.

  Names of other people's arms may differ in what a file name drops.
  """
  names: dict[str, str] = {}
  for arm in arms:
    name = slug(arm)
    while name in names.values():
      name += '_'
    names[arm] = name
  return names


def cards(summary: Mapping[str, Any]) -> dict[str, str]:
  """By arm, its model card."""
  names = file_names(summary['arms'])
  return {arm: f'{CARDS}/{name}.md' for arm, name in names.items()}


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
