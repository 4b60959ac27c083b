"""What a decoder is to give back of a modality's inputs, and how well it does.

Arrays are known by the names that kinds give them (`Kind.inputs`), as in
augment.py. Numbers and codes of a table and a vector's numbers are given back
as they are; pixels and voxels as a small picture of all that a study has. A
series is not given back.
"""

from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

# The side of the small picture.
SIDE = 8
# The code of a table's cell without a value, which is not to be guessed.
_MISSING = 0


@flax.struct.dataclass
class Target:
  """What is to be given back of b studies.

  Attributes:
    numbers: (b, q) about standardised.
    known: (b, q) bool, which of them were observed.
    codes: (b, k) int32.
    coded: (b, k) bool, likewise.
    levels: numbers that a code can be.
  """

  numbers: jax.Array
  known: jax.Array
  codes: jax.Array
  coded: jax.Array
  levels: int = flax.struct.field(pytree_node=False, default=0)

  @property
  def entries(self) -> int:
    """Numbers and codes of a study."""
    return self.numbers.shape[1] + self.codes.shape[1]

  @property
  def size(self) -> int:
    """Outputs of a decoder."""
    return self.numbers.shape[1] + self.codes.shape[1] * self.levels


def levels_of(
  kinds_give: Mapping[str, Mapping[str, Any]],
) -> tuple[tuple[str, int], ...]:
  """(modality, numbers that a code can be) of those that have codes.

  Args:
    kinds_give: by modality, what its kind gives builders.
  """
  found = {m: x.get('levels', 0) for m, x in kinds_give.items()}
  return tuple((m, int(x)) for m, x in found.items() if x)


def of(
  inputs: dict[str, Any], here: jax.Array, levels: int = 0
) -> Target | None:
  """The target that a modality's inputs are; None if they are none.

  Args:
    inputs: (b, ...) arrays by name.
    here: (b,) bool, which studies have the modality.
    levels: numbers that a code of a table can be; 0 leaves codes out.
  """
  found = _of(inputs, levels)
  if found is None:
    return None
  there = jnp.asarray(here)[:, None]
  return found.replace(known=found.known & there, coded=found.coded & there)


def _of(inputs, levels):
  if 'numeric' in inputs:
    codes = jnp.asarray(inputs['categorical'])
    if not levels:
      codes = codes[:, :0]
    return Target(
      jnp.asarray(inputs['numeric']),
      jnp.asarray(inputs['observed']) > 0,
      codes,
      codes != _MISSING,
      levels,
    )
  if 'vector' in inputs:
    return _of_numbers(jnp.asarray(inputs['vector']))
  for name, axes in (('pixels', 2), ('voxels', 3)):
    if name in inputs:
      x = jnp.asarray(inputs[name])
      if x.ndim == axes + 3:  # Several images of a study.
        mask = jnp.asarray(inputs['mask'])[(..., *[None] * (axes + 1))]
        total = jnp.where(mask, x, 0).sum(1)
        x = total / jnp.maximum(mask.sum(1), 1)
      return _of_numbers(_small(x, axes))
  return None


def _small(x: jax.Array, axes: int) -> jax.Array:
  """(b, ...) numbers of an image of SIDE places along each of its axes."""
  shape = tuple(min(SIDE, n) for n in x.shape[1 : axes + 1])
  b, channels = x.shape[0], x.shape[-1]
  found = jax.image.resize(
    x.astype(jnp.float32), (b, *shape, channels), 'linear'
  )
  return found.reshape(b, -1)


def _of_numbers(numbers: jax.Array) -> Target:
  none = jnp.zeros((numbers.shape[0], 0), jnp.int32)
  return Target(numbers, jnp.ones(numbers.shape, bool), none, none > 0)


def errors_of(
  predicted: jax.Array, target: Target, wanted: tuple | None = None
) -> tuple[jax.Array, jax.Array]:
  """(b,) summed errors of each study, and (b,) how many were summed.

  Half squared errors of numbers, cross entropies of codes.

  Args:
    predicted: (b, size), numbers first, then the logits of each code.
    target: what should have been.
    wanted: (b, q) and (b, k) bool, what counts; all that is known if None.
  """
  b, q = target.numbers.shape
  k = target.codes.shape[1]
  here, coded = target.known, target.coded
  if wanted is not None:
    here, coded = here & wanted[0], coded & wanted[1][:, :k]
  # Not a product: what was not observed may hold anything.
  gap = jnp.where(here, predicted[:, :q] - target.numbers, 0.0)
  total, count = 0.5 * (gap * gap).sum(1), here.sum(1)
  if k and target.levels:
    logits = predicted[:, q:].reshape(b, k, target.levels)
    log_p = jax.nn.log_softmax(logits)
    found = jnp.take_along_axis(log_p, target.codes[..., None], axis=2)[..., 0]
    total += jnp.where(coded, -found, 0.0).sum(1)
    count += coded.sum(1)
  return total, count.astype(jnp.float32)
