"""What every launcher shares: flags in, one clear line out when it fails."""

import contextlib
import functools
import io
import logging
import multiprocessing
import os
import pathlib
import signal
import sys
import types
from collections.abc import Callable, Iterator, Sequence

from absl import app, flags
from absl import logging as absl_logging

import fusion_jax
from fusion_jax.core import errors
from fusion_jax.launch import faults, interrupts, terminal

_OURS = ('fusion_jax', 'experiments')


def main(
  run: Callable[[], int | None], argv: Sequence[str] | None = None
) -> None:
  """Parses the flags, calls `run()` and exits with what it returns.

  The docstring of the module of `run` is the help.

  Faults a user can act on become text on stderr and exit code 2: a UserError,
  an unknown or malformed flag, a full disk. SIGINT (an interrupt) exits with
  130 and SIGTERM with 143, with one line each. Whatever else is raised becomes
  one line with the path of a report, and exit code 1.

  Args:
    run: what is launched.
    argv: the program's name and its flags; `sys.argv` if None.
  """
  interrupts.end_process()
  _open_standard_streams()
  try:
    app.run(
      lambda rest: _guarded(run, rest),
      argv=list(sys.argv if argv is None else argv),
      flags_parser=functools.partial(_parse, sys.modules[run.__module__]),
    )
  except BrokenPipeError:
    # Whoever reads this, such as `head`, has read enough.
    _discard_output()
    raise SystemExit(128 + signal.SIGPIPE) from None


@contextlib.contextmanager
def resumable(folder: str | os.PathLike) -> Iterator[None]:
  """Has the line about the end of this block say what it leaves."""
  try:
    yield
  except KeyboardInterrupt as e:
    raise type(e)(
      f"What is finished is kept in '{folder}'; the same command goes on from "
      'there.'
    ) from None
  except (errors.UserError, BrokenPipeError):
    raise
  except Exception as e:
    raise _InRunError(pathlib.Path(folder)) from e


class _InRunError(Exception):
  """What was raised (the cause) while work was done in a folder."""


def _open_standard_streams() -> None:
  """Makes streams that take all that is printed.

  What was closed by `>&-` swallows it, and what the encoding lacks is escaped.
  """
  for name in ('stdout', 'stderr'):
    stream = getattr(sys, name)
    if stream is None:
      setattr(sys, name, open(os.devnull, 'w', encoding='utf-8'))
    elif isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(errors='backslashreplace')


class _Lines(logging.Handler):
  """Prints what is logged as a launcher prints what it has to say."""

  def emit(self, record: logging.LogRecord) -> None:
    terminal.complain(record.getMessage())


def _print_own_warnings() -> None:
  """Keeps dates, threads and source lines from what the library warns of."""
  own = logging.getLogger(fusion_jax.__name__)
  if not own.handlers:
    own.addHandler(_Lines())
  own.propagate = False


def _discard_output() -> None:
  os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str, code: int = 2) -> None:
  terminal.complain(message)
  raise SystemExit(code)


def _fail_with(error: Exception, folder: pathlib.Path | None = None) -> None:
  """Says what can be done about an error, or where its report is."""
  line = faults.of_the_system(error)
  if line:
    _fail(line)
  _fail(faults.report(error, folder), 1)


def given(*, without: Sequence[str] = ()) -> list[str]:
  """The flags of this repository's launchers that were given, as text."""
  return [
    flag.serialize()
    for flag in _own_flags()
    if flag.present and flag.name not in without
  ]


def _parse(module: types.ModuleType, argv: list[str]) -> list[str]:
  if any(x in ('--help', '-help', '-h') for x in argv[1:]):
    _print_help(module)
    sys.stdout.flush()
    raise SystemExit(0)
  try:
    return flags.FLAGS(argv)
  except flags.UnrecognizedFlagError as e:
    known = [x.name for x in _own_flags()]
    guess = errors.nearest(e.flagname, known)
    hint = f" Did you mean '--{guess}'?" if guess else ''
    flags_known = ', '.join(f'--{x}' for x in known) or 'none'
    _fail(f"Unknown flag '--{e.flagname}'.{hint} Flags: {flags_known}.")
  except flags.Error as e:
    _fail(' '.join(str(e).split()))


def _own_flags() -> list[flags.Flag]:
  """The flags of this repository's launchers, in order of definition."""
  by_module = flags.FLAGS.flags_by_module_dict()
  return [
    flag
    for module, found in by_module.items()
    if module == sys.argv[0] or module.split('.')[0] in _OURS
    for flag in found
  ]


def _print_help(module: types.ModuleType) -> None:
  print((module.__doc__ or '').strip())
  own = _own_flags()
  print('\nFlags:' if own else '\nNo flags.')
  for flag in own:
    shown = f' (default {flag.default_as_str})' if flag.default else ''
    # absl goes on after the full stop of a flag that can be repeated.
    words = ' '.join(flag.help.split()).replace('.; ', '; ').rstrip('.')
    print(f'  --{flag.name}: {words}.{shown}')


def _guarded(run, argv) -> int | None:
  if len(argv) > 1:
    _fail(
      f"Unexpected argument '{argv[1]}': values are given as --flag=value "
      '(see --help).'
    )
  if not flags.FLAGS['verbosity'].present:
    # What libraries log for their authors is not for the user of a launcher.
    absl_logging.set_verbosity(absl_logging.WARNING)
  _print_own_warnings()
  try:
    interrupts.raise_exception()
    code = run()
    sys.stdout.flush()
    return code
  except errors.UserError as e:
    _fail(str(e))
  except KeyboardInterrupt as e:
    number = interrupts.signal_of(e)
    terminal.complain(' '.join([interrupts.WORDS[number], *e.args]))
    for process in multiprocessing.active_children():
      process.terminate()
    raise SystemExit(128 + number) from None
  except BrokenPipeError:
    raise
  except _InRunError as e:
    _fail_with(e.__cause__, *e.args)
  except Exception as e:
    _fail_with(e)
  finally:
    interrupts.end_process()
    try:
      sys.stdout.flush()
    except BrokenPipeError:
      raise
    except OSError:
      # What could not be printed has been said on standard error.
      _discard_output()
