import dataclasses

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics

from experiments.studies.small import recipe
from fusion_jax.data import config as data_config
from fusion_jax.data import splits
from tests import tiny


class RecipeTest(parameterized.TestCase):
  @parameterized.parameters(*recipe.INPUTS)
  def test_learns_and_reads_no_test_label(self, name):
    cohort = tiny.cohort(240)
    config = data_config.SplitConfig(folds=2)
    split = splits.make_splits(cohort, config)[0]
    found = recipe.scores(cohort, split, name)
    truth = cohort.labels[split.test, 0]
    self.assertGreater(metrics.roc_auc_score(truth, found), 0.65)
    labels = cohort.labels.copy()
    labels[split.test] = 1 - labels[split.test]
    other = dataclasses.replace(cohort, labels=labels)
    np.testing.assert_array_equal(recipe.scores(other, split, name), found)

  def test_both_inputs_say_more(self):
    cohort = tiny.cohort(240)
    config = data_config.SplitConfig(folds=2)
    split = splits.make_splits(cohort, config)[0]
    truth = cohort.labels[split.test, 0]
    auroc = {
      name: metrics.roc_auc_score(truth, recipe.scores(cohort, split, name))
      for name in recipe.INPUTS
    }
    self.assertEqual(max(auroc, key=auroc.get), 'plain_both')


if __name__ == '__main__':
  absltest.main()
