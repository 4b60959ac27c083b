import jax
import jax.numpy as jnp
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.parallel import rules

P = jax.sharding.PartitionSpec


def _spec(shape, *texts, path='train/params/head/kernel', stacked=False):
  return rules.spec_of(
    path, shape, rules.parse(texts or ('.*:largest',)), size=4, stacked=stacked
  )


class RulesTest(parameterized.TestCase):
  def test_the_largest_dimension_that_can_be_cut(self):
    self.assertEqual(_spec((64, 128)), P(None, 'fsdp'))
    self.assertEqual(_spec((128, 64)), P('fsdp'))
    self.assertEqual(_spec((3, 3, 16, 33)), P(None, None, 'fsdp'))
    self.assertEqual(_spec((33, 35)), P())

  def test_members_are_not_cut(self):
    self.assertEqual(_spec((64, 32, 16), stacked=True), P(None, 'fsdp'))
    self.assertEqual(_spec((4096,), stacked=True), P())

  def test_small_ones_stay_whole(self):
    self.assertEqual(_spec((8, 8)), P())
    self.assertEqual(_spec(()), P())

  def test_the_first_rule_that_fits_counts(self):
    texts = ('head:none', 'kernel$:last', '.*:first')
    self.assertEqual(_spec((128, 64), *texts), P())
    self.assertEqual(_spec((128, 64), *texts, path='a/kernel'), P(None, 'fsdp'))
    self.assertEqual(_spec((64, 128), *texts, path='a/table'), P('fsdp'))
    self.assertEqual(_spec((64, 128), 'x:last', path='a/table'), P())

  @parameterized.parameters('kernel', ':last', '(:last', 'a:middle')
  def test_malformed(self, rule):
    with self.assertRaisesRegex(errors.UserError, 'is no rule such as'):
      rules.parse([rule])

  def test_paths(self):
    tree = {'a': [jnp.ones(1), {'b': jnp.ones(1)}]}
    paths = [
      rules.path_of(k) for k, _ in jax.tree_util.tree_leaves_with_path(tree)
    ]
    self.assertEqual(paths, ['a/0', 'a/1/b'])


if __name__ == '__main__':
  absltest.main()
