"""The slices of a volume as images of a study, pooled by attention.

Ilse, Tomczak and Welling 2018, "Attention-based deep multiple instance
learning", ICML: a volume is a bag of slices, each of which any image encoder
encodes by itself. It costs less than convolutions in 3-D and can start from
weights of photographs; what lies across slices is seen only by the pooling.
"""

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import spec, types
from fusion_jax.encoders import protocol
from fusion_jax.encoders.image import resnet

_ENCODER = spec.Spec(resnet.NAME, {'pool': spec.Spec('attention')})


class Slices(nn.Module):
  """An encoder of images over the first axis of space.

  Attributes:
    encoder: it.
  """

  encoder: nn.Module

  @property
  def stages(self):
    """Those of the encoder."""
    return self.encoder.stages

  def stem(self, inputs, *, train: bool) -> types.Hidden:
    """Maps voxels (b, d, h, w, c) to hidden of d images."""
    x = inputs['voxels']
    mask = jnp.broadcast_to(inputs['mask'][:, None], x.shape[:2])
    given = {'pixels': x, 'mask': mask, 'present': inputs['mask']}
    return self.encoder.stem(given, train=train)

  def readout(self, hidden, *, train: bool) -> types.Features:
    """Features whose tokens are positions in all slices."""
    return self.encoder.readout(hidden, train=train)


@protocol.encoders('volume').register(
  'slices', summary='an image encoder over slices, pooled by attention'
)
def slices(*, axis_name: str | None, encoder: spec.Spec = _ENCODER) -> Slices:
  """`encoder` is of images, such as densenet(pool=attention)."""
  known = protocol.encoders('image')
  return Slices(known.build(encoder, axis_name=axis_name))
