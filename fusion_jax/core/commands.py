"""How messages name a command that a user can run."""

import shlex

NAME = 'fusion-jax'


def line(command: str, *arguments: object) -> str:
  """The line `fusion-jax COMMAND ARGUMENTS`, as a shell takes it.

  Args:
    command: one of those in `fusion_jax.launch`.
    arguments: such as '--run=DIR'.
  """
  return shlex.join([NAME, command, *map(str, arguments)])
