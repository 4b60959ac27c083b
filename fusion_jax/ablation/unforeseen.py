"""Errors that nobody foresaw: a line for people, the traceback for the log."""

import traceback

from fusion_jax.ablation import store as store_lib

# Of an error's own text, what a line has room for.
CHARACTERS = 200


def told(e: Exception, store: store_lib.Store) -> str:
  """The error in one line: its kind and how its text begins, and where more is.

  Args:
    e: being handled.
    store: of whose log `logged` is told.
  """
  text = ' '.join(str(e).split())
  if len(text) > CHARACTERS:
    text = text[:CHARACTERS] + '...'
  what = f'{type(e).__name__}: {text}' if text else type(e).__name__
  if isinstance(e, MemoryError):
    what = 'there is not enough memory for it'
  return f"{what} (the traceback is in '{store.path / store_lib.LOG}')."


def logged(e: Exception) -> dict[str, str]:
  """Its traceback, for a line of the log."""
  return {'traceback': ''.join(traceback.format_exception(e))}
