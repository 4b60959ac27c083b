"""Tests of what networks of convolutions share."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.encoders import convnet
from tests.encoders import encoding


class LayersTest(parameterized.TestCase):
  def test_a_convolution_is_padded_alike_on_both_sides(self):
    """A stride of 2 takes the first, third, ... place, whatever the size."""
    x = jnp.arange(12.0).reshape(1, 1, 12, 1, 1)
    conv = convnet.Layers(2).conv(1, 3, 2)
    variables = conv.init(jax.random.key(0), x)
    kernel = jnp.zeros((3, 3, 1, 1)).at[1, 1].set(1.0)
    found = conv.apply({'params': {'kernel': kernel}}, x)
    self.assertEqual(variables['params']['kernel'].shape, (3, 3, 1, 1))
    np.testing.assert_array_equal(found.ravel(), [0, 2, 4, 6, 8, 10])

  @parameterized.parameters(2, 3)
  def test_pooling_reaches_over_space_alone(self, space):
    make = convnet.Layers(space)
    x = np.random.default_rng(0).normal(size=(2, 3, *(5,) * space, 4))
    x = x.astype(np.float32)
    tall = make.max_pool(x)
    self.assertEqual(tall.shape, (2, 3, *(3,) * space, 4))
    corner = (slice(None), slice(None), *(slice(0, 2),) * space)
    axes = tuple(range(2, 2 + space))
    first = (slice(None), slice(None), *(0,) * space)
    np.testing.assert_array_equal(tall[first], x[corner].max(axes))
    half = make.halved(x)
    self.assertEqual(half.shape, tall.shape)
    np.testing.assert_allclose(half[first], x[corner].mean(axes), atol=1e-6)
    # At the odd end there is one place.
    end = (slice(None), slice(None), *(-1,) * space)
    np.testing.assert_allclose(half[end], x[end], atol=1e-6)
    np.testing.assert_allclose(
      make.mean(x).squeeze(axes), x.mean(axes), atol=1e-6
    )

  def test_small_images_keep_their_resolution(self):
    """The stem's stride, not its parameters, follows the size."""
    found = {}
    for side in (32, 64):
      inputs = {
        'pixels': jnp.ones((1, 1, side, side, 3)),
        'mask': jnp.ones((1, 1), bool),
      }
      found[side] = encoding.shapes('image', 'deep_resnet', inputs)
    self.assertEqual(found[32][0].tokens.shape[1], 4 * 4)
    self.assertEqual(found[64][0].tokens.shape[1], 2 * 2)
    self.assertEqual(*(encoding.count(v) for _, v in found.values()))

  def test_a_volume_is_one_item(self):
    x, mask = jnp.ones((2, 3, 4, 5, 6)), jnp.array([True, False])
    found = convnet.as_items(types.Hidden(x, mask), 3)
    self.assertEqual([y.shape for y in found], [(2, 1, 3, 4, 5, 6), (2, 1)])


class BuildersTest(parameterized.TestCase):
  @parameterized.parameters(
    ('convnext(blocks=(1,2))', "2 of 'blocks' and 4 of 'widths'"),
    ('convnext(drop=1.0)', r'convnext\(drop=1\): expected'),
    ('cnn(widths=())', r'cnn\(widths=\(\)\): expected'),
    ('cnn(most=0)', r'cnn\(most=0\): expected'),
    ('resnet(widths=(4,0))', r'resnet\(widths=\(4, 0\)\): expected'),
    ('deep_resnet(width=0)', 'at least 1'),
    ('densenet(blocks=(3,0))', 'expected whole numbers of at least 1'),
    (
      'efficientnet(widths=(8,8,8,8,8,8,8,8),blocks=(1,1,1,1,1,1,1,1))',
      'at most 7 stages',
    ),
    ('vit(width=10)', 'width has to be a multiple of heads'),
    ('vit(dropout=1.5)', 'below 1'),
  )
  def test_impossible_sizes(self, part, message):
    with self.assertRaisesRegex(errors.UserError, message):
      encoding.build('image', part)


if __name__ == '__main__':
  absltest.main()
