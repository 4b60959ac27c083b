"""The table of arms against the recipe."""

import collections
import json
import pathlib
from typing import Any

import numpy as np

from experiments.studies.small import study


def read(folder: pathlib.Path) -> list[dict[str, Any]]:
  """What all draws below a folder came to, by name."""
  paths = sorted(folder.glob(f'*/{study.RESULT}'))
  return [json.loads(p.read_text(encoding='utf-8')) for p in paths]


def table(results: list[dict[str, Any]]) -> str:
  """A Markdown table: a row for each arm, a column for each cohort and size.

  A cell holds the mean over draws of the difference in AUROC to the recipe and
  in how many draws the arm was inferior to it, of how many.
  """
  columns: dict[tuple[str, int], int] = {}
  found = collections.defaultdict(list)
  recipes = {}
  for result in results:
    cell = result['cell']
    column = pathlib.Path(cell['descriptor']).stem, cell['patients']
    columns[column] = 0
    for row in result['rows']:
      recipes[row['arm']] = row['recipe']
      found[row['arm'], column].append(row)
      found[row['recipe'], column].append(row)
  ordered = sorted(columns, key=lambda x: (x[0], x[1] or 10**9))
  lines = [
    '| arm | ' + ' | '.join(f'{a}, {n or "all"}' for a, n in ordered) + ' |',
    '|' + ' --- |' * (len(ordered) + 1),
  ]
  for recipe in dict.fromkeys(recipes.values()):
    cells = [f'`{recipe}`']
    for column in ordered:
      rows = found[recipe, column]
      cells.append(_number(np.mean([x['plain'] for x in rows])) if rows else '')
    lines.append('| ' + ' | '.join(cells) + ' |')
    for arm in [a for a, r in recipes.items() if r == recipe]:
      cells = [f'`{arm}`']
      cells += [_cell(found[arm, column]) for column in ordered]
      lines.append('| ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines) + '\n'


def _cell(rows) -> str:
  known = [x['difference'] for x in rows if x['difference'] is not None]
  if not known:
    return ''
  worse = sum(x['verdict'] == 'inferior' for x in rows)
  mean = np.mean(known)
  sign = '+' if mean >= 0 else '-'
  return f'{sign}{_number(abs(mean))} ({worse} of {len(rows)})'


def _number(x: float) -> str:
  return f'{x:.3f}'.lstrip('0')
