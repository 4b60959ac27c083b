"""Tests of what decoders are to give back."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from scipy import special

from fusion_jax.training import reconstruction

B = 5


def _table(rng):
  return {
    'numeric': rng.normal(size=(B, 3)).astype(np.float32),
    'observed': (rng.random((B, 3)) < 0.7).astype(np.float32),
    'categorical': rng.integers(0, 4, (B, 2)),
  }


class ReconstructionTest(absltest.TestCase):
  def test_errors_of_a_table_are_those_of_what_is_known(self):
    rng = np.random.default_rng(0)
    table, here = _table(rng), np.array([1, 1, 0, 1, 1], bool)
    target = reconstruction.of(table, here, 4)
    self.assertEqual((target.size, target.entries), (3 + 2 * 4, 5))
    predicted = rng.normal(size=(B, target.size)).astype(np.float32)
    wanted = rng.random((B, 3)) < 0.6, rng.random((B, 2)) < 0.6
    for chosen in (None, wanted):
      total, count = reconstruction.errors_of(
        jnp.asarray(predicted), target, chosen
      )
      numbers, codes = chosen or (np.ones((B, 3), bool), np.ones((B, 2), bool))
      for i in range(B):
        exact, seen = 0.0, 0
        for j in range(3):
          if here[i] and table['observed'][i, j] and numbers[i, j]:
            exact += 0.5 * (predicted[i, j] - table['numeric'][i, j]) ** 2
            seen += 1
        for j in range(2):
          code = table['categorical'][i, j]
          if here[i] and codes[i, j] and code != 0:  # 0 is missing.
            logits = predicted[i, 3 + 4 * j : 7 + 4 * j]
            exact -= special.log_softmax(logits)[code]
            seen += 1
        self.assertAlmostEqual(float(total[i]), exact, places=4)
        self.assertEqual(float(count[i]), seen)

  def test_codes_are_left_out_where_their_number_is_not_known(self):
    target = reconstruction.of(_table(np.random.default_rng(0)), np.ones(B) > 0)
    self.assertEqual(target.size, 3)

  def test_what_is_absent_or_unobserved_may_hold_anything(self):
    table = _table(np.random.default_rng(0))
    table['numeric'] = np.where(table['observed'] > 0, table['numeric'], np.nan)
    table['numeric'][2] = np.nan
    here = np.arange(B) != 2
    target = reconstruction.of(table, here, 4)

    def loss(x):
      return reconstruction.errors_of(x, target)[0].sum()

    zeros = jnp.zeros((B, target.size))
    value, gradient = jax.value_and_grad(loss)(zeros)
    self.assertTrue(np.isfinite(value))
    self.assertTrue(np.isfinite(gradient).all())
    np.testing.assert_array_equal(gradient[2], 0)

  def test_pictures_are_the_mean_of_a_study_made_small(self):
    rng = np.random.default_rng(1)
    pixels = rng.normal(size=(B, 2, 16, 4, 1)).astype(np.float32)
    mask = np.array([[1, 1], [1, 0], [0, 1], [1, 1], [1, 1]], bool)
    pixels[~mask] = np.nan
    target = reconstruction.of({'pixels': pixels, 'mask': mask}, np.ones(B) > 0)
    self.assertEqual(target.size, 8 * 4)
    shown = np.stack([x[m].mean(0) for x, m in zip(pixels, mask, strict=True)])
    np.testing.assert_allclose(
      target.numbers.reshape(B, -1).mean(1), shown.mean((1, 2, 3)), atol=0.1
    )
    flat = reconstruction.of(
      {
        'pixels': np.full((B, 1, 16, 16, 2), 3.0),
        'mask': np.ones((B, 1), bool),
      },
      np.ones(B) > 0,
    )
    np.testing.assert_allclose(flat.numbers, 3.0, rtol=1e-6)

  def test_volumes_vectors_and_series(self):
    everyone = np.ones(B) > 0
    volume = {'voxels': np.zeros((B, 4, 9, 10, 1)), 'mask': everyone}
    self.assertEqual(reconstruction.of(volume, everyone).size, 4 * 8 * 8)
    vector = {'vector': np.ones((B, 6))}
    self.assertEqual(reconstruction.of(vector, everyone).size, 6)
    self.assertIsNone(reconstruction.of({'code': everyone}, everyone))

  def test_levels(self):
    given = {'labs': {'levels': 5}, 'ct': {}, 'codes': {'num_codes': 4}}
    self.assertEqual(reconstruction.levels_of(given), (('labs', 5),))


if __name__ == '__main__':
  absltest.main()
