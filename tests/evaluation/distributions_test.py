"""Tests of histograms of scores."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import distributions, folds
from tests.report import samples


class DistributionsTest(parameterized.TestCase):
  @parameterized.parameters(1, 3)
  def test_counts_sum_to_the_studies_of_each_outcome(self, repeats):
    table = samples.table(types.BINARY, repeats=repeats)
    test = folds.arrange(table)
    found = distributions.histograms(table.task, test, 'joint')['']
    first = [f for f in test if f.repeat == 0]
    y = np.concatenate([f.labels[:, 0] for f in first])
    self.assertAlmostEqual(sum(found['event']), y.sum(), places=3)
    self.assertAlmostEqual(sum(found['no_event']), (y == 0).sum(), places=3)
    self.assertLen(found['edges'], 1 + distributions.BINS)

  def test_as_numpy(self):
    table = samples.table(types.BINARY)
    test = folds.arrange(table)
    found = distributions.histograms(table.task, test, 'ehr')['']
    y = np.concatenate([f.labels[:, 0] for f in test])
    s = np.concatenate([f.scores['ehr'][0][:, 0] for f in test])
    for outcome, name in ((1, 'event'), (0, 'no_event')):
      expected, _ = np.histogram(
        s[y == outcome], bins=distributions.BINS, range=(0, 1)
      )
      np.testing.assert_array_equal(found[name], expected)

  def test_scores_of_0_and_1_are_counted_and_unknown_labels_not(self):
    table = samples.table(types.BINARY)
    (first, *_) = folds.arrange(table)
    n = len(first.study)
    labels, scores = np.ones((n, 1)), np.ones((n, 1))
    labels[0], scores[1] = np.nan, 0.0
    one = dataclasses.replace(first, labels=labels, scores={'a': {0: scores}})
    found = distributions.histograms(table.task, [one], 'a')['']
    self.assertEqual(found['event'][0], 1)
    self.assertEqual(found['event'][-1], n - 2)

  def test_few_labels_each(self):
    names = tuple(f'l{k}' for k in range(8))
    task = types.Task(types.MULTILABEL, names)
    (first, *_) = folds.arrange(samples.table(types.BINARY))
    n = len(first.study)
    one = dataclasses.replace(
      first,
      labels=np.zeros((n, 8)),
      scores={'a': {0: np.full((n, 8), 0.5)}},
    )
    found = distributions.histograms(task, [one], 'a')
    self.assertEqual(list(found), list(names[: distributions.MOST_LABELS]))
    self.assertEqual(sum(found['l0']['no_event']), n)

  def test_other_tasks_and_arms_have_none(self):
    table = samples.table(types.BINARY)
    test = folds.arrange(table)
    regression = types.Task(types.REGRESSION, ('y',))
    self.assertIsNone(distributions.histograms(regression, test, 'joint'))
    self.assertIsNone(distributions.histograms(table.task, test, 'nobody'))


if __name__ == '__main__':
  absltest.main()
