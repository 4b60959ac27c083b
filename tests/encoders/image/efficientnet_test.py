"""Tests of EfficientNet."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.encoders import convnet
from fusion_jax.encoders.image import efficientnet
from tests.encoders import published
from tests.encoders import reference as ref


class EfficientNetTest(parameterized.TestCase):
  @parameterized.parameters(
    ('efficientnet', 5_288_548),
    ('efficientnet(lite=true)', 4_652_008),
    ('efficientnet(blocks=(2,3,3,4,4,5,2))', 7_794_184),
  )
  def test_parameters_are_those_published(self, part, count):
    """B0 and B1 of torchvision, lite0 of timm."""
    self.assertEqual(published.of_images(part), count)

  @parameterized.product(stride=(1, 2), expansion=(1, 6), lite=(False, True))
  def test_a_block_is_what_the_paper_says(self, stride, expansion, lite):
    x = np.random.default_rng(0).normal(size=(1, 5, 5, 8)).astype(np.float32)
    block = efficientnet.Block(convnet.Layers(2), 8, 5, stride, expansion, lite)
    hidden = types.Hidden(x, jnp.ones(1, bool))
    found, variables = jax.jit(
      lambda key: block.init_with_output(key, hidden, train=False)
    )(jax.random.key(0))
    p = jax.tree.map(np.asarray, variables['params'])
    act = (lambda y: np.clip(y, 0, 6)) if lite else ref.swish
    y, k = x[0], 0

    def unit(y, stride=1):
      y = ref.conv(y, p[f'Conv_{k}']['kernel'], stride)
      return ref.group_norm(y, p[f'GroupNorm_{k}'])

    if expansion > 1:
      y, k = act(unit(y)), 1
    y, k = act(unit(y, stride)), k + 1
    if not lite:
      weight = ref.swish(ref.dense(y.mean((0, 1)), p['squeeze']))
      self.assertLen(weight, 2)
      y = y * ref.sigmoid(ref.dense(weight, p['excite']))
    y = unit(y)
    np.testing.assert_allclose(
      found.x[0], y + x[0] if stride == 1 else y, atol=1e-4
    )


if __name__ == '__main__':
  absltest.main()
