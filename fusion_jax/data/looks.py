"""What cells look like that are not what their column should hold.

A look is told by the text alone, from most of a column's cells, so that a
message can name it; nothing is converted here.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Collection

from fusion_jax.data import keys, numbers

# A look must fit this share of the distinct cells.
_SHARE = 0.8
# Fewer different numbers with one suffix are names ('1A', '2A', '3A').
_FEWEST_NUMBERS = 5
_SERIALS = 30_000, 60_000
_YEARS = 1900, 2100

DECIMAL = 'decimal'
THOUSANDS = 'thousands'
BOUND = 'bounds'
UNIT = 'units'
DATE = 'date'
SERIAL = 'serial'
MIXED_DATES = 'mixed'

_PART = r'[-+]?\d+(?:[.,]\d+)?'
_UNIT = re.compile(rf'^({_PART})\s*([^\d\s.,;:/+<>=-].*)$')
ISO = 'ISO dates'
_DATES = {
  ISO: r'\d{4}-\d\d?-\d\d?([T ]\d.*)?',
  'dates written day.month.year': r'\d{1,2}\.\d{1,2}\.(\d{2}|\d{4})( .*)?',
  'dates written with slashes': (
    r'(\d{1,2}/\d{1,2}/(\d{2}|\d{4})|\d{4}/\d{1,2}/\d{1,2})( .*)?'
  ),
  'dates written with the name of the month': (
    r'\d{1,2}[- .]*[^\W\d_]{3,9}[- .,]*\d{2,4}( .*)?'
  ),
  'dates written YYYYMMDD': r'(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])',
}
_DATE_NAME = re.compile(r'date|datum|day$|^dt|dt$|dob|birth|admi|discharge')


@dataclasses.dataclass(frozen=True)
class Look:
  """What most of a column's cells look like.

  Attributes:
    kind: one of this module's constants.
    what: a verb and what is seen: 'look like numbers with a decimal comma'.
    remedy: what to do about it in a column of this name, as a sentence.
    fits: whether one cell looks so.
    value: of UNIT, the unit; of DATE, the format; else empty.
  """

  kind: str
  what: str
  remedy: Callable[[str], str]
  fits: Callable[[str], bool]
  value: str = ''


def of_cells(
  cells: Collection[str], form: numbers.Format | None = None
) -> Look | None:
  """The look that fits most of `cells`, or None.

  Args:
    cells: distinct texts that are there, without unknown codes.
    form: how numbers are expected; cells that it reads need no look. All
      cells are looked at if None.
  """
  form = form or numbers.Format()
  odd = [x for x in cells if math.isnan(form.read(x))]
  for look in (_decimal, _thousands, _bound, _date, _unit):
    found = look(odd)
    count = sum(map(found.fits, odd)) if found else 0
    # One cell is a slip of the pen, but one bound stands in many rows.
    fewest = 1 if found and found.kind == BOUND else 2
    if count >= max(fewest, _SHARE * len(odd)):
      return found
  return None


def of_column(cells: Collection[str]) -> Look | None:
  """Like `of_cells` for a column that would else be taken for names.

  A few numbers with one suffix ('1A', '2A') and bounds without numbers among
  them ('<65', '>=65') are names.
  """
  look = of_cells(cells)
  if look is None:
    return None
  plain = sum(map(_is_number, cells))
  few = len(cells) if look.kind == UNIT else plain
  if look.kind in (UNIT, BOUND) and few < _FEWEST_NUMBERS:
    return None
  return look


def of_dates(cells: Collection[str]) -> Look | None:
  """Numbers among dates, or None: years, or days as spreadsheets count them."""
  dates = [x for x in cells if date_format(x)]
  rest = [x for x in cells if not date_format(x)]
  if not dates or not rest:
    return None
  if all(_is_year(x) for x in rest):
    what = 'are years among dates'
  elif all(is_serial(x) for x in rest):
    what = 'are Excel serial dates (days since 1899-12-30) among dates'
  else:
    return None
  return Look(
    MIXED_DATES,
    what,
    lambda column: 'write all of them as ISO dates such as 2024-03-01.',
    lambda x: x in set(rest),
  )


def date_format(text: str) -> str:
  """How `text` is written if it is a date; else empty."""
  for name, pattern in _DATES.items():
    if re.fullmatch(pattern, text):
      return name
  return ''


def is_serial(text: str) -> bool:
  """Whether `text` may be a day as spreadsheets count them, 1982 to 2064."""
  value = numbers.number(text)
  return _SERIALS[0] <= value <= _SERIALS[1] and text.split('.')[0].isdigit()


def are_serials(column: str, cells: Collection[str]) -> bool:
  """Whether a column of whole numbers is one of dates, by its name too."""
  named = _DATE_NAME.search(column.lower())
  return bool(named and cells) and all(is_serial(x) for x in cells)


def _is_number(text: str, form: numbers.Format | None = None) -> bool:
  return not math.isnan((form or numbers.Format()).read(text))


def _is_year(text: str) -> bool:
  return (
    bool(re.fullmatch(r'\d{4}', text)) and _YEARS[0] <= int(text) <= _YEARS[1]
  )


def _decimal(cells) -> Look | None:
  form = numbers.Format(decimal=numbers.COMMA)

  def fits(text):
    return ',' in text and _is_number(text, form)

  # '1,234' alone may part thousands; another count of digits tells.
  telling = [x for x in cells if fits(x) and not _parts_thousands(x)]
  if not telling:
    return None
  return Look(
    DECIMAL,
    'look like numbers with a decimal comma',
    lambda column: 'set decimal = ",".',
    fits,
  )


def _parts_thousands(text: str) -> bool:
  return bool(re.fullmatch(r'[-+]?\d{1,3}(,\d{3})+(\.\d+)?', text))


def _thousands(cells) -> Look | None:
  return Look(
    THOUSANDS,
    'look like numbers whose thousands are parted by commas',
    lambda column: (
      'take the commas out of the table (or set decimal = "," if they are '
      'decimal commas).'
    ),
    _parts_thousands,
  )


def _bound(cells) -> Look | None:
  form = numbers.Format(bounds=True)
  comma = numbers.Format(bounds=True, decimal=numbers.COMMA)

  def fits(text):
    return bool(form.side(text)) and any(
      _is_number(text, x) for x in (form, comma)
    )

  return Look(
    BOUND,
    'look like bounds',
    lambda column: (
      'list the column under bounds; each then stands for its number, and a '
      'companion column says on which side.'
    ),
    fits,
  )


def _unit(cells) -> Look | None:
  found = [m for m in map(_UNIT.match, cells) if m]
  if not found:
    return None
  suffixes = [m.group(2).strip() for m in found]
  unit = max(set(suffixes), key=suffixes.count)

  def fits(text):
    match = _UNIT.match(text)
    return bool(match) and match.group(2).strip() == unit

  return Look(
    UNIT,
    f"look like numbers with the unit '{unit}'",
    lambda column: (
      f'name it with units = {{{keys.of_column(column)} = {keys.text(unit)}}}.'
    ),
    fits,
    unit,
  )


def _date(cells) -> Look | None:
  formats = [x for x in map(date_format, cells) if x]
  if not formats:
    return None
  name = max(set(formats), key=formats.count)
  return Look(
    DATE,
    f'look like {name}',
    lambda column: (
      'a date is no feature, but the days between it and the prediction are; '
      'index_time takes ISO dates such as 2024-03-01.'
    ),
    lambda x: bool(date_format(x)),
    name,
  )
