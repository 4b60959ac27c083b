"""Tests of experiments.studies.table2.levels: parts and gradients, for real."""

import pytest
from absl.testing import absltest, parameterized

from experiments.studies.table2 import claims, levels
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import families

KNOWN = families.review(families.USUAL)


class LevelsTest(parameterized.TestCase):
  @parameterized.parameters(
    ('early_raw', levels.INPUT, levels.INPUT),
    ('early_pca', levels.INPUT, levels.INPUT),
    ('early_trees', levels.FEATURES, levels.INPUT),
    ('joint', levels.FEATURES, levels.FEATURES),
    ('joint_raw_ehr', levels.FEATURES, levels.INPUT),
    ('late_mean', levels.PREDICTION, levels.PREDICTION),
  )
  def test_levels(self, arm, image, ehr):
    self.assertEqual(levels.levels(KNOWN[arm]), {'image': image, 'ehr': ehr})

  @parameterized.parameters(
    ('early_features', []), ('early_pca', []), ('late_stack', [])
  )
  def test_no_gradient_reaches_an_encoder(self, arm, expected):
    config = config_lib.ExperimentConfig()
    self.assertEqual(levels.reached(config, KNOWN[arm]), expected)

  @pytest.mark.slow
  def test_the_row(self):
    row = levels.run(None)
    found = {s: claims.outcome(row.checks[s]) for s in claims.STRATEGIES}
    self.assertEqual(
      found,
      {
        'early': claims.QUALIFIED,
        'joint': claims.AGREES,
        'late': claims.AGREES,
      },
    )
    reached = row.checks['joint'][1].details['reached']
    self.assertEqual(reached['joint'], ['image', 'ehr'])
    self.assertEqual(reached['joint_raw_ehr'], ['image'])


if __name__ == '__main__':
  absltest.main()
