"""Tests of experiments.studies.table2.design."""

import numpy as np
from absl.testing import absltest

from experiments.studies.table2 import design, measure
from fusion_jax.ablation import config as config_lib


def quantity(value, noise=0.0):
  return measure.Quantity(value, np.full(200, value) + noise)


class DesignTest(absltest.TestCase):
  def test_a_draw_changes_every_learner(self):
    base = config_lib.ExperimentConfig()
    drawn = design.drawn(base, 1)
    self.assertNotEqual(
      drawn.training.learning_rate, base.training.learning_rate
    )
    self.assertNotEqual(drawn.classical.l1_ratio, base.classical.l1_ratio)
    self.assertNotEqual(drawn.classical.l2, base.classical.l2)
    self.assertEqual(drawn, design.drawn(base, 1))
    self.assertNotEqual(drawn, design.drawn(base, 2))
    config_lib.check(drawn)

  def test_settings_that_do_not_matter_cost_nothing(self):
    cost = design.careless(quantity(0.8), [quantity(0.8)] * 3)
    self.assertAlmostEqual(cost.value, 0.0)
    np.testing.assert_allclose(cost.replicates, 0.0, atol=1e-12)

  def test_settings_are_drawn_anew(self):
    cost = design.careless(quantity(0.8), [quantity(0.8), quantity(0.6)])
    self.assertAlmostEqual(cost.value, 0.1)
    self.assertCountEqual(np.unique(cost.replicates.round(9)), [0, 0.1, 0.2])

  def test_spread(self):
    items = [quantity(x) for x in (1.0, 2.0, 3.0)]
    self.assertAlmostEqual(design.spread(items), 1.0)


if __name__ == '__main__':
  absltest.main()
