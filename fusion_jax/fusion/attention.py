"""Attention to what a study has, with its weights.

Vaswani et al. 2017, "Attention is all you need", section 3.2.2. Self-attention
that needs no weights to look at is `encoders/attention.py`.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

# Finite, so that a study without any key has weights of 0 and not NaN.
_ABSENT = -1e9


def shares(scores: jax.Array, here: jax.Array, *, axis: int) -> jax.Array:
  """Softmax over `axis` of the scores that are `here`; 0 of all others.

  They add up to 1, or to 0 where nothing is here.

  Args:
    scores: of any shape.
    here: bool, broadcast against `scores`.
    axis: over which they are shared.
  """
  weights = jax.nn.softmax(jnp.where(here, scores, _ABSENT), axis=axis)
  return jnp.where(here, weights, 0)


class Attention(nn.Module):
  """Queries of one set of tokens to another, or to the same.

  Attributes:
    heads: a divisor of the width.
    dropout: rate on the weights.
    width: of queries and keys, all heads together; the queries' own if 0.
    out_init: initializer of the last layer's kernel.
  """

  heads: int
  dropout: float = 0.0
  width: int = 0
  out_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

  @nn.compact
  def __call__(
    self,
    query: jax.Array,
    context: jax.Array,
    mask: jax.Array,
    *,
    train: bool,
  ) -> tuple[jax.Array, jax.Array]:
    """Returns (b, q, c) vectors and (b, h, q, k) weights.

    Where a study has no token to attend to, both are 0.

    Args:
      query: (b, q, c).
      context: (b, k, d), finite also where masked.
      mask: (b, k) bool, which tokens of the context are there.
      train: whether dropout is on.
    """
    size = (self.width or query.shape[-1]) // self.heads
    q, k, v = (
      nn.DenseGeneral((self.heads, size), name=name)(x)
      for name, x in (('query', query), ('key', context), ('value', context))
    )
    scores = jnp.einsum('bqhs,bkhs->bhqk', q, k) * size**-0.5
    weights = shares(scores, mask[:, None, None, :], axis=-1)
    kept = nn.Dropout(self.dropout, deterministic=not train)(weights)
    y = nn.DenseGeneral(
      query.shape[-1], axis=(-2, -1), kernel_init=self.out_init, name='out'
    )(jnp.einsum('bhqk,bkhs->bqhs', kept, v))
    return jnp.where(mask.any(1)[:, None, None], y, 0), weights


class CrossBlock(nn.Module):
  """Attention to other tokens and an MLP, each around a shortcut.

  Pre-normalised, as `encoders.attention.Block`. A study without any token to
  attend to keeps its queries as they are.

  Attributes:
    heads: of the attention, a divisor of the tokens' width.
    ratio: width of the MLP's hidden layer, in widths of a token.
    dropout: rate in the attention and after both.
  """

  heads: int
  ratio: int = 2
  dropout: float = 0.0

  @nn.compact
  def __call__(
    self,
    query: jax.Array,
    context: jax.Array,
    mask: jax.Array,
    *,
    train: bool,
  ) -> tuple[jax.Array, jax.Array]:
    """Returns (b, q, c) tokens and (b, h, q, k) weights; see `Attention`."""
    width = query.shape[-1]
    drop = nn.Dropout(self.dropout, deterministic=not train)
    y, weights = Attention(self.heads, self.dropout, name='attention')(
      nn.LayerNorm(name='norm_query')(query),
      nn.LayerNorm(name='norm_context')(context),
      mask,
      train=train,
    )
    x = query + drop(y)
    y = nn.Dense(self.ratio * width, name='hidden')(nn.LayerNorm()(x))
    y = nn.Dense(width, name='back')(nn.gelu(y, approximate=False))
    x = x + drop(y)
    return jnp.where(mask.any(1)[:, None, None], x, query), weights
