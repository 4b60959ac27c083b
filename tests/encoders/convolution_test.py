import flax.linen as nn
import jax
import jax.numpy as jnp
from absl.testing import absltest, parameterized

from fusion_jax.encoders import convolution


def _gradients(channels, side, stride, padding, x, **options):
  layer = nn.Conv(channels, (side, side), (stride, stride), padding, **options)
  params = layer.init(jax.random.key(0), x)

  def loss(params, x):
    return jnp.sum(jnp.sin(layer.apply(params, x)))

  return jax.value_and_grad(loss, argnums=(0, 1))(params, x)


class ConvolutionTest(parameterized.TestCase):
  @parameterized.product(
    side=(1, 2, 3, 5),
    stride=(1, 2, 3),
    padding=('SAME', 'VALID', ((2, 1), (0, 3))),
  )
  def test_equals_jax_in_value_and_both_gradients(self, side, stride, padding):
    x = jax.random.normal(jax.random.key(1), (3, 9, 8, 4))
    ours = _gradients(
      6,
      side,
      stride,
      padding,
      x,
      conv_general_dilated=convolution.conv_general_dilated,
    )
    theirs = _gradients(6, side, stride, padding, x)
    for a, b in zip(
      jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True
    ):
      self.assertLess(float(abs(a - b).max()), 1e-4 * float(abs(b).max() + 1))

  def test_grouped_and_dilated_convolutions_are_left_to_jax(self):
    x = jax.random.normal(jax.random.key(1), (2, 8, 8, 4))
    for options in ({'feature_group_count': 2}, {'kernel_dilation': 2}):
      ours = _gradients(
        4,
        3,
        1,
        'SAME',
        x,
        conv_general_dilated=convolution.conv_general_dilated,
        **options,
      )
      theirs = _gradients(4, 3, 1, 'SAME', x, **options)
      self.assertTrue(
        jax.tree.all(jax.tree.map(jnp.allclose, ours, theirs)), options
      )

  def test_gradients_stay_channels_last(self):
    def loss(x, kernel):
      return convolution.convolve(x, kernel, (2, 2), ((1, 1), (1, 1))).sum()

    shapes = jnp.zeros((2, 8, 8, 3)), jnp.zeros((3, 3, 3, 5))
    jaxpr = str(jax.make_jaxpr(jax.grad(loss, argnums=(0, 1)))(*shapes))
    self.assertEqual(jaxpr.count('conv_general_dilated['), 3)
    self.assertEqual(jaxpr.count('lhs_spec=(0, 3, 1, 2)'), 3)
    self.assertEqual(jaxpr.count('rhs_spec=(3, 2, 0, 1)'), 3)


if __name__ == '__main__':
  absltest.main()
