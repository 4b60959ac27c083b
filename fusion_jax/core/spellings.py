"""One spelling of cells that mean the same, decided for a column as a whole.

pandas writes integers as '1.0' where a column has gaps, and other programs
write 'TRUE' for 'True'. Codes such as '042' and '250.00' look like numbers and
are none: where a column holds one of them, all of it stays as written.
"""

import collections
import decimal
import functools
import re
from collections.abc import Collection, Iterable

import numpy as np

TRUE_VALUES = ('true', '1', 'yes', 'y', 't')
FALSE_VALUES = ('false', '0', 'no', 'n', 'f')

# What else means true where blank means false.
TICKS = ('x', '✓', '✔', '☑', '☒', 'checked')

_PLAIN = re.compile(r'(0|-?[1-9][0-9]*)(\.0)?')
_TRUTHS = frozenset({'true', 'false'})


def unify(cells: np.ndarray, *, codes: Iterable[str] = ()) -> np.ndarray:
  """A column in one spelling: '1.0' is '1' and 'True' is 'true'.

  Only where every cell is a plain whole number, with or without '.0', or every
  cell is a truth value; else the column is returned as it is.

  Args:
    cells: (r,) object array of str, None where missing.
    codes: values, as a person declared them, that are no part of this.
  """
  distinct = {x for x in cells if x is not None}
  rest = distinct - set(match(codes, distinct).values())
  if all(_PLAIN.fullmatch(x) for x in rest):
    spelt = {x: x.removesuffix('.0') for x in rest}
  elif all(x.lower() in _TRUTHS for x in rest):
    spelt = {x: x.lower() for x in rest}
  else:
    return cells
  out = np.empty(len(cells), object)
  out[:] = [spelt.get(x, x) for x in cells]
  return out


def unify_identifiers(cells: np.ndarray) -> np.ndarray:
  """Like `unify`, but never makes two identifiers one.

  '101' and '101.0' in one column may be two people: nobody but a person can
  know, so that such a column stays as it is.
  """
  out = unify(cells)
  return out if len(set(out)) == len(set(cells)) else cells


@functools.lru_cache(maxsize=4096)
def meaning(text: str) -> decimal.Decimal | str:
  """The number that `text` is, 'true' or 'false' in any case, or `text`."""
  if text.lower() in _TRUTHS:
    return text.lower()
  try:
    number = decimal.Decimal(text)
  except decimal.InvalidOperation:
    return text
  return number if number.is_finite() and '_' not in text else text


def match(values: Iterable[str], cells: Collection[str]) -> dict[str, str]:
  """By value the cell that it stands for; values without one are left out.

  A value stands for the cell that is spelt alike. One that has none stands for
  the cell of the same number (or truth value), where that is one cell which no
  other value stands for: 1 for '1.0', but 42 for '042' only where no cell is
  '42' and no other value is '042'.

  Args:
    values: as a person, or another cohort, spells them.
    cells: the distinct cells of a column.
  """
  cells = set(cells)
  values = list(dict.fromkeys(values))
  found = {x: x for x in values if x in cells}
  if len(found) == len(values):
    return found
  free = collections.defaultdict(list)
  for cell in cells.difference(found):
    free[meaning(cell)].append(cell)
  rest = collections.defaultdict(list)
  for value in values:
    if value not in found:
      rest[meaning(value)].append(value)
  for number, spelt in rest.items():
    if len(spelt) == 1 and len(free[number]) == 1:
      found[spelt[0]] = free[number][0]
  return found


def truths(words: Iterable[str]) -> frozenset[decimal.Decimal | str]:
  """What `truth` gives for any of `words`."""
  return frozenset(truth(x) for x in words)


def truth(text: str) -> decimal.Decimal | str:
  """`text` as true and false are compared: in any case, '1.0' as '1'."""
  return meaning(text.lower())
