"""Adds the losses of the combiner `shaspec`.

Wang et al. 2023, "Multi-modal learning with missing modality via
shared-specific feature modelling", CVPR: shared features of a study's
modalities come close by the mean absolute difference of their channels, and a
linear layer tells from specific features which modality they are of, by cross
entropy. The weights are the paper's, as far as its code has them in these
roles.

What differs: all pairs of modalities count where the authors' code goes round
in a circle, which is the same for three; a study counts for the pairs that it
has.
"""

import dataclasses
import itertools

import jax
import jax.numpy as jnp

from fusion_jax.core import errors
from fusion_jax.training import protocol


@dataclasses.dataclass(frozen=True)
class ShaSpec(protocol.Method):
  """Losses of shared and specific features, by what the combiner held out.

  Attributes:
    alignment: weight of the shared ones' differences.
    domains: weight of telling the specific ones apart.
  """

  alignment: float
  domains: float

  def losses(self, logits, out, batch, collective):
    """By 'shaspec/NAME', their (sum, weight).

    Raises:
      UserError: if a model of several modalities has another combiner.
    """
    del logits, collective
    names = sorted(out['features'])
    if len(names) < 2:
      return {}  # A single modality shares nothing.
    if 'domains' not in out:
      raise errors.UserError(
        'shaspec adds the losses of the combiner of this name, which a model '
        f'of {", ".join(names)} does not have: give it combiner=shaspec.'
      )
    found, shared = {}, out['shared']
    for i, j in itertools.combinations(range(len(names)), 2):
      one, other = names[i], names[j]
      weight = batch.weight * (batch.present[one] & batch.present[other])
      far = abs(shared[:, i] - shared[:, j]).mean(-1)
      found[f'shaspec/alignment/{one}+{other}'] = (
        self.alignment * (far * weight).sum(),
        weight.sum(),
      )
    here = jnp.stack([batch.present[m] for m in names], axis=1)
    log_p = jax.nn.log_softmax(out['domains'])  # (b, m, m)
    own = jnp.diagonal(log_p, axis1=1, axis2=2)
    weight = batch.weight[:, None] * here
    found['shaspec/domains'] = (
      -self.domains * (own * weight).sum(),
      weight.sum(),
    )
    return found


@protocol.METHODS.register(
  'shaspec',
  summary='adds the losses of the combiner shaspec (ShaSpec, Wang 2023)',
  combiner='shaspec',
  missing=True,
)
def shaspec(*, alignment: float = 0.1, domains: float = 0.02) -> ShaSpec:
  """Weights of the losses beside the task's own."""
  for name, value in {'alignment': alignment, 'domains': domains}.items():
    if not value >= 0:
      raise errors.UserError(
        f'shaspec({name}={value:g}): expected a number of at least 0.'
      )
  return ShaSpec(alignment, domains)
