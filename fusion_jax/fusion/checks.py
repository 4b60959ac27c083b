"""Arguments of combiners and exchanges, held against what is legal."""

from collections.abc import Collection

from fusion_jax.core import errors


def at_least_one(part: str, **arguments: int) -> None:
  """Sizes and numbers of things.

  Raises:
    UserError: that names the first argument below 1.
  """
  for name, value in arguments.items():
    if value < 1:
      raise errors.UserError(
        f'{part}({name}={value}): expected a whole number of at least 1.'
      )


def rate(part: str, *, dropout: float) -> None:
  """A rate of dropout.

  Raises:
    UserError: if it is not from 0 to 1, 1 excluded.
  """
  if not 0 <= dropout < 1:
    raise errors.UserError(
      f'{part}(dropout={dropout:g}): expected a number of at least 0 and '
      'below 1.'
    )


def attention(
  part: str, *, width: int, heads: int, dropout: float = 0.0
) -> None:
  """What attention is made of.

  Raises:
    UserError: if the heads cannot share the width equally, or see above.
  """
  at_least_one(part, width=width, heads=heads)
  rate(part, dropout=dropout)
  if width % heads:
    raise errors.UserError(
      f'{part}(width={width},heads={heads}): width has to be a multiple of '
      'heads.'
    )


def modalities(
  where: str, given: Collection[str], known: Collection[str]
) -> None:
  """Names of modalities that an argument gives.

  Raises:
    UserError: for one that the model does not see.
  """
  for m in given:
    if m not in known:
      raise errors.unknown_name('modality', m, sorted(known), where=where)
