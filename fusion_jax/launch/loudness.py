"""How much a launcher prints: --quiet and --verbose."""

from absl import flags

from fusion_jax.core import errors
from fusion_jax.report import console

_QUIET = flags.DEFINE_bool(
  'quiet', False, 'Print the answer and where the files are, no tables.'
)
_VERBOSE = flags.DEFINE_bool(
  'verbose', False, 'Print every table and what the numbers mean.'
)


def chosen(otherwise: str = console.NORMAL) -> str:
  """The level that the flags ask for, or `otherwise` if they ask for none.

  Raises:
    UserError: if they ask for both.
  """
  if _QUIET.value and _VERBOSE.value:
    raise errors.UserError('Give --quiet or --verbose, not both.')
  if _QUIET.value:
    return console.QUIET
  return console.VERBOSE if _VERBOSE.value else otherwise
