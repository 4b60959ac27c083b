"""Levels of another cohort that frozen models do not know."""

from collections.abc import Collection, Sequence

from fusion_jax.core import words
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import preprocess

# Above this share of a column's observed cells, it says nothing to the models.
_MOST = 0.5
_SHOWN = 3


def warnings(
  cohort: cohort_lib.Cohort, fits: Collection[preprocess.Fitted]
) -> list[str]:
  """Sentences on categorical columns that mean something else to the models.

  Args:
    cohort: what is predicted.
    fits: what was learnt from each training part.

  Returns:
    One for each column most of whose observed cells are no level of some
    training part, and one for each in which cells were taken for a level that
    is spelt in another way.
  """
  strange, respelt = {}, {}
  for fit in fits:
    for levels in fit.levels(cohort):
      for cell, level in levels.taken_for.items():
        if cell != level:
          respelt.setdefault(levels.column, {})[cell] = level
      unknown = [x for x in levels.cells if x not in levels.taken_for]
      if len(unknown) > _MOST * len(levels.cells):
        found = (
          len(unknown),
          len(levels.cells),
          sorted(set(unknown)),
          list(levels.known),
        )
        # Of several training parts, the one that knows least.
        strange[levels.column] = max(strange.get(levels.column, found), found)
  lines = []
  for column, (unknown, observed, values, known) in strange.items():
    lines.append(
      f"Column '{column}': {unknown} of {words.counted(observed, 'cell')} with "
      f'a value ({unknown / observed:.0%}) are levels that the models do not '
      f'know: {_listed(values)}. They know {_listed(known)}. All others are '
      "one level, 'other', to them: if these mean the same, spell them alike."
    )
  for column, levels in respelt.items():
    pairs = [f"'{cell}' for '{level}'" for cell, level in levels.items()]
    more = f' and {len(pairs) - _SHOWN} more' if len(pairs) > _SHOWN else ''
    lines.append(
      f"Column '{column}': by their number, cells were taken for levels that "
      f'training spells in another way: {", ".join(pairs[:_SHOWN])}{more}.'
    )
  return lines


def _listed(values: Sequence[str]) -> str:
  shown = ', '.join(f"'{x}'" for x in values[:_SHOWN])
  more = f' and {len(values) - _SHOWN} more' if len(values) > _SHOWN else ''
  return f'{shown}{more}' if shown else 'none'
