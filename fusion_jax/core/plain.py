"""Text of others, shown where it could be taken for more than text.

On a terminal control characters move the cursor, rewrite lines or set the
window's title; in a spreadsheet a cell that begins with '=', '+', '-' or '@'
is a formula (OWASP, CSV injection).
"""

import re

# Control characters but for tab and line feed, and marks that reorder what is
# written from right to left.
_CONTROLS = re.compile(
  '[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]'
)
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_QUOTED = re.compile(r"'+[=+\-@\t\r]")


def on_terminal(text: str) -> str:
  """`text` without what a terminal would obey."""
  return _CONTROLS.sub('', text)


def in_sheet(text: str) -> str:
  """A cell of text for a CSV file, quoted where it would be a formula.

  Numbers stay as they are. `from_sheet` takes the quote away again.
  """
  return f"'{text}" if _FORMULA.match(text) and not _is_number(text) else text


def from_sheet(text: str) -> str:
  """What `in_sheet` was given."""
  return text[1:] if _QUOTED.match(text) else text


def _is_number(text: str) -> bool:
  try:
    float(text)
  except ValueError:
    return False
  return True
