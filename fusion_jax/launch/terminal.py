"""Where launchers print: what others wrote stays text."""

import sys
from collections.abc import Iterator

import rich.console
import rich.segment

from fusion_jax.core import plain

# A longer line is cut: nobody reads the rest, and it hides what matters.
_LONGEST = 2000


class Console(rich.console.Console):
  """Takes neither markup nor control characters from what it is given."""

  def __init__(self):
    super().__init__(highlight=False, markup=False, emoji=False)

  def render(self, *args, **kwargs) -> Iterator[rich.segment.Segment]:
    for segment in super().render(*args, **kwargs):
      if segment.control:
        yield segment
      else:
        yield segment._replace(text=plain.on_terminal(segment.text))


def complain(message: str) -> None:
  """Prints a message on standard error, very long lines cut."""
  for line in plain.on_terminal(message).split('\n'):
    print(cut(line), file=sys.stderr, flush=True)


def cut(line: str) -> str:
  """A line that is not too long to be read."""
  if len(line) <= _LONGEST:
    return line
  half = _LONGEST // 2
  left_out = len(line) - 2 * half
  return f'{line[:half]} [... {left_out} characters ...] {line[-half:]}'
