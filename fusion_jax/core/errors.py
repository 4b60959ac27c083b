"""Errors a user can act on: one clear line each, never a traceback."""

import difflib
from collections.abc import Iterable, Sequence

from fusion_jax.core import words


class UserError(Exception):
  """Bad input. The message names the value, its place and the legal set."""


class ProblemsError(UserError):
  """Several independent faults found in one pass; `lines` holds one each."""

  def __init__(self, title: str, lines: Sequence[str]):
    self.title = title
    self.lines = tuple(lines)
    super().__init__('\n'.join([title, *(f'  {x}' for x in self.lines)]))


class MissingPackageError(UserError):
  """An ability whose package is not installed, as on some GPU images."""

  def __init__(self, ability: str, package: str, *, extra: str = ''):
    """`extra` is the extra of fusion_jax that brings the package, if any."""
    what = f"'fusion_jax[{extra}]'" if extra else package
    super().__init__(
      f"{ability} needs the package '{package}', which is not installed. "
      f'Install it with: pip install {what}'
    )


def brief(text: str) -> str:
  """`text`, its middle left out if it is too long for a message."""
  return text if len(text) <= 200 else f'{text[:80]}...{text[-80:]}'


def nearest(name: str, known: Iterable[str]) -> str | None:
  """The known name that `name` was probably meant to be, if any."""
  matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
  return matches[0] if matches else None


def unknown_name(
  kind: str, name: str, known: Iterable[str], *, where: str = ''
) -> UserError:
  """The error for a name outside its legal set, with the nearest legal one.

  Args:
    kind: what the name stands for, such as 'arm'.
    name: the name as given.
    known: the legal names, listed in the order given.
    where: where the name came from (a flag, a file and row); may be empty.
  """
  known = list(known)
  guess = nearest(name, known)
  place = f' ({where})' if where else ''
  hint = f" Did you mean '{guess}'?" if guess else ''
  # 'modality', but 'arm of this run'.
  head, _, tail = kind.partition(' of ')
  several = f'{words.plural(head)} of {tail}' if tail else words.plural(head)
  return UserError(
    f"Unknown {kind} '{name}'{place}.{hint} "
    f'Known {several}: {", ".join(known) or "none"}.'
  )
