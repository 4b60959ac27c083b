"""Feature-wise linear modulation of one modality by the others.

Perez et al. 2018, "FiLM: visual reasoning with a general conditioning layer",
AAAI, equations 1 and 2: each channel of what is modulated is scaled and
shifted by numbers that a linear layer makes of what it is conditioned on.

What differs: any modality is conditioned on any other; of several the scales
and shifts add up. The scale is 1 + gamma and the layers start at 0, so that the
model is at first the one without the exchange.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.fusion import checks, protocol


class FiLM(nn.Module):
  """Scales and shifts channels by the other modalities' pooled vectors.

  Every other modality has a layer of its own whose scales and shifts add up,
  so that one that a study lacks adds nothing. The layers start at 0: the model
  is at first the one without the exchange.

  Attributes:
    onto: modalities that are modulated; all if empty.
  """

  onto: tuple[str, ...] = ()

  @nn.compact
  def __call__(self, hidden, present, *, train: bool):
    """Returns the hidden states by modality, of the same shapes.

    Raises:
      UserError: for a name in `onto` that no modality has.
    """
    checks.modalities('film(onto=...)', self.onto, present)
    del train
    pooled = {m: hidden[m].pooled() for m in sorted(hidden)}
    changed = dict(hidden)
    for m in self.onto or sorted(hidden):
      if m not in hidden:
        continue  # Its features are given: no encoder is run.
      x = hidden[m].x
      total = jnp.zeros((x.shape[0], 2 * x.shape[-1]), x.dtype)
      for other in pooled:
        if other != m:
          layer = nn.Dense(
            2 * x.shape[-1],
            kernel_init=nn.initializers.zeros,
            name=f'{other}_to_{m}',
          )
          # The layer's bias too counts only where the modality is there.
          total += jnp.where(present[other][:, None], layer(pooled[other]), 0)
      b, c = x.shape[0], x.shape[-1]
      total = total.reshape(b, *(1,) * (x.ndim - 2), 2 * c)  # (b, 1..., 2 c)
      scale, shift = jnp.split(total, 2, axis=-1)
      changed[m] = hidden[m].replace(x=x * (1 + scale) + shift)
    return changed


@protocol.EXCHANGES.register(
  'film', summary='scales and shifts by the other modalities (FiLM, Perez 2018)'
)
def film(*, onto: tuple[str, ...] = ()) -> FiLM:
  """`onto` names the modalities that are modulated, as `(image,)`."""
  return FiLM(onto)
