import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.training import subsets


class SubsetsTest(absltest.TestCase):
  def test_all_but_the_whole(self):
    self.assertEqual(subsets.proper(('a',)), ())
    self.assertEqual(subsets.proper(('b', 'a')), (('a',), ('b',)))
    found = subsets.proper(tuple('dcba'))
    self.assertLen(set(found), 14)
    self.assertEqual(found[4], ('a', 'b'))

  def test_studies_that_have_all_of_it_and_more(self):
    present = {
      'a': jnp.array([1, 1, 1, 0, 0, 1], bool),
      'b': jnp.array([1, 0, 1, 1, 0, 0], bool),
      'c': jnp.array([1, 1, 0, 1, 0, 0], bool),
      'other': jnp.ones(6, bool),
    }
    nothing = jnp.zeros((6, 1))
    batch = types.Batch(
      inputs={},
      present=present,
      labels=nothing,
      label_mask=nothing > 0,
      weight=nothing[:, 0],
      row=jnp.arange(6),
    )
    for subset, expected in (
      (('a',), [1, 1, 1, 0, 0, 0]),
      (('b', 'c'), [1, 0, 0, 0, 0, 0]),
      (('a', 'b'), [1, 0, 0, 0, 0, 0]),
    ):
      found = subsets.partial(batch, subset, ('a', 'b', 'c'))
      np.testing.assert_array_equal(found, np.array(expected, bool))

  def test_too_many(self):
    subsets.check('x', 'abcdef')
    with self.assertRaisesRegex(errors.UserError, '^x: 7 .* 6 modalities'):
      subsets.check('x', 'abcdefg')


if __name__ == '__main__':
  absltest.main()
