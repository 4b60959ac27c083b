"""Tests of rules that layouts have in common."""

import numpy as np
from absl.testing import absltest

from fusion_jax.encoders import batch_norm
from fusion_jax.training import layout_rules, pretrained


def initial(rules, arrays, variables):
  layout = pretrained.Layout(
    encoders=('x',),
    marker='',
    rules=rules,
    others=layout_rules.COUNTS,
    prefix='',
    mean=(0.0,),
    std=(1.0,),
  )
  return pretrained.initial(pretrained.Weights('f', layout, arrays), variables)


class RulesTest(absltest.TestCase):
  def test_a_unit_with_another_epsilon(self):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(5, 3, 1, 1)).astype(np.float32)
    arrays = {'c.weight': kernel, 'n.num_batches_tracked': np.array(1)}
    names = ('weight', 'bias', 'running_mean', 'running_var')
    for name in names:
      arrays[f'n.{name}'] = rng.uniform(0.1, 1, 5).astype(np.float32)
    made = initial(
      layout_rules.unit('', 1, 'c', 'n', epsilon=1e-3),
      arrays,
      {
        'params': {
          'Conv_1': {'kernel': np.zeros((1, 1, 3, 5))},
          'BatchNorm_1': {'scale': np.zeros(5), 'bias': np.zeros(5)},
        },
        'batch_stats': {
          'BatchNorm_1': {'mean': np.zeros(5), 'var': np.ones(5)}
        },
      },
    )
    x = rng.normal(size=(2, 3)).astype(np.float32)
    y = x @ made['params']['Conv_1']['kernel'][0, 0]
    np.testing.assert_allclose(y, x @ kernel[:, :, 0, 0].T, rtol=1e-5)
    found = batch_norm.BatchNorm(None).apply(
      {
        'params': made['params']['BatchNorm_1'],
        'batch_stats': made['batch_stats']['BatchNorm_1'],
      },
      y,
      np.ones(2, bool),
      train=False,
    )
    weight, bias, mean, var = (arrays[f'n.{name}'] for name in names)
    expected = (y - mean) / np.sqrt(var + 1e-3) * weight + bias
    np.testing.assert_allclose(found, expected, atol=1e-5)

  def test_layers_with_biases(self):
    arrays = {
      'c.weight': np.arange(6.0).reshape(2, 3, 1, 1),
      'c.bias': np.arange(2.0),
      'n.weight': np.ones(2),
      'n.bias': np.zeros(2),
    }
    made = initial(
      (
        *layout_rules.linear('a', 'c'),
        *layout_rules.convolution('b', 'c', bias=True),
        *layout_rules.layer_norm('n', 'n'),
      ),
      arrays,
      {
        'params': {
          'a': {'kernel': np.zeros((3, 2)), 'bias': np.zeros(2)},
          'b': {'kernel': np.zeros((1, 1, 3, 2)), 'bias': np.zeros(2)},
          'n': {'scale': np.zeros(2), 'bias': np.ones(2)},
        }
      },
    )['params']
    np.testing.assert_array_equal(made['a']['kernel'], [[0, 3], [1, 4], [2, 5]])
    np.testing.assert_array_equal(
      made['b']['kernel'][0, 0], made['a']['kernel']
    )
    np.testing.assert_array_equal(made['b']['bias'], [0, 1])
    np.testing.assert_array_equal(made['n']['scale'], [1, 1])


class BlocksTest(absltest.TestCase):
  def test_blocks_are_counted_over_all_stages(self):
    """In the order of numbers, not of names."""
    same = pretrained.same
    layout = pretrained.Layout(
      encoders=('x',),
      marker='',
      rules=(
        pretrained.Rule(r'stages_(\d+)/Block_(\d+)/w', '{block}.w', same),
        pretrained.Rule(
          r'stages_(\d+)/Block_(\d+)/v', '{next[0]}.{next[1]}.{1}.v', same
        ),
      ),
      others='',
      prefix='',
      mean=(0.0,),
      std=(1.0,),
      blocks=r'stages_(\d+)/Block_(\d+)/',
    )
    depths = (11, 2)
    tree = {
      f'stages_{s}': {
        f'Block_{j}': {'w': np.zeros(1), 'v': np.zeros(1)} for j in range(depth)
      }
      for s, depth in enumerate(depths)
    }
    places = [(s, j) for s, depth in enumerate(depths) for j in range(depth)]
    arrays = {}
    for n, (s, j) in enumerate(places):
      arrays[f'{n}.w'] = np.array([n])
      arrays[f'{s + 1}.{j + 1}.{j}.v'] = np.array([100 * s + j])
    made = pretrained.initial(
      pretrained.Weights('f', layout, arrays), {'params': tree}
    )['params']
    for n, (s, j) in enumerate(places):
      block = made[f'stages_{s}'][f'Block_{j}']
      self.assertEqual((block['w'], block['v']), (n, 100 * s + j))


if __name__ == '__main__':
  absltest.main()
