"""One vector a study of several images, slices or other items.

The mean, or gated attention of Ilse, Tomczak and Welling 2018, "Attention-based
deep multiple instance learning", ICML (equations 7 and 9), which learns which
items count: z = sum_k a_k h_k with a the softmax of w'(tanh(V h) * sigm(U h)).
`views` is this attention after a learnt vector of its place was added to each
item, for images that are named views of a study and so keep their places.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import types

How = Literal['mean', 'attention', 'views']

# Finite, so that a study without any item has weights of 0 and not NaN.
_ABSENT = -1e9
# Of the first vectors of places, BERT's.
_SPREAD = 0.02


class Views(nn.Module):
  """Adds to every item a learnt vector of the place that it has.

  As the type embedding of Devlin et al. 2019, "BERT", NAACL, section 3.2, does
  for the sentences of an input.
  """

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps (b, i, ..., c) to the same shape."""
    init = nn.initializers.normal(_SPREAD)
    places = self.param('embedding', init, (x.shape[1], x.shape[-1]))
    axes = (places.shape[0], *(1,) * (x.ndim - 3), places.shape[1])
    return x + places.astype(x.dtype).reshape(axes)  # (b, i, ..., c)


class Pool(nn.Module):
  """A weighted mean over the items that are there.

  Attributes:
    how: see above.
    width: of the attention's hidden layer, the paper's.
  """

  how: How
  width: int = 128

  def setup(self):
    self.views = Views()
    self.content = nn.Dense(self.width, use_bias=False)
    self.gate = nn.Dense(self.width, use_bias=False)
    self.score = nn.Dense(1, use_bias=False)

  def placed(self, x: jax.Array) -> jax.Array:
    """(b, i, ..., c) items, which know their place where views count."""
    return self.views(x) if self.how == 'views' else x

  def __call__(self, x: jax.Array, mask: jax.Array) -> jax.Array:
    """Maps (b, i, c) and a (b, i) mask to (b, c); 0 where no item is."""
    x = jnp.where(mask[..., None], x, 0)
    if self.how == 'mean':
      count = jnp.maximum(mask.sum(1, keepdims=True), 1).astype(x.dtype)
      return x.sum(1) / count
    hidden = jnp.tanh(self.content(x)) * nn.sigmoid(self.gate(x))
    scores = self.score(hidden)[..., 0]
    weight = jax.nn.softmax(jnp.where(mask, scores, _ABSENT), axis=1)
    return jnp.einsum('bi,bic->bc', jnp.where(mask, weight, 0), x)


def features(
  x: jax.Array,
  mask: jax.Array,
  pool: Pool,
  *,
  items: jax.Array | None = None,
) -> types.Features:
  """Features whose tokens are the positions of all items of a study.

  Args:
    x: (b, i, ..., c) positions of i items.
    mask: (b, i) bool, which items are there.
    pool: of the items.
    items: (b, i, c) one vector an item; the mean over positions if None.
  """
  b, i, c = *x.shape[:2], x.shape[-1]
  x = pool.placed(x.reshape(b, i, -1, c))
  items = x.mean(axis=2) if items is None else pool.placed(items)
  return types.Features(
    pooled=pool(items, mask),
    tokens=x.reshape(b, -1, c),  # (b, t, c)
    token_mask=jnp.repeat(mask, x.shape[2], axis=1),
  )
