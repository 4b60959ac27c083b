import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import kind
from fusion_jax.data import modality as modality_lib
from fusion_jax.data.kinds import vector

KIND = vector.Vector()


def make(values):
  data = vector.Data(np.asarray(values, np.float32))
  return modality_lib.Modality.of('vector', modality_lib.RECORD, data)


class VectorTest(parameterized.TestCase):
  def test_standardised_by_training_and_zero_where_absent(self):
    rng = np.random.default_rng(0)
    x = rng.normal(3, 2, (50, 4))
    x[:, 3] = 7
    x[5] = np.nan
    shown = make(x)
    fitted = KIND.fit(shown, np.arange(30), None)
    out = KIND.derived(fitted, shown.data)['vector']
    known = np.delete(out[:30], 5, axis=0)
    np.testing.assert_allclose(known.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(known.std(0), [1, 1, 1, 0], atol=1e-4)
    np.testing.assert_array_equal(out[5], 0)
    trees = KIND.columns(fitted, None, shown, kind.TREES).x
    self.assertTrue(np.isnan(trees[5]).all())
    np.testing.assert_allclose(trees[6], x[6], rtol=1e-6)

  def test_another_width(self):
    fitted = KIND.fit(make(np.ones((3, 4))), np.arange(3), None)
    with self.assertRaisesRegex(errors.UserError, 'vectors of 2 numbers'):
      KIND.derived(fitted, make(np.ones((3, 2))).data)

  @parameterized.parameters(
    ([[1.0, np.nan], [1, 2]], '1 vectors are NaN in some places'),
    ([[1.0, np.inf], [1, 2]], 'infinity'),
    ([1.0, 2.0], 'expected'),
  )
  def test_what_is_no_vector_is_named(self, values, message):
    data = vector.Data(np.asarray(values, np.float32))
    with self.assertRaisesRegex(errors.UserError, message):
      data.check('note', 2)


if __name__ == '__main__':
  absltest.main()
