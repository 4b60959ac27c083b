"""Features of all modalities as tokens of one width."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import types


class Tokens(nn.Module):
  """All tokens of each modality, by a linear layer of its own.

  The layer's bias tells one modality's tokens from another's; where a token
  lies is for its encoder to say.

  Attributes:
    width: of the tokens.
  """

  width: int

  @nn.compact
  def __call__(
    self,
    features: dict[str, types.Features],
    present: dict[str, jax.Array],
  ) -> tuple[dict[str, jax.Array], dict[str, jax.Array]]:
    """Returns (b, t, width) tokens and (b, t) masks by modality.

    A token that is masked is 0, whatever was there.
    """
    tokens, masks = {}, {}
    for m in sorted(features):
      masks[m] = features[m].token_mask & present[m][:, None]
      here = masks[m][..., None]
      x = jnp.where(here, features[m].tokens, 0)
      tokens[m] = jnp.where(here, nn.Dense(self.width, name=m)(x), 0)
    return tokens, masks


class Pooled(nn.Module):
  """One token a modality: its pooled vector, by a linear layer of its own.

  Attributes:
    width: of the tokens.
  """

  width: int

  @nn.compact
  def __call__(
    self,
    features: dict[str, types.Features],
    present: dict[str, jax.Array],
  ) -> tuple[jax.Array, jax.Array]:
    """Returns (b, m, width) tokens in sorted order and their (b, m) mask.

    The token of an absent modality is 0.
    """
    names = sorted(features)
    x = jnp.stack(
      [nn.Dense(self.width, name=m)(features[m].pooled) for m in names], axis=1
    )
    here = jnp.stack([present[m] for m in names], axis=1)
    return jnp.where(here[..., None], x, 0), here


def filled(
  features: types.Features, present: jax.Array, vector: jax.Array
) -> types.Features:
  """Features that are `vector` where a study lacks the modality.

  Args:
    features: of the modality.
    present: (b,) which studies have it.
    vector: (c,), or (b, c), what stands for it: pooled, and as its only token.
  """
  here = present[:, None]
  vector = jnp.broadcast_to(vector, features.pooled.shape)
  first = jnp.arange(features.tokens.shape[1]) == 0
  return types.Features(
    pooled=jnp.where(here, features.pooled, vector),
    tokens=jnp.where(here[..., None], features.tokens, vector[:, None]),
    token_mask=jnp.where(here, features.token_mask, first),
  )
