"""A product of Gaussian experts.

Wu and Goodman 2018, "Multimodal generative models for scalable
weakly-supervised learning", NeurIPS, section 2.2: each modality is an expert
whose belief about a hidden vector is a Gaussian of mean mu_m and precision T_m;
their product with the prior N(0, 1) is a Gaussian of mean
sum(T_m mu_m) / (1 + sum(T_m)) and variance 1 / (1 + sum(T_m)). A modality that
a study lacks is an expert less.

What differs: the label is predicted from the mean. There are no decoders, so
the vector is not sampled and no evidence bound is added to the loss. The
experts are of hidden vectors: a product of the modalities' own class
probabilities is a sum of logits, which is `additive`.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.fusion import checks, protocol

# Of log precisions, beyond which one expert is all there is.
_LARGEST = 8.0


class ProductOfExperts(nn.Module):
  """A precision-weighted mean of the modalities' beliefs.

  Attributes:
    num_outputs: number s of logits.
    width: of the hidden vector.
    dropout: rate on its mean.
  """

  num_outputs: int
  width: int = 64
  dropout: float = 0.5

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out).

    out['precisions'] (b, modalities, width) in sorted order, 0 of what is
    absent; out['mean'] and out['variance'] (b, width) of the product.
    """
    names = sorted(features)
    means, logs = (
      jnp.stack(
        [
          nn.Dense(self.width, name=f'{what}_{m}')(features[m].pooled)
          for m in names
        ],
        axis=1,
      )
      for what in ('mean', 'log_precision')
    )  # (b, m, width)
    here = jnp.stack([present[m] for m in names], axis=1)[..., None]
    precisions = jnp.exp(jnp.clip(logs, -_LARGEST, _LARGEST))
    precisions = jnp.where(here, precisions, 0)
    variance = 1 / (1 + precisions.sum(1))
    mean = (precisions * means).sum(1) * variance
    x = nn.Dropout(self.dropout, deterministic=not train)(mean)
    return nn.Dense(self.num_outputs, name='head')(x), {
      'precisions': precisions,
      'mean': mean,
      'variance': variance,
    }


@protocol.COMBINERS.register(
  'product_of_experts',
  summary='product of Gaussian experts (Wu and Goodman 2018)',
  interactions=True,
  missing=True,
)
def product_of_experts(
  *, num_outputs: int, width: int = 64, dropout: float = 0.5
) -> ProductOfExperts:
  """Each modality says what it believes and how sure it is."""
  checks.at_least_one('product_of_experts', width=width)
  checks.rate('product_of_experts', dropout=dropout)
  return ProductOfExperts(num_outputs, width, dropout)
