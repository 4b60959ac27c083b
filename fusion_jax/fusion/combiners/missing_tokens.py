"""Learnt vectors in place of what a study lacks, before any other combiner.

Parthasarathy and Sundaram 2020, "Training strategies to handle missing
modalities for audio-visual expression recognition", ICMI companion, and Lee et
al. 2023, "Multimodal prompting with missing modalities for visual recognition",
CVPR, among others: what is absent is stood for by something of the right shape.
Here it is a vector for each modality, learnt with the model, as a mask token is
in Devlin et al. 2019, "BERT", NAACL, section 3.1.

What differs: the vector takes the place of an encoder's features, pooled and as
the only token, so that any encoder and any combiner can stand around it; the
combiner sees every modality as present.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import spec, types
from fusion_jax.fusion import protocol
from fusion_jax.fusion.combiners import concat

_COMBINER = spec.Spec(concat.NAME)
_INIT = nn.initializers.normal(0.02)


def filled(
  features: types.Features, present: jax.Array, vector: jax.Array
) -> types.Features:
  """Features whose absent rows are a (c,) vector, and it as their token."""
  here = present[:, None]
  first = jnp.arange(features.tokens.shape[1]) == 0
  return types.Features(
    pooled=jnp.where(here, features.pooled, vector),
    tokens=jnp.where(here[..., None], features.tokens, vector),
    token_mask=jnp.where(here, features.token_mask, first),
  )


class MissingTokens(nn.Module):
  """A vector for each modality, and the combiner that sees it.

  Attributes:
    combiner: (features, present, train) -> (logits, out).
  """

  combiner: nn.Module

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out) of the combiner."""
    seen = {}
    for m in sorted(features):
      width = features[m].pooled.shape[-1]
      vector = self.param(f'token_{m}', _INIT, (width,))
      vector = vector.astype(features[m].pooled.dtype)
      seen[m] = filled(features[m], present[m], vector)
    everyone = {m: jnp.ones_like(x) for m, x in present.items()}
    return self.combiner(seen, everyone, train=train)


@protocol.COMBINERS.register(
  'missing_tokens',
  summary='learnt vectors for what is absent, then another combiner',
  interactions=True,
  missing=True,
  wraps='combiner',
)
def missing_tokens(
  *, num_outputs: int, combiner: spec.Spec = _COMBINER
) -> MissingTokens:
  """`combiner` is any other, such as gated(width=32)."""
  return MissingTokens(
    protocol.COMBINERS.build(combiner, num_outputs=num_outputs)
  )
