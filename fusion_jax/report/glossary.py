"""What the columns of tables mean, to stand beside them."""

import re
from collections.abc import Mapping

from fusion_jax.report import facts as facts_lib
from fusion_jax.report import prose, tables

_FOLD = re.compile(r'fold \d+(/\d+)?')
_ANY_FOLD = 'fold N'


def meanings(
  table: tables.Table, facts: facts_lib.Facts
) -> list[tuple[str, str]]:
  """(heading, what it means) of the columns of a table, in their order.

  Headings that explain themselves, and columns that bring their own meaning
  along, need no entry in glossary.toml. All folds share one.
  """
  known = {**_known('any', facts), **_known(table.name, facts)}
  folds = [x.title for x in table.columns if _FOLD.fullmatch(x.title)]
  pairs = []
  if len(folds) > 1:
    pairs.append((f'{folds[0]} to {folds[-1]}', known[_ANY_FOLD]))
  for column in table.columns:
    if column.title in folds:
      meaning = known[_ANY_FOLD] if len(folds) == 1 else ''
    else:
      meaning = column.meaning or known.get(column.title)
    if meaning:
      pairs.append((column.title, meaning))
  return pairs


def _known(name: str, facts: facts_lib.Facts) -> Mapping[str, str]:
  entries = prose.data('glossary').get(name) or {}
  return {
    prose.line(heading, facts): prose.line(meaning, facts)
    for heading, meaning in entries.items()
  }
