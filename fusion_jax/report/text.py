"""Numbers as the text of a cell."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from fusion_jax.core import plain as plain_lib

UNDEFINED = 'n/a'

_MARKDOWN = '\\`*_{}[]|#~'
# What HTML, which Markdown lets through, would read as a tag or an entity.
_HTML = {'&': '&amp;', '<': '&lt;', '>': '&gt;'}


# As of the expected calibration error, which the bootstrap biases.
_BESIDE = (
  'the interval misses the estimate: redrawing patients adds chance, which '
  'shifts numbers that count it, such as the expected calibration error'
)


@dataclasses.dataclass(frozen=True)
class Number:
  """An estimate with its interval; None where undefined.

  Attributes:
    estimate: the value.
    low: lower end of its interval.
    high: upper end.
    reason: why it or its interval is undefined, or what had to be left out.
  """

  estimate: float | None
  low: float | None = None
  high: float | None = None
  reason: str = ''

  def has_interval(self) -> bool:
    return self.low is not None and self.high is not None


class Reasons:
  """Numbers the reasons for undefined values, each once."""

  def __init__(self):
    self._marks: dict[str, int] = {}

  def mark(self, text: str, reason: str) -> str:
    """`text` with the mark of the reason behind it, if there is one."""
    if not reason:
      return text
    number = self._marks.setdefault(reason, len(self._marks) + 1)
    return f'{text} ({number})'.lstrip()

  def lines(self) -> list[str]:
    return [f'({mark}) {reason}' for reason, mark in self._marks.items()]


def plain(value: float, *, signed: bool = False) -> str:
  """Three decimals, without a leading zero; four digits if 10 or more."""
  text = f'{value:.3f}' if abs(value) < 10 else f'{value:.4g}'
  if text in ('-0.000', '0.000'):
    return '.000'
  text = text.replace('-0.', '-.', 1) if value < 0 else text.removeprefix('0')
  return f'+{text}' if signed and value > 0 else text


def ratio(value: float) -> str:
  """Two decimals: 1.06, 3.89."""
  return f'{value:.2f}'


def short(value: float, *, signed: bool = False) -> str:
  """A round value without zeros at its end: +.05, -.1, 0, 1."""
  text = f'{value:.4g}'
  if float(text) == 0 or abs(value) < 1e-12:
    return '0'
  text = text.replace('-0.', '-.', 1) if value < 0 else text.removeprefix('0')
  return f'+{text}' if signed and value > 0 else text


def signed(value: float) -> str:
  """Three decimals with sign and leading zero, as in a headline: +0.125."""
  text = f'{value:+.3f}' if abs(value) < 10 else f'{value:+.4g}'
  return '0.000' if text in ('-0.000', '+0.000') else text


def interval(
  number: Number | None, reasons: Reasons, *, signed: bool = False
) -> str:
  """`.842 [.810, .871]`, or what is undefined with its reason's mark."""
  if number is None:
    return ''
  if number.estimate is None:
    return reasons.mark(UNDEFINED, number.reason)
  text = plain(number.estimate, signed=signed)
  if number.has_interval():
    low = plain(number.low, signed=signed)
    text = f'{text} [{low}, {plain(number.high, signed=signed)}]'
  return reasons.mark(text, number.reason)


def estimate(number: Number | None, reasons: Reasons) -> str:
  """The estimate alone, or that it is undefined."""
  if number is None:
    return ''
  text = UNDEFINED if number.estimate is None else plain(number.estimate)
  return reasons.mark(text, number.reason)


def p_value(p: float | None) -> str:
  """Three decimals; smaller ones as '<.001'."""
  if p is None:
    return ''
  return '<.001' if p < 0.001 else plain(p)


def of_value(value: Any) -> str:
  """A value of a summary on one line."""
  if isinstance(value, Mapping):
    return ', '.join(f'{k} {of_value(v)}' for k, v in value.items())
  if isinstance(value, list | tuple):
    return '; '.join(map(of_value, value))
  if value is None:
    return UNDEFINED
  return plain(value) if isinstance(value, float) else str(value)


def count(value: int | None) -> str:
  """A count in four characters or so: 845, 12k, 1.3M."""
  if value is None:
    return ''
  for size, letter in ((1e9, 'G'), (1e6, 'M'), (1e3, 'k')):
    if value >= size:
      return f'{value / size:.3g}{letter}'
  return str(int(value))


def duration(seconds: float | None) -> str:
  """Seconds; milliseconds below 0.1, minutes from 100 seconds on."""
  if seconds is None:
    return ''
  if 0 < seconds < 0.1:
    return f'{1000 * seconds:.2g} ms'
  if seconds < 100:
    return f'{seconds:.2g} s' if seconds < 10 else f'{seconds:.0f} s'
  return f'{seconds / 60:.3g} min'


def number(
  entry: Mapping[str, Any] | None, key: str = 'estimate'
) -> Number | None:
  """A summary's {estimate, low, high, reason}; None where there is none.

  An interval that misses its estimate gets the reason why.
  """
  if entry is None:
    return None
  value = Number(
    entry.get(key), entry.get('low'), entry.get('high'), entry.get('reason', '')
  )
  if value.reason or value.estimate is None or not value.has_interval():
    return value
  if value.low <= value.estimate <= value.high:
    return value
  return dataclasses.replace(value, reason=_BESIDE)


def markdown(text: object) -> str:
  """Text that Markdown prints as it stands, on one line."""
  line = plain_lib.on_terminal(' '.join(str(text).split()))
  return ''.join(f'\\{c}' if c in _MARKDOWN else _HTML.get(c, c) for c in line)
