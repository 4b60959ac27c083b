"""The console command: `fusion-jax COMMAND --flag=value ...`.

A command is a module of this package with a docstring for --help, flags, and a
function `run` that returns the exit code. Only the module that is asked for is
imported, so that flags are those of one command and help comes at once.
"""

import functools
import importlib
import pathlib
import sys

import fusion_jax
from fusion_jax.core import commands, errors
from fusion_jax.launch import faults, interrupts

COMMANDS = (
  'prepare',
  'ablate',
  'report',
  'robustness',
  'predict',
  'evaluate',
  'league',
  'arms',
  'plan',
)
_HELP = ('--help', '-help', '-h', 'help')
_VERSION = ('--version', 'version')


def main(name: str | None = None) -> None:
  """Runs a command with the flags in `sys.argv`; always exits.

  Args:
    name: one of COMMANDS; if None, the first argument names it.
  """
  # Before whatever takes time: an interrupt or a fault at any moment is told in
  # one line.
  interrupts.end_process()
  sys.excepthook = faults.hook
  arguments = sys.argv[1:]
  if name is None:
    name, *arguments = arguments or ['']
  if name in COMMANDS:
    run = importlib.import_module(f'fusion_jax.launch.{name}').run
    argv = [f'{commands.NAME} {name}', *arguments]
  else:
    run, argv = functools.partial(_without, name), [commands.NAME]
  from fusion_jax.launch import launch

  launch.main(run, argv)


def _without(name: str) -> int:
  """What happens where no command is named."""
  if name in _VERSION:
    print(f'{commands.NAME} {fusion_jax.__version__}')
    return 0
  if name in _HELP:
    print(usage())
    return 0
  if not name:
    print(usage(), file=sys.stderr)
    return 2
  if name.startswith('-'):
    raise errors.UserError(
      f"'{name}' before the name of a command: {commands.NAME} COMMAND "
      f'--flag=value .... Known commands: {", ".join(COMMANDS)}.'
    )
  raise errors.unknown_name('command', name, COMMANDS)


def usage() -> str:
  """The commands, one line each."""
  width = max(map(len, COMMANDS))
  lines = [f'  {x:{width}}  {_summary(x)}' for x in COMMANDS]
  return '\n'.join(
    [
      'Does fusing images with health records beat the best single modality?',
      '',
      f'  {commands.NAME} COMMAND --flag=value ...',
      '',
      'Commands:',
      *lines,
      '',
      f'{commands.NAME} COMMAND --help tells the flags of a command.',
    ]
  )


def _summary(name: str) -> str:
  """The first line of a command's docstring, without importing it."""
  path = pathlib.Path(__file__).with_name(f'{name}.py')
  with open(path, encoding='utf-8') as f:
    return f.readline().strip().strip('"')


if __name__ == '__main__':
  main()
