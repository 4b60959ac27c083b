"""The block of which transformers are made.

Vaswani et al. 2017, "Attention is all you need"; pre-normalised, as in Xiong et
al. 2020, "On layer normalization in the transformer architecture".
"""

import flax.linen as nn
import jax

from fusion_jax.core import types


class Block(nn.Module):
  """Self-attention and an MLP, each around a shortcut.

  Attributes:
    heads: of the attention, a divisor of the tokens' width.
    ratio: width of the MLP's hidden layer, in widths of a token.
    dropout: rate in the attention and after both.
  """

  heads: int
  ratio: int = 4
  dropout: float = 0.0

  @nn.compact
  def __call__(self, hidden: types.Hidden, *, train: bool) -> types.Hidden:
    """Maps (b, ..., t, c) to the same shape.

    Where the mask covers tokens, padding is attended to by none; where it ends
    before, as over the images of a study, all tokens of an item are there.
    """
    x = hidden.x
    width = x.shape[-1]
    mask: jax.Array | None = None
    if hidden.mask.ndim == x.ndim - 1:
      mask = hidden.mask[..., None, None, :]
    y = nn.LayerNorm()(x)
    y = nn.MultiHeadDotProductAttention(
      self.heads, dropout_rate=self.dropout, deterministic=not train
    )(y, mask=mask)
    x = x + nn.Dropout(self.dropout, deterministic=not train)(y)
    y = nn.Dense(self.ratio * width)(nn.LayerNorm()(x))
    y = nn.Dense(width)(nn.gelu(y, approximate=False))
    x = x + nn.Dropout(self.dropout, deterministic=not train)(y)
    return hidden.replace(x=x)
