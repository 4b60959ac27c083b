"""Faults of many rows: the first places of each kind, and how many there are.

What tables.Findings shows of a few faults, without keeping each of millions.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from fusion_jax.data import tables

# As in tables.Findings: so many are shown, and so many of the rest named.
_LISTED, _NAMED = 3, 20
# Other messages are looked for among so many rows of a batch.
_SEARCHED = 1000


@dataclasses.dataclass
class _Fault:
  """Faults of one kind in one column.

  Attributes:
    count: how many there are.
    first: row and message of the first.
    new: likewise, of the first of each message.
  """

  count: int = 0
  first: list[tuple[int, str]] = dataclasses.field(default_factory=list)
  new: dict[str, int] = dataclasses.field(default_factory=dict)


class Faults:
  """Faults of one table by kind and column."""

  def __init__(self):
    self._found: dict[tuple[str, str], _Fault] = {}

  def add(
    self, kind: str, column: str, rows: np.ndarray, say: Callable[[int], str]
  ) -> None:
    """Counts the faults of `rows` (numbers); `say` words that of the i-th."""
    if not len(rows):
      return
    fault = self._found.setdefault((kind, column), _Fault())
    fault.count += len(rows)
    room = _LISTED + _NAMED - len(fault.first)
    fault.first += [(int(rows[i]), say(i)) for i in range(len(rows))[:room]]
    for i in range(len(rows))[:_SEARCHED]:
      if len(fault.new) == _LISTED:
        break
      fault.new.setdefault(say(i), int(rows[i]))

  def count(self, kind: str) -> int:
    """How many faults of a kind there are."""
    return sum(f.count for (k, _), f in self._found.items() if k == kind)

  def first(self, kind: str) -> str:
    """What was said of the first of a kind; empty if there is none."""
    return next(
      (f.first[0][1] for (k, _), f in self._found.items() if k == kind), ''
    )

  def drop(self, kind: str) -> None:
    """Forgets the faults of a kind."""
    self._found = {k: f for k, f in self._found.items() if k[0] != kind}

  def tell(
    self,
    findings: tables.Findings,
    lines: Callable[[np.ndarray], np.ndarray],
  ) -> None:
    """Files them; `lines` says where rows are."""
    shown = {k: _shown(f) for k, f in self._found.items()}
    rows = sorted(
      {row for f in self._found.values() for row, _ in f.first}
      | {row for x in shown.values() for row, _ in x}
    )
    where = dict(zip(rows, lines(np.array(rows, int)), strict=True))
    for (kind, column), fault in self._found.items():
      listed = shown[kind, column]
      for row, message in listed:
        findings.add(message, line=where[row], column=column)
      rest = fault.count - len(listed)
      if rest:
        seen = {row for row, _ in listed}
        others = [row for row, _ in fault.first if row not in seen][:_NAMED]
        named = ', '.join(str(where[row]) for row in others)
        more = ', ...' if rest > len(others) else ''
        findings.add(
          f'{rest} more of these ({kind}): {findings.unit}s {named}{more}',
          column=column,
        )


def _shown(fault: _Fault) -> list[tuple[int, str]]:
  """Those shown, in order; what was not said yet goes before what was."""
  new = [(row, message) for message, row in fault.new.items()]
  room = _LISTED - len(new)
  return sorted([*new, *[x for x in fault.first if x not in new][:room]])
