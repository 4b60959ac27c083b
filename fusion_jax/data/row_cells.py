"""Columns of many rows as numbers: no Python object is made for a row.

Texts are told apart once, by pyarrow, and looked at one by one only where they
are odd.
"""

import dataclasses
from collections.abc import Collection

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fusion_jax.core import types
from fusion_jax.data import numbers, tables

# What is the matter with a cell. OTHER is a number where dates are expected,
# and a date where numbers are.
FINE, BLANK, UNKNOWN, OTHER, UNREADABLE, TOO_LARGE = range(6)

_MICROSECONDS_A_DAY = 86_400 * 10**6
_PLAIN = r'^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$'


@dataclasses.dataclass(frozen=True, eq=False)
class Texts:
  """A column of r texts of which d are different.

  Attributes:
    index: (r,) int32 places in `distinct`; -1 where there is nothing.
    distinct: (d,) texts without blanks around them; some may be alike.
  """

  index: np.ndarray
  distinct: pa.Array


@dataclasses.dataclass(frozen=True, eq=False)
class Cells:
  """A column of r numbers.

  Attributes:
    value: (r,) float64, days since 1970-01-01 of dates; NaN unless FINE.
    fault: (r,) uint8, FINE or what is the matter.
    column: what was read, for messages.
  """

  value: np.ndarray
  fault: np.ndarray
  column: pa.Array

  def text(self, row: int) -> str:
    """A cell as it is written."""
    value = self.column[int(row)].as_py()
    return '' if value is None else str(value).strip()


def texts(column: pa.Array) -> Texts:
  """A column of any scalars as texts; whole numbers have no point.

  Raises:
    ArrowException: if its type cannot be read as text.
  """
  if pa.types.is_nested(column.type):
    raise pa.ArrowNotImplementedError(str(column.type))
  if pa.types.is_dictionary(column.type):
    # Some rows of a column still have the texts of all.
    if len(column.dictionary) > len(column):
      column = column.dictionary_decode()
  if not pa.types.is_dictionary(column.type):
    column = column.dictionary_encode()
  distinct = column.dictionary
  if pa.types.is_floating(distinct.type):
    distinct = _without_point(distinct)
  distinct = pc.utf8_trim_whitespace(distinct.cast(pa.string()))
  index = column.indices.cast(pa.int32()).fill_null(-1)
  index = index.to_numpy(zero_copy_only=False)
  if distinct.null_count:
    none = np.append(_bools(distinct.is_null()), False)
    index = np.where(none[index], np.int32(-1), index)
  return Texts(index, distinct)


def read(
  column: pa.Array, *, dates: bool = False, unknown: Collection[str] = ()
) -> Cells:
  """A column as numbers or, if `dates`, as days since 1970-01-01.

  Dates are ISO dates with or without a time of day, in UTC where they have no
  offset; text that is a number is no date.

  Args:
    column: numbers, booleans, dates, moments or texts.
    dates: whether dates are expected.
    unknown: texts that mean unknown; numbers are compared as float32, which is
      what they are kept as. '' stands for blank cells.

  Raises:
    ArrowException: if its type is none of these.
  """
  kind = column.type
  if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
    column = column.cast(pa.string())
    kind = column.type
  if pa.types.is_dictionary(kind):
    kind = kind.value_type
  if pa.types.is_string(kind) or pa.types.is_large_string(kind):
    value, fault = _of_texts(texts(column), dates, unknown)
  else:
    if pa.types.is_dictionary(column.type):
      column = column.dictionary_decode()
    moments = pa.types.is_timestamp(kind) or pa.types.is_date(kind)
    value = _days(column) if moments else _floats(column)
    blank = np.isnan(value) if not moments else _bools(column.is_null())
    fault = np.where(blank, BLANK, FINE if moments == dates else OTHER)
    fault = fault.astype(np.uint8)
    fault[np.isinf(value)] = UNREADABLE
  fine = fault == FINE
  fault[fine & (np.abs(value) > types.LARGEST)] = TOO_LARGE
  fault[fine & _is_any(value, unknown)] = UNKNOWN
  if '' in unknown:
    fault[fault == BLANK] = UNKNOWN
  return Cells(np.where(fault == FINE, value, np.nan), fault, column)


def _of_texts(found: Texts, dates, unknown):
  """(r,) values and faults of texts."""
  missing = tables.MISSING.difference(x.lower() for x in unknown)
  lower = pc.utf8_lower(found.distinct)
  blank = _bools(pc.is_in(lower, pa.array(sorted(missing), pa.string())))
  named = _bools(pc.is_in(found.distinct, pa.array([*unknown], pa.string())))
  rest = pc.if_else(pa.array(blank | named), None, found.distinct)
  value = (_moments if dates else _numbers)(rest)
  fault = np.full(len(rest) + 1, FINE, np.uint8)
  fault[-1] = BLANK  # Of the place -1.
  for k in np.flatnonzero(~np.isfinite(value) & ~blank & ~named):
    text = rest[int(k)].as_py()
    other = numbers.number(text) if dates else tables.days(text)
    fault[k] = OTHER if np.isfinite(other) else UNREADABLE
  fault[:-1][blank] = BLANK
  fault[:-1][named] = UNKNOWN
  return np.append(value, np.nan)[found.index], fault[found.index]


def _numbers(distinct: pa.Array) -> np.ndarray:
  """(d,) numbers of texts; not finite where one is none."""
  try:
    return _floats(distinct)
  except pa.ArrowInvalid:
    pass
  plain = pc.match_substring_regex(distinct, _PLAIN).fill_null(False)
  value = _floats(pc.if_else(plain, distinct, None))
  for k in np.flatnonzero(
    _bools(pc.and_(pc.invert(plain), distinct.is_valid()))
  ):
    value[k] = numbers.number(distinct[int(k)].as_py())
  return value


def _moments(distinct: pa.Array) -> np.ndarray:
  """(d,) days since 1970-01-01 of texts, NaN where one is no date."""
  for zone in (None, 'UTC'):
    try:
      return _days(distinct.cast(pa.timestamp('us', zone)))
    except pa.ArrowInvalid:
      continue
  value = np.full(len(distinct), np.nan)
  for k in np.flatnonzero(_bools(distinct.is_valid())):
    text = distinct[int(k)].as_py()
    if np.isnan(numbers.number(text)):
      value[k] = tables.days(text)
  return value


def _days(column: pa.Array) -> np.ndarray:
  """(r,) days since 1970-01-01, NaN where there is none."""
  zone = getattr(column.type, 'tz', None)
  moments = column.cast(pa.timestamp('us', zone), safe=False)
  count = moments.cast(pa.int64())
  days = count.fill_null(0).to_numpy(zero_copy_only=False)
  days = days / _MICROSECONDS_A_DAY
  days[_bools(column.is_null())] = np.nan
  return days


def _floats(column: pa.Array) -> np.ndarray:
  """(r,) float64, NaN where there is nothing."""
  if pa.types.is_boolean(column.type):
    column = column.cast(pa.int8())
  elif not _is_numeric(column.type):
    raise pa.ArrowNotImplementedError(str(column.type))
  found = column.cast(pa.float64(), safe=False)
  return np.array(found.to_numpy(zero_copy_only=False))


def _is_numeric(kind: pa.DataType) -> bool:
  return (
    pa.types.is_integer(kind)
    or pa.types.is_floating(kind)
    or pa.types.is_decimal(kind)
    or pa.types.is_string(kind)
    or pa.types.is_null(kind)
  )


def _is_any(value: np.ndarray, unknown: Collection[str]) -> np.ndarray:
  """(r,) bool: where a value is one of the numbers in `unknown`."""
  codes = np.array([numbers.number(x) for x in unknown], np.float64)
  codes = codes[np.isfinite(codes)].astype(np.float32)
  if not len(codes):
    return np.zeros(len(value), bool)
  with np.errstate(over='ignore'):
    return np.isin(value.astype(np.float32), codes)


def _without_point(distinct: pa.Array) -> pa.Array:
  """Floats as texts, '101' and not '101.0' or '1.01e+02'."""
  value = _floats(distinct)
  whole = np.isfinite(value) & (value == np.round(value))
  whole &= np.abs(value) < 2**53
  ints = np.where(whole, value, 0).astype(np.int64)
  return pc.if_else(
    pa.array(whole),
    pa.array(ints).cast(pa.string()),
    distinct.cast(pa.string()),
  )


def _bools(column: pa.Array) -> np.ndarray:
  return column.fill_null(False).to_numpy(zero_copy_only=False)
