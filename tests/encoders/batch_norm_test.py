import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.encoders import batch_norm

X = jax.random.normal(jax.random.key(0), (16, 3, 5)) * 2 + 1
MASK = jnp.arange(16) % 5 > 0


def _run(x, mask, *, train=True, axis_name=None, variables=None):
  module = batch_norm.BatchNorm(axis_name)
  if variables is None:
    variables = module.init(jax.random.key(1), x, mask, train=False)
  return module.apply(variables, x, mask, train=train, mutable=['batch_stats'])


class BatchNormTest(absltest.TestCase):
  def test_equals_flax_where_everything_counts(self):
    ours, changed = _run(X, jnp.ones(16, bool))
    theirs = nn.BatchNorm(use_running_average=False, momentum=0.9)
    variables = theirs.init(jax.random.key(0), X)
    expected, kept = theirs.apply(variables, X, mutable=['batch_stats'])
    np.testing.assert_allclose(ours, expected, atol=1e-5)
    for name in ('mean', 'var'):
      np.testing.assert_allclose(
        changed['batch_stats'][name], kept['batch_stats'][name], atol=1e-5
      )

  def test_what_does_not_count_changes_nothing_of_the_others(self):
    spoiled = jnp.where(MASK[:, None, None], X, 1e6)
    (a, kept), (b, other) = _run(X, MASK), _run(spoiled, MASK)
    np.testing.assert_array_equal(a[MASK], b[MASK])
    jax.tree.map(np.testing.assert_array_equal, kept, other)
    (alone, _) = _run(X[MASK], MASK[MASK])
    np.testing.assert_allclose(a[MASK], alone, atol=1e-5)

  def test_nothing_to_count_keeps_the_statistics(self):
    _, kept = _run(X, jnp.zeros(16, bool))
    np.testing.assert_array_equal(kept['batch_stats']['mean'], np.zeros(5))
    np.testing.assert_array_equal(kept['batch_stats']['var'], np.ones(5))

  def test_outside_training_the_running_averages_count(self):
    _, kept = _run(X, MASK)
    variables = {'params': {'scale': jnp.ones(5), 'bias': jnp.zeros(5)}, **kept}
    part, same = _run(X[:1], MASK[:1], train=False, variables=variables)
    whole, _ = _run(X, MASK, train=False, variables=variables)
    np.testing.assert_allclose(part, whole[:1], atol=1e-6)
    jax.tree.map(np.testing.assert_array_equal, kept, same)

  def test_shards_share_their_statistics(self):
    # Shards count 1 or 2 of their two studies: a mean of means would not do.
    whole, kept = _run(X, MASK)
    mapped = jax.pmap(lambda x, mask: _run(x, mask, axis_name='data'), 'data')
    parts, each = mapped(X.reshape(8, 2, 3, 5), MASK.reshape(8, 2))
    np.testing.assert_allclose(parts.reshape(X.shape), whole, atol=1e-5)
    for name in ('mean', 'var'):
      for shard in each['batch_stats'][name]:
        np.testing.assert_allclose(shard, kept['batch_stats'][name], atol=1e-5)


if __name__ == '__main__':
  absltest.main()
