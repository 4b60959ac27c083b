"""How a launcher ends when it is told to: with one line, at any time.

Imported before all else, so it imports next to nothing.
"""

import os
import signal

# The exit code is what shells give to a process that a signal ended.
WORDS = {signal.SIGINT: 'Interrupted.', signal.SIGTERM: 'Terminated.'}


class Terminated(KeyboardInterrupt):
  """SIGTERM, which clusters send before they take the machine away."""


_EXCEPTIONS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


def signal_of(interrupt: KeyboardInterrupt) -> signal.Signals:
  """The signal that an exception stands for."""
  terminated = isinstance(interrupt, Terminated)
  return signal.SIGTERM if terminated else signal.SIGINT


def end_process() -> None:
  """Lets a signal end the process at once.

  While modules are imported an exception would not do: it can be swallowed or
  turned into another one.
  """
  _install(_end)


def raise_exception() -> None:
  """Lets a signal raise KeyboardInterrupt or Terminated, the next one end it.

  So files are closed and locks given back, but not at any price.
  """
  _install(_raise)


def die_silently() -> None:
  """Lets a signal end the process without a word: another one has it."""
  _install(signal.SIG_DFL)


def _install(handler) -> None:
  for number in WORDS:
    # What was started to be deaf to a signal, such as by `&`, stays so.
    if signal.getsignal(number) is not signal.SIG_IGN:
      signal.signal(number, handler)


def _end(number, frame) -> None:
  del frame
  os.write(2, f'{WORDS[number]}\n'.encode())
  os._exit(128 + number)


def _raise(number, frame) -> None:
  del frame
  end_process()
  raise _EXCEPTIONS[number]
