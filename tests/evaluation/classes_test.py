"""Tests of the confusion matrix, beside scikit-learn's."""

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics as sklearn_metrics

from fusion_jax.core import types
from fusion_jax.evaluation import classes, folds, resampling
from tests.report import samples


def arranged(**options):
  table = samples.table(types.MULTICLASS, **options)
  test = folds.arrange(table)
  drawn = resampling.draw(
    np.concatenate([f.patient for f in test]), replicates=199, seed=0
  )
  return table.task, test, drawn


class ClassesTest(parameterized.TestCase):
  @parameterized.parameters('joint', 'ehr')
  def test_as_scikit_learn(self, arm):
    task, test, drawn = arranged()
    found = classes.confusion(task, test, arm, drawn)
    true = np.concatenate([f.labels[:, 0] for f in test])
    called = np.concatenate([f.scores[arm][0].argmax(axis=1) for f in test])
    np.testing.assert_allclose(
      found['counts'], sklearn_metrics.confusion_matrix(true, called)
    )
    np.testing.assert_allclose(
      found['shares'],
      sklearn_metrics.confusion_matrix(true, called, normalize='true'),
      atol=1e-5,
    )
    np.testing.assert_allclose(
      [x['sensitivity']['estimate'] for x in found['by_class']],
      sklearn_metrics.recall_score(true, called, average=None),
      atol=1e-5,
    )
    np.testing.assert_allclose(
      [x['ppv']['estimate'] for x in found['by_class']],
      sklearn_metrics.precision_score(true, called, average=None),
      atol=1e-5,
    )

  def test_repeats_are_averaged(self):
    task, test, drawn = arranged(repeats=3)
    found = classes.confusion(task, test, 'joint', drawn)
    self.assertEqual(found['models'], 6)
    self.assertAlmostEqual(np.sum(found['counts']), 120, places=3)

  def test_bounds_hold_the_estimate(self):
    task, test, drawn = arranged()
    for row in classes.confusion(task, test, 'joint', drawn)['by_class']:
      for name in ('sensitivity', 'ppv'):
        entry = row[name]
        self.assertLessEqual(entry['low'], entry['estimate'])
        self.assertGreaterEqual(entry['high'], entry['estimate'])

  def test_a_class_that_nobody_has(self):
    task, test, drawn = arranged()
    kept = [f.take(f.labels[:, 0] != 1) for f in test]
    found = classes.confusion(task, kept, 'joint', drawn)
    row = found['by_class'][1]
    self.assertEqual(found['shares'][1], [None] * 3)
    self.assertIsNone(row['sensitivity']['estimate'])
    self.assertIn('no tested study', row['sensitivity']['reason'])

  def test_only_of_classes_and_models_that_there_are(self):
    task, test, drawn = arranged()
    self.assertIsNone(classes.confusion(task, test, 'nobody', drawn))
    one, two = (
      classes.confusion(task, test, 'joint', drawn, factor=f)['by_class'][0]
      for f in (1.0, 2.0)
    )
    for name in ('sensitivity', 'ppv'):
      self.assertAlmostEqual(
        two[name]['estimate'] - two[name]['low'],
        2 * (one[name]['estimate'] - one[name]['low']),
        delta=1e-4,
      )
    binary = types.Task(types.BINARY, ('y',))
    self.assertIsNone(classes.confusion(binary, test, 'joint', drawn))


if __name__ == '__main__':
  absltest.main()
