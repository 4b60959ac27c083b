"""A compact network of plain convolutions for volumes (encoders/plain.py)."""

from fusion_jax.core import arguments
from fusion_jax.encoders import convnet, plain, protocol


@protocol.encoders('volume').register(
  'cnn', summary='compact plain 3-D CNN whose stem follows the size'
)
def cnn(
  *, widths: tuple[int, ...] = (8, 16, 32, 64), depth: int = 1, most: int = 32
) -> plain.CNN:
  """For volumes of any size; `most` positions a side are left by the stem."""
  arguments.each_stage('cnn', widths=widths)
  arguments.at_least_one('cnn', depth=depth, most=most)
  return plain.CNN(convnet.Layers(3), widths, depth, most)
