"""Tests of ConvNeXt."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.encoders import convnet
from fusion_jax.encoders.image import convnext
from tests.encoders import encoding, published
from tests.encoders import reference as ref


class ConvNeXtTest(parameterized.TestCase):
  @parameterized.parameters(
    ('convnext', 28_589_128),
    ('convnext(blocks=(3,3,27,3))', 50_223_688),
    ('convnext(blocks=(3,3,27,3),widths=(128,256,512,1024))', 88_591_464),
  )
  def test_parameters_are_those_published(self, part, count):
    """T, S and B of torchvision."""
    self.assertEqual(published.of_images(part), count)

  def test_a_block_is_what_the_paper_says(self):
    x = np.random.default_rng(0).normal(size=(1, 5, 5, 4)).astype(np.float32)
    block = convnext.Block(convnet.Layers(2), 0.1)
    variables = jax.jit(lambda key: block.init(key, x, train=False))(
      jax.random.key(0)
    )
    p = jax.tree.map(np.asarray, variables['params'])
    np.testing.assert_array_equal(p['scale'], np.float32(1e-6))
    p['scale'] = np.array([0.5, -1.0, 2.0, 1.0], np.float32)
    found = block.apply({'params': p}, x, train=False)
    y = ref.conv(x[0], p['Conv_0']['kernel'], bias=p['Conv_0']['bias'])
    y = ref.dense(ref.layer_norm(y, p['LayerNorm_0']), p['Dense_0'])
    y = y * (1 + np.vectorize(math.erf)(y / math.sqrt(2))) / 2
    y = ref.dense(y, p['Dense_1']) * p['scale']
    np.testing.assert_allclose(found[0], x[0] + y, atol=1e-4)

  def test_whole_images_skip_a_block(self):
    x = np.ones((64, 1, 2, 2, 4), np.float32)
    block = convnext.Block(convnet.Layers(2), 0.5)
    variables = block.init(jax.random.key(0), x, train=False)
    params = jax.tree.map(jnp.ones_like, variables)
    found = block.apply(
      params, x, train=True, rngs={'dropout': jax.random.key(1)}
    )
    moved = np.asarray(jnp.abs(found - x) > 0)
    moved = moved.reshape(64, -1)
    np.testing.assert_array_equal(moved.all(axis=1), moved.any(axis=1))
    self.assertBetween(int(moved.any(axis=1).sum()), 16, 48)

  def test_rates_grow_with_depth(self):
    encoder = encoding.build('image', 'convnext(blocks=(2,3),widths=(4,8))')
    stages = encoder.bind({}).stages
    rates = [x for stage in stages for x in stage.drops]
    np.testing.assert_allclose(rates, [0, 0.025, 0.05, 0.075, 0.1])

  def test_patches_that_do_not_fit_are_filled_up(self):
    inputs = {
      'pixels': jnp.ones((2, 1, 9, 6, 1)),
      'mask': jnp.ones((2, 1), bool),
    }
    for patch, positions in ((4, 3 * 2), (2, 5 * 3), (1, 9 * 6)):
      part = f'convnext(blocks=(1,),widths=(4,),patch={patch})'
      features, _ = encoding.shapes('image', part, inputs)
      self.assertEqual(features.tokens.shape, (2, positions, 4))


if __name__ == '__main__':
  absltest.main()
