"""Learnt vectors in place of what a study lacks, before any other combiner.

He et al. 2022, "Masked autoencoders are scalable vision learners", CVPR,
section 3, after Devlin et al. 2019, "BERT", NAACL: a shared, learnt vector says
that something is not there. Lee et al. 2023, "Multimodal prompting with missing
modalities for visual recognition", CVPR, learn such vectors for modalities that
a study lacks.

What differs: the vector takes the place of an encoder's features, pooled and as
the only token, so that any encoder and any combiner can stand around it; the
combiner sees every modality as present.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import spec
from fusion_jax.fusion import protocol, tokens
from fusion_jax.fusion.combiners import concat

_COMBINER = spec.Spec(concat.NAME)
_INIT = nn.initializers.normal(0.02)


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
      seen[m] = tokens.filled(features[m], present[m], vector)
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
