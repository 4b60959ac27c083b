"""Tests of experiments.studies.table2.models: the row is counted, for real."""

from absl.testing import absltest, parameterized

from experiments.studies.table2 import claims, models
from fusion_jax.ablation import config as config_lib


class ModelsTest(parameterized.TestCase):
  @parameterized.parameters(
    ('early_pca', ['early_pca'], 1),
    ('early_raw', ['early_raw'], 1),
    ('early_trees', ['extractor', 'early_trees'], 4),
    ('joint', ['joint'], 1),
    ('joint_raw_ehr', ['joint_raw_ehr'], 1),
    ('late_mean', ['image', 'ehr'], 2),
    ('late_stack', ['image', 'ehr'], 2),
  )
  def test_needed(self, arm, trained, fits):
    found = models.needed(config_lib.ExperimentConfig(), arm)
    self.assertEqual(found, (trained, fits))

  def test_the_row_agrees(self):
    row = models.run(None)
    for strategy in claims.STRATEGIES:
      self.assertEqual(claims.outcome(row.checks[strategy]), claims.AGREES)
    self.assertEqual(
      {c.arm: c.found for c in row.checks['early']}['early_features'], 'no'
    )


if __name__ == '__main__':
  absltest.main()
