"""Tests of the plain network of convolutions."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.encoders import convnet, plain
from tests.encoders import reference as ref


class PlainTest(parameterized.TestCase):
  @parameterized.parameters(
    ((8, 8), (8, 8)),
    ((64, 64), (64, 64)),
    ((65, 90), (33, 45)),
    ((224, 224), (56, 56)),
    ((512, 700), (64, 88)),
  )
  def test_the_stride_of_the_stem_follows_the_size(self, size, left):
    stem = plain.Stem(convnet.Layers(2), 4, most=64)
    hidden = types.Hidden(jnp.ones((1, 1, *size, 1)), jnp.ones((1, 1), bool))
    found = jax.eval_shape(
      lambda key: stem.init_with_output(key, hidden, train=False)[0],
      jax.random.key(0),
    )
    self.assertEqual(found.x.shape, (1, 1, *left, 4))

  def test_a_stage_is_norm_relu_and_convolution(self):
    x = np.random.default_rng(0).normal(size=(1, 5, 6, 8)).astype(np.float32)
    stage = plain.Stage(convnet.Layers(2), 4, stride=2, depth=2)
    hidden = types.Hidden(x, jnp.ones(1, bool))
    found, variables = jax.jit(
      lambda key: stage.init_with_output(key, hidden, train=False)
    )(jax.random.key(0))
    p, y = jax.tree.map(np.asarray, variables['params']), x[0]
    for k in range(2):
      y = ref.relu(ref.group_norm(y, p[f'NormReLU_{k}']['GroupNorm_0']))
      y = ref.conv(y, p[f'Conv_{k}']['kernel'], 1 if k else 2)
    np.testing.assert_allclose(found.x[0], y, atol=1e-4)


if __name__ == '__main__':
  absltest.main()
