"""A compact network of plain convolutions for images (encoders/plain.py)."""

from fusion_jax.core import arguments
from fusion_jax.encoders import convnet, plain, pooling, protocol


@protocol.encoders('image').register(
  'cnn', summary='compact plain CNN whose stem follows the size of images'
)
def cnn(
  *,
  widths: tuple[int, ...] = (16, 32, 64, 128),
  depth: int = 1,
  most: int = 64,
  pool: pooling.How = 'mean',
) -> plain.CNN:
  """For images of any size; `most` positions a side are left by the stem.

  `pool` over a study's images is mean, attention or views.
  """
  arguments.each_stage('cnn', widths=widths)
  arguments.at_least_one('cnn', depth=depth, most=most)
  return plain.CNN(convnet.Layers(2), widths, depth, most, pool)
