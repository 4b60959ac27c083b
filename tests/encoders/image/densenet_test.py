"""Tests of DenseNet."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.encoders import convnet
from fusion_jax.encoders.image import densenet
from tests.encoders import published
from tests.encoders import reference as ref


class DenseNetTest(parameterized.TestCase):
  @parameterized.parameters(
    ('densenet', 7_978_856),
    ('densenet(blocks=(6,12,32,32))', 14_149_480),
    ('densenet(blocks=(6,12,48,32))', 20_013_928),
  )
  def test_parameters_are_those_published(self, part, count):
    """DenseNet-121, 169 and 201 of torchvision."""
    self.assertEqual(published.of_images(part), count)

  def test_a_stage_is_what_the_paper_says(self):
    x = np.random.default_rng(0).normal(size=(1, 4, 6, 8)).astype(np.float32)
    stage = densenet.Stage(convnet.Layers(2), 3, 2, transition=True)
    hidden = types.Hidden(x, jnp.ones(1, bool))
    found, variables = jax.jit(
      lambda key: stage.init_with_output(key, hidden, train=False)
    )(jax.random.key(0))
    p = jax.tree.map(np.asarray, variables['params'])
    y = ref.relu(ref.group_norm(x[0], p['NormReLU_0']['GroupNorm_0']))
    y = ref.conv(y, p['Conv_0']['kernel'])
    y = y.reshape(2, 2, 3, 2, 4).mean((1, 3))
    for k in range(2):
      q = p[f'Layer_{k}']
      z = ref.relu(ref.group_norm(y, q['NormReLU_0']['GroupNorm_0']))
      z = ref.conv(z, q['Conv_0']['kernel'])
      self.assertEqual(z.shape[-1], 4 * 3)
      z = ref.conv(
        ref.relu(ref.group_norm(z, q['GroupNorm_0'])), q['Conv_1']['kernel']
      )
      y = np.concatenate([y, z], axis=-1)
    np.testing.assert_allclose(found.x[0], y, atol=1e-4)


if __name__ == '__main__':
  absltest.main()
