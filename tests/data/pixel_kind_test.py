"""Tests of what images and volumes share, on both."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import config, five, kind, synthetic

KINDS = (five.IMAGE, five.VOLUME)


class PixelKindTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.cohort = synthetic.make_five(n=80, size=16, seed=0)
    cls.config = config.PreprocessConfig(pixel_components=4)

  @parameterized.parameters(*KINDS)
  def test_the_training_part_is_standardised(self, name):
    modality = self.cohort.modalities[name]
    own, rows = kind.of(modality), np.flatnonzero(modality.present)[::2]
    shown = modality.take(rows)
    constants = own.constants(own.fit(modality, rows, self.config))
    held = own.held(modality.data)
    inputs = own.inputs(constants, {k: v[shown.rows] for k, v in held.items()})
    (x,) = (v for k, v in inputs.items() if k != 'mask')
    self.assertAlmostEqual(float(x.mean()), 0, delta=0.02)
    self.assertAlmostEqual(float(x.std()), 1, delta=0.02)

  @parameterized.parameters(*KINDS)
  def test_noise_has_mean_and_spread_of_the_pool_and_no_gaps_less(self, name):
    modality = self.cohort.modalities[name]
    own, pool = kind.of(modality), np.flatnonzero(modality.present)
    rows = np.arange(80)
    data = own.noise(modality, rows, pool, np.random.default_rng(0))
    np.testing.assert_array_equal(data.present, modality.present)
    drawn = getattr(data, own.array).astype(float)
    self.assertFalse(drawn[~data.present].any())
    fit = own.fit(modality, pool, self.config)
    z = np.random.default_rng(1).normal(size=100_000)
    exact = np.clip(fit.mean[0] + fit.std[0] * z, 0, 1)
    exact = fit.low + exact * (fit.high - fit.low)
    drawn, spread = drawn[data.present], exact.std()
    self.assertAlmostEqual(drawn.mean(), exact.mean(), delta=0.02 * spread)
    self.assertAlmostEqual(drawn.std(), spread, delta=0.02 * spread)

  @parameterized.parameters(*KINDS)
  def test_rows_outside_the_training_part_change_nothing(self, name):
    modality = self.cohort.modalities[name]
    own, rows = kind.of(modality), np.arange(0, 80, 2)
    alone = modality.take(rows)
    for fit in (own.fit, own.fit_reduction):
      one = fit(modality, rows, self.config)
      two = fit(alone, np.arange(40), self.config)
      for field in vars(one):
        np.testing.assert_array_equal(getattr(one, field), getattr(two, field))


if __name__ == '__main__':
  absltest.main()
