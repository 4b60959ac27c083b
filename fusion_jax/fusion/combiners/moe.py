"""A sparse mixture of experts, with a bank for what is absent.

Yun et al. 2024, "Flex-MoE: modeling arbitrary modality combination via the
flexible mixture-of-experts", NeurIPS, section 3: what a study lacks is replaced
by a learnt vector that depends on which modality it is and which others are
there; a transformer over the modalities, whose MLP is a sparse mixture of
experts, joins them. Han et al. 2024, "FuseMoE: mixture-of-experts transformers
for fleximodal fusion", NeurIPS, section 3: the gates are a softmax over the k
largest of minus the distances between a token and a vector of each expert
(Laplace gating).

What differs: one router for all tokens and studies. Flex-MoE trains its experts
on studies with all modalities first and sends the others, by a second router
with a loss of its own, to one expert for each combination; that and the losses
that balance or sharpen the experts' load are left out, so that some experts may
be little used, which the gates show. All experts are computed, which for one
token a modality is cheaper than to choose.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import errors
from fusion_jax.fusion import attention, checks, protocol
from fusion_jax.fusion import tokens as tokens_lib

# The bank holds a vector for each modality and combination of the others.
MOST_MODALITIES = 10
_TINY = 1e-6


def laplace_gates(x: jax.Array, centres: jax.Array, top: int) -> jax.Array:
  """(..., e) gates of (..., c) tokens for experts with (e, c) centres.

  Those of the `top` nearest experts add up to 1; all others are 0.
  """
  gaps = x[..., None, :] - centres
  # At a distance of 0 a root has no gradient.
  scores = -jnp.sqrt((gaps * gaps).sum(-1) + _TINY)
  _, chosen = jax.lax.top_k(scores, top)
  here = jax.nn.one_hot(chosen, len(centres), dtype=bool).any(-2)
  return attention.shares(scores, here, axis=-1)


class Experts(nn.Module):
  """The MLP of a block as a sparse mixture.

  Attributes:
    experts: number of them.
    top: how many each token has.
    ratio: width of an expert's hidden layer, in widths of a token.
  """

  experts: int
  top: int
  ratio: int = 2

  @nn.compact
  def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Maps (b, m, c) to the same shape; also returns (b, m, e) gates."""
    c = x.shape[-1]
    wide = self.ratio * c
    kernel = nn.initializers.lecun_normal(in_axis=1, out_axis=2, batch_axis=0)
    zeros = nn.initializers.zeros
    centres = self.param(
      'centres', nn.initializers.normal(1.0), (self.experts, c)
    )
    hidden = self.param('hidden', kernel, (self.experts, c, wide))
    hidden_bias = self.param('hidden_bias', zeros, (self.experts, wide))
    back = self.param('back', kernel, (self.experts, wide, c))
    back_bias = self.param('back_bias', zeros, (self.experts, c))
    gates = laplace_gates(x, centres, self.top)
    y = nn.gelu(
      jnp.einsum('bmc,ecw->bmew', x, hidden) + hidden_bias, approximate=False
    )
    y = jnp.einsum('bmew,ewc->bmec', y, back) + back_bias
    return jnp.einsum('bme,bmec->bmc', gates, y), gates


class MixtureOfExperts(nn.Module):
  """Tokens and a bank, attention, experts, a linear layer on all tokens.

  Attributes:
    num_outputs: number s of logits.
    width: of the tokens.
    experts: number of them.
    top: how many each token has.
    heads: of the attention.
    dropout: rate.
  """

  num_outputs: int
  width: int = 64
  experts: int = 4
  top: int = 2
  heads: int = 4
  dropout: float = 0.1

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out).

    out['gates'] (b, modalities, experts) in sorted order.

    Raises:
      UserError: for more than MOST_MODALITIES modalities.
    """
    x, here = tokens_lib.Pooled(self.width, name='embed')(features, present)
    m = x.shape[1]
    if m > MOST_MODALITIES:
      raise errors.UserError(
        f'moe: the bank would hold a vector for each of {2**m} combinations of '
        f'{m} modalities; it is for up to {MOST_MODALITIES}.'
      )
    bank = self.param(
      'bank', nn.initializers.normal(1.0), (2**m, m, self.width)
    )
    combination = (here * 2 ** jnp.arange(m)).sum(1)  # (b,)
    x = jnp.where(here[..., None], x, bank[combination].astype(x.dtype))
    drop = nn.Dropout(self.dropout, deterministic=not train)
    everything = jnp.ones(here.shape, bool)
    normed = nn.LayerNorm(name='norm_attention')(x)
    y, _ = attention.Attention(self.heads, self.dropout, name='attention')(
      normed, normed, everything, train=train
    )
    x = x + drop(y)
    y, gates = Experts(self.experts, self.top, name='experts')(
      nn.LayerNorm(name='norm_experts')(x)
    )
    x = nn.LayerNorm(name='norm')(x + drop(y))
    x = x.reshape(len(x), -1)  # (b, m width)
    return nn.Dense(self.num_outputs, name='head')(x), {'gates': gates}


@protocol.COMBINERS.register(
  'moe',
  summary='experts, and a bank for the absent (Flex-MoE and FuseMoE 2024)',
  interactions=True,
  missing=True,
)
def moe(
  *,
  num_outputs: int,
  width: int = 64,
  experts: int = 4,
  top: int = 2,
  heads: int = 4,
  dropout: float = 0.1,
) -> MixtureOfExperts:
  """`top` of the `experts` see a token."""
  checks.attention('moe', width=width, heads=heads, dropout=dropout)
  checks.at_least_one('moe', experts=experts, top=top)
  if top > experts:
    raise errors.UserError(
      f'moe(experts={experts},top={top}): a token cannot have more experts '
      'than there are.'
    )
  return MixtureOfExperts(num_outputs, width, experts, top, heads, dropout)
