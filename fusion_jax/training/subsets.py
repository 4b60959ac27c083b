"""Sets of a model's modalities, and the studies that have them."""

import functools
import itertools
import operator
from collections.abc import Sequence

import jax

from fusion_jax.core import errors, types

# Each more doubles the number of sets.
MOST = 6


def check(part: str, modalities: Sequence[str]) -> None:
  """Whether a method can go through all sets.

  Raises:
    UserError: for more modalities than MOST.
  """
  if len(modalities) > MOST:
    raise errors.UserError(
      f'{part}: {len(modalities)} modalities have {2 ** len(modalities) - 1} '
      f'combinations; it is for {MOST} modalities at most.'
    )


def proper(modalities: Sequence[str]) -> tuple[tuple[str, ...], ...]:
  """All sets of some, but not all, of the modalities, smaller ones first."""
  names = sorted(modalities)
  return tuple(
    x for k in range(1, len(names)) for x in itertools.combinations(names, k)
  )


def partial(
  batch: types.Batch, subset: Sequence[str], modalities: Sequence[str]
) -> jax.Array:
  """(b,) studies that have all modalities of `subset`, and others besides.

  What the model makes of `subset` is then not what it makes of the study.
  """
  inside = [batch.present[m] for m in modalities if m in subset]
  outside = [batch.present[m] for m in modalities if m not in subset]
  return functools.reduce(operator.and_, inside) & functools.reduce(
    operator.or_, outside
  )
