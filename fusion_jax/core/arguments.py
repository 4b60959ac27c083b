"""Arguments of parts, held against what is legal.

Types are checked by the registry (registry.py); builders call these for the
rest, which a run asks of every part before it trains any (ablation/roster.py).
"""

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


def rate(part: str, **arguments: float) -> None:
  """Rates of dropout.

  Raises:
    UserError: that names the first one that is not from 0 to 1, 1 excluded.
  """
  for name, value in arguments.items():
    if not 0 <= value < 1:
      raise errors.UserError(
        f'{part}({name}={value:g}): expected a number of at least 0 and below '
        '1.'
      )


def attention(part: str, *, width: int, heads: int) -> None:
  """What attention is made of.

  Raises:
    UserError: if the heads cannot share the width equally, or see above.
  """
  at_least_one(part, width=width, heads=heads)
  if width % heads:
    raise errors.UserError(
      f'{part}(width={width},heads={heads}): width has to be a multiple of '
      'heads.'
    )


def each_stage(part: str, **arguments: tuple[int, ...]) -> None:
  """Arguments that have one whole number a stage.

  Raises:
    UserError: if there is none, if one is not positive, or if the arguments
      differ in length.
  """
  for name, values in arguments.items():
    if not values or min(values) < 1:
      raise errors.UserError(
        f'{part}({name}={values}): expected whole numbers of at least 1, one '
        'for each stage.'
      )
  lengths = {name: len(values) for name, values in arguments.items()}
  if len(set(lengths.values())) > 1:
    told = ' and '.join(f'{n} of {name!r}' for name, n in lengths.items())
    raise errors.UserError(
      f'{part}: {told}; expected as many of each, one for each stage.'
    )
