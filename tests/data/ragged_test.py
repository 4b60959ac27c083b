import jax
import numpy as np
from absl.testing import absltest

from fusion_jax.data import ragged


class RaggedTest(absltest.TestCase):
  def test_last_rows_at_the_end(self):
    x = ragged.Ragged(
      {'a': np.arange(1.0, 7), 'b': np.arange(12).reshape(6, 2)},
      start=np.array([0, 1, 1]),
      stop=np.array([1, 1, 6]),
      length=3,
    )
    out = x.rows(np.array([2, 1, 0]))
    self.assertEqual(out['a'].tolist(), [[4, 5, 6], [0, 0, 0], [0, 0, 1]])
    self.assertEqual(out['mask'].sum(axis=1).tolist(), [3, 0, 1])
    self.assertEqual(out['b'].shape, (3, 3, 2))
    traced = jax.jit(lambda x, r: x.rows(r))(x, np.array([2, 1, 0]))
    jax.tree.map(np.testing.assert_array_equal, out, dict(traced))


if __name__ == '__main__':
  absltest.main()
