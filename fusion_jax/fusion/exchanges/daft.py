"""The dynamic affine feature map transform.

Wolf et al. 2022, "DAFT: a universal module to interweave tabular data and 3D
images in CNNs", NeuroImage 260 (first Poelsterl et al. 2021, MICCAI): channels
are scaled and shifted, F' = alpha F + beta, by numbers that a network with one
narrow hidden layer and no biases makes of the table and the channels' own
means. What FiLM lacks is these means: how a channel is scaled depends on what
it holds.

What differs: any modality is modulated by any other, each pair having a network
of its own whose scales and shifts add up, so that one that a study lacks adds
nothing; the scale is 1 + alpha and the last layer starts at 0, so that the
model is at first the one without the exchange.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.fusion import checks, protocol


class DAFT(nn.Module):
  """Scales and shifts channels by both modalities' pooled vectors.

  Attributes:
    onto: modalities that are modulated; all if empty.
    bottleneck: width of the networks' hidden layer.
  """

  onto: tuple[str, ...] = ()
  bottleneck: int = 7

  @nn.compact
  def __call__(self, hidden, present, *, train: bool):
    """Returns the hidden states by modality, of the same shapes.

    Raises:
      UserError: for a name in `onto` that no modality has.
    """
    checks.modalities('daft(onto=...)', self.onto, present)
    del train
    # What an absent modality holds must not even be multiplied by 0.
    pooled = {
      m: jnp.where(present[m][:, None], hidden[m].pooled(), 0)
      for m in sorted(hidden)
    }
    changed = dict(hidden)
    for m in self.onto or sorted(hidden):
      if m not in hidden:
        continue  # Its features are given: no encoder is run.
      x = hidden[m].x
      b, c = x.shape[0], x.shape[-1]
      total = jnp.zeros((b, 2 * c), x.dtype)
      for other in pooled:
        if other != m:
          both = jnp.concatenate([pooled[m], pooled[other]], axis=1)
          made = self._network(f'{other}_to_{m}', both, 2 * c)
          # It sees the modality itself: without the other it makes something.
          total += jnp.where(present[other][:, None], made, 0)
      total = total.reshape(b, *(1,) * (x.ndim - 2), 2 * c)  # (b, 1..., 2 c)
      alpha, beta = jnp.split(total, 2, axis=-1)
      changed[m] = hidden[m].replace(x=x * (1 + alpha) + beta)
    return changed

  def _network(self, name, x, outputs):
    x = nn.Dense(self.bottleneck, use_bias=False, name=f'{name}_squeeze')(x)
    return nn.Dense(
      outputs,
      use_bias=False,
      kernel_init=nn.initializers.zeros,
      name=f'{name}_out',
    )(nn.relu(x))


@protocol.EXCHANGES.register(
  'daft',
  summary='scales and shifts by the others and itself (DAFT, Wolf 2022)',
)
def daft(*, onto: tuple[str, ...] = (), bottleneck: int = 7) -> DAFT:
  """`onto` names the modalities that are modulated, as `(image,)`."""
  checks.at_least_one('daft', bottleneck=bottleneck)
  return DAFT(onto, bottleneck)
