"""Cells as numbers: decimal commas, units, bounds and what is plausible."""

import dataclasses
import math
import re

PLAIN = '.'
COMMA = ','
DECIMALS = (PLAIN, COMMA)

_BOUND = re.compile(r'^(<|>|≤|≥)=?\s*')
_SIDES = {'<': '<', '≤': '<', '>': '>', '≥': '>'}
# With a decimal comma a point can only part thousands; '1.234' alone may mean
# either and is refused.
_COMMA_NUMBER = re.compile(
  r'^[-+]?(\d+|\d{1,3}(\.\d{3})+(?=,|$)|(?=,\d))(,\d+)?([eE][-+]?\d+)?$'
)
_AMBIGUOUS = re.compile(r'^[-+]?\d{1,3}\.\d{3}$')


@dataclasses.dataclass(frozen=True)
class Format:
  """How the numbers of one column are written.

  Attributes:
    decimal: '.' or ','.
    unit: text that may follow a number and says nothing, such as 'mmHg'.
    bounds: whether '<0.5' and '>=90' stand for the number they name.
    low: the least value that is plausible.
    high: the largest.
  """

  decimal: str = PLAIN
  unit: str = ''
  bounds: bool = False
  low: float = -math.inf
  high: float = math.inf

  def read(self, text: str) -> float:
    """The number in `text`, whether plausible or not; NaN if it is none."""
    if self.bounds:
      text = _BOUND.sub('', text)
    return number(self.plain(text))

  def plain(self, text: str) -> str:
    """`text` with a decimal point and no unit; empty if that is no number."""
    if self.unit and text.endswith(self.unit):
      text = text.removesuffix(self.unit).rstrip()
    if self.decimal == COMMA:
      if not _COMMA_NUMBER.match(text) or _AMBIGUOUS.match(text):
        return ''
      text = text.replace('.', '').replace(',', '.')
    return '' if math.isnan(number(text)) else text

  def side(self, text: str) -> str:
    """'<' or '>' where `text` is a bound, else ''."""
    found = _BOUND.match(text) if self.bounds else None
    return _SIDES[found.group(1)] if found else ''

  @property
  def legal(self) -> str:
    """What a cell may be, for messages."""
    text = 'a number'
    if self.decimal == COMMA:
      text += ' with a decimal comma'
    if self.unit:
      text += f" (with or without the unit '{self.unit}')"
    if self.bounds:
      text += ' or a bound such as <5'
    return text


def number(text: str) -> float:
  """`text` as a finite number, or NaN."""
  try:
    value = float(text)
  except ValueError:
    return math.nan
  return value if math.isfinite(value) and '_' not in text else math.nan
