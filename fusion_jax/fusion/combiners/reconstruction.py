"""What a study lacks is rebuilt from what it has, before any other combiner.

Ma et al. 2021, "SMIL: multimodal learning with severely missing modality",
AAAI: the features of a modality that is missing are a weighted sum of a few
prior vectors of that modality, and a network makes the weights of the modality
that is there, since a sum of known vectors is easier to learn from few complete
studies than the features themselves.

What differs: any number of modalities, each rebuilt from the sum over all
others that a study has of a layer each; weights are a softmax; the priors,
which in the paper are centres of clusters of the training features, are learnt.
The method `reconstruction` adds the loss that makes what is rebuilt resemble
what is there; the paper's Bayesian meta-learning of the reconstruction and its
regularisation by noise are left out. Any combiner can stand behind.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import spec
from fusion_jax.fusion import checks, protocol, tokens
from fusion_jax.fusion.combiners import concat

_COMBINER = spec.Spec(concat.NAME)
_PRIORS = nn.initializers.normal(1.0)


class Reconstruction(nn.Module):
  """Rebuilds each modality of the others, and the combiner that sees it.

  Attributes:
    combiner: (features, present, train) -> (logits, out).
    priors: number k of prior vectors of a modality.
    width: of the layer between.
  """

  combiner: nn.Module
  priors: int
  width: int

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out) of the combiner.

    out['rebuilt'] holds by modality the (b, c) features as the others have
    them; what the modality itself holds has no part in them.
    """
    rebuilt = {
      m: self._of_others(m, features, present) for m in sorted(features)
    }
    seen = {
      m: tokens.filled(x, present[m], rebuilt[m]) for m, x in features.items()
    }
    everyone = {m: jnp.ones_like(x) for m, x in present.items()}
    logits, out = self.combiner(seen, everyone, train=train)
    return logits, {**out, 'rebuilt': rebuilt}

  def _of_others(self, modality, features, present):
    own = features[modality].pooled
    hidden = jnp.zeros((len(own), self.width), own.dtype)
    for m in sorted(features):
      if m != modality:
        layer = nn.Dense(self.width, name=f'of_{m}_for_{modality}')
        here = present[m][:, None]
        hidden += jnp.where(here, layer(features[m].pooled), 0)
    scores = nn.Dense(self.priors, name=f'weights_{modality}')(nn.relu(hidden))
    priors = self.param(
      f'priors_{modality}', _PRIORS, (self.priors, own.shape[-1])
    )
    return nn.softmax(scores) @ priors.astype(own.dtype)


@protocol.COMBINERS.register(
  'reconstruction',
  summary='what is absent, rebuilt of the rest (SMIL, Ma 2021)',
  interactions=True,
  missing=True,
  wraps='combiner',
)
def reconstruction(
  *,
  num_outputs: int,
  combiner: spec.Spec = _COMBINER,
  priors: int = 8,
  width: int = 32,
) -> Reconstruction:
  """Meant with the training method of the same name."""
  checks.at_least_one('reconstruction', priors=priors, width=width)
  inner = protocol.COMBINERS.build(combiner, num_outputs=num_outputs)
  return Reconstruction(inner, priors, width)
