"""Tests of the blocks of deep ResNets."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.encoders import convnet, deep_residual
from tests.encoders import reference as ref


def _run(module, x):
  hidden = types.Hidden(x, jnp.ones(x.shape[:1], bool))
  found, variables = jax.jit(
    lambda key: module.init_with_output(key, hidden, train=False)
  )(jax.random.key(0))
  return found.x, jax.tree.map(np.asarray, variables['params'])


class BlockTest(parameterized.TestCase):
  @parameterized.parameters((8, 1), (8, 2), (12, 1))
  def test_a_block_is_what_the_paper_says(self, width, stride):
    x = np.random.default_rng(0).normal(size=(2, 5, 6, 8)).astype(np.float32)
    block = deep_residual.Block(convnet.Layers(2), width, stride)
    found, p = _run(block, x)
    for study in range(2):
      y = ref.conv(x[study], p['Conv_0']['kernel'], stride)
      y = ref.relu(ref.group_norm(y, p['GroupNorm_0']))
      y = ref.group_norm(ref.conv(y, p['Conv_1']['kernel']), p['GroupNorm_1'])
      short = x[study]
      if 'Conv_2' in p:
        short = ref.conv(short, p['Conv_2']['kernel'], stride)
        short = ref.group_norm(short, p['GroupNorm_2'])
      np.testing.assert_allclose(found[study], ref.relu(y + short), atol=1e-4)
    self.assertEqual('Conv_2' in p, (width, stride) != (8, 1))

  def test_a_bottleneck_is_what_the_paper_says(self):
    x = np.random.default_rng(0).normal(size=(1, 5, 6, 8)).astype(np.float32)
    block = deep_residual.Bottleneck(convnet.Layers(2), 4, 2)
    found, p = _run(block, x)
    y = ref.relu(
      ref.group_norm(ref.conv(x[0], p['Conv_0']['kernel']), p['GroupNorm_0'])
    )
    y = ref.conv(y, p['Conv_1']['kernel'], 2)
    y = ref.relu(ref.group_norm(y, p['GroupNorm_1']))
    y = ref.group_norm(ref.conv(y, p['Conv_2']['kernel']), p['GroupNorm_2'])
    short = ref.conv(x[0], p['Conv_3']['kernel'], 2)
    short = ref.group_norm(short, p['GroupNorm_3'])
    np.testing.assert_allclose(found[0], ref.relu(y + short), atol=1e-4)

  def test_the_stem_of_volumes_keeps_the_slices(self):
    stem = deep_residual.Stem(convnet.Layers(3), 4, total=2, pooled=False)
    hidden = types.Hidden(jnp.ones((1, 6, 8, 8, 1)), jnp.ones(1, bool))
    found = jax.eval_shape(
      lambda key: stem.init_with_output(key, hidden, train=False)[0],
      jax.random.key(0),
    )
    self.assertEqual(found.x.shape, (1, 6, 4, 4, 4))


if __name__ == '__main__':
  absltest.main()
