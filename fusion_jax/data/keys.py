"""Keys of cohort.toml that hold more than a text or a list of texts."""

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from fusion_jax.core import errors
from fusion_jax.data import numbers

# In tables of columns: what holds for all of them.
EVERY = '*'

_EXCLUSION = ('column', 'values', 'below', 'above', 'reason')


@dataclasses.dataclass(frozen=True)
class Exclusion:
  """Rows to leave out.

  Attributes:
    column: what decides.
    reason: why, for reports.
    values: rows with one of these ('' for missing) go.
    below: rows with a smaller number go.
    above: rows with a larger number go.
  """

  column: str
  reason: str
  values: tuple[str, ...] = ()
  below: float = -math.inf
  above: float = math.inf

  @property
  def is_range(self) -> bool:
    return not self.values

  @property
  def rule(self) -> str:
    """Who is left out, in short."""
    if not self.is_range:
      return f'{self.column} = {", ".join(self.values)}'
    sides = []
    if self.below > -math.inf:
      sides.append(f'{self.column} < {self.below:g}')
    if self.above < math.inf:
      sides.append(f'{self.column} > {self.above:g}')
    return ' or '.join(sides)


def scalar_text(value: Any) -> str | None:
  """Text, numbers and booleans as a table would hold them; None for others."""
  if isinstance(value, bool):
    return 'true' if value else 'false'
  if isinstance(value, str | int | float):
    return str(value)
  return None


def exclusions(value: Any, path) -> tuple[Exclusion, ...]:
  """Reads `[[exclude]]`; `path` is named in errors.

  Raises:
    UserError: saying what an entry must hold.
  """

  def fail(entry):
    return errors.UserError(
      f"'{path}': exclude must be tables such as [[exclude]] with column = "
      "'dx', values = ['artefact'] (or, for numbers, below = 18 or above = "
      f"90) and reason = 'why', got {entry!r}."
    )

  if not isinstance(value, list):
    raise fail(value)
  found = []
  for entry in value:
    if not isinstance(entry, dict):
      raise fail(entry)
    for key in entry:
      if key not in _EXCLUSION:
        raise errors.unknown_name(
          'key of exclude', key, _EXCLUSION, where=str(path)
        )
    values = entry.get('values', [])
    values = [
      scalar_text(x) for x in (values if isinstance(values, list) else [values])
    ]
    limits = {k: entry[k] for k in ('below', 'above') if k in entry}
    texts = [entry.get('column'), entry.get('reason')]
    complete = all(isinstance(x, str) and x for x in texts)
    if (
      not complete
      or None in values
      or bool(values) == bool(limits)
      or not all(_is_number(x) for x in limits.values())
    ):
      raise fail(entry)
    found.append(
      Exclusion(
        *texts, tuple(values), **{k: float(v) for k, v in limits.items()}
      )
    )
  return tuple(found)


def _is_number(value) -> bool:
  return (
    isinstance(value, int | float)
    and not isinstance(value, bool)
    and not math.isnan(value)
  )


def plausible(value: Any, path) -> dict[str, tuple[float, float]]:
  """Reads `plausible = {spo2 = [0, 100]}`; `path` is named in errors.

  Raises:
    UserError: unless each value is two numbers in order.
  """
  found = {}
  for column, limits in _table('plausible', value, '[0, 100]', path).items():
    if (
      not isinstance(limits, list)
      or len(limits) != 2
      or not all(_is_number(x) for x in limits)
      or not limits[0] < limits[1]
    ):
      raise errors.UserError(
        f"'{path}': plausible of '{column}' must be the least and the largest "
        f'number, such as [0, 100], got {limits!r}.'
      )
    found[column] = float(limits[0]), float(limits[1])
  return found


def codes(value: Any, path) -> dict[str, tuple[str, ...]]:
  """Reads `unknown_codes`: a list for all columns, or lists by column.

  Raises:
    UserError: for anything else.
  """
  if not isinstance(value, dict):
    value = {EVERY: value}
  found = {}
  for column, listed in value.items():
    texts = [
      scalar_text(x) for x in (listed if isinstance(listed, list) else [listed])
    ]
    if None in texts or '' in texts:
      raise errors.UserError(
        f"'{path}': unknown_codes must be a list of values such as ['UNK'], "
        f"or such lists by column as in {{sex = ['U']}}, got {listed!r}."
      )
    found[column] = tuple(texts)
  return found


def decimals(value: Any, path) -> dict[str, str]:
  """Reads `decimal`: '.' or ',' for all columns, or by column.

  Raises:
    UserError: for anything else.
  """
  found = dict(value) if isinstance(value, dict) else {EVERY: value}
  for mark in found.values():
    if mark not in numbers.DECIMALS:
      raise errors.UserError(
        f"'{path}': decimal must be '.' or ',', or these by column as in "
        f"{{crp = ','}}, got {mark!r}."
      )
  return found


def units(value: Any, path) -> dict[str, str]:
  """Reads `units = {bp = "mmHg"}`; `path` is named in errors.

  Raises:
    UserError: unless each value is a text that cannot be part of a number.
  """
  found = {}
  for column, unit in _table('units', value, "'mmHg'", path).items():
    if not isinstance(unit, str) or not unit.strip() or unit.strip()[0] in '.,':
      raise errors.UserError(
        f"'{path}': the unit of '{column}' must be a text such as 'mmHg', got "
        f'{unit!r}.'
      )
    found[column] = unit.strip()
  return found


def _table(key: str, value: Any, example: str, path) -> Mapping[str, Any]:
  if not isinstance(value, dict):
    raise errors.UserError(
      f"'{path}': {key} must be a table by column such as "
      f'{{age = {example}}}, got {value!r}.'
    )
  return value


def of_column(column: str) -> str:
  """A column's name as a person writes it for a key of TOML."""
  bare = column.replace('_', '').replace('-', '')
  return column if bare.isascii() and bare.isalnum() else text(column)


def text(value: str) -> str:
  """`value` as text of TOML, in quotes."""
  return json.dumps(value, ensure_ascii=False)
