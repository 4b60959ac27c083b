import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import metrics

BINARY = types.Task(types.BINARY, ('y',))
MULTICLASS = types.Task(types.MULTICLASS, ('a', 'b', 'c'))
MULTILABEL = types.Task(types.MULTILABEL, ('u', 'v'))
NAMES = {
  types.BINARY: ('y',),
  types.MULTICLASS: ('a', 'b', 'c'),
  types.MULTILABEL: ('u', 'v'),
  types.REGRESSION: ('y',),
  types.SURVIVAL: ('time', 'event'),
}


class ReasonTest(parameterized.TestCase):
  @parameterized.parameters(*NAMES)
  def test_whatever_is_undefined_has_a_reason(self, kind):
    task = types.Task(kind, NAMES[kind])
    rng = np.random.default_rng(0)
    horizons = ('1', '2') if kind == types.SURVIVAL else ()
    for labels in (
      np.zeros((3, task.num_labels)),
      np.ones((3, task.num_labels)),
      np.full((3, task.num_labels), np.nan),
      np.ones((1, task.num_labels)),
    ):
      scores = rng.random((len(labels), task.num_outputs))
      scores /= scores.sum(axis=1, keepdims=True) + 1e-9
      found = metrics.evaluate(task, labels, scores, horizons=horizons)
      for name, value in found.items():
        if np.isnan(value.estimate):
          self.assertNotEmpty(value.reason, name)
    weightless = metrics.evaluate(
      task, labels, scores, np.zeros(1), horizons=horizons
    )
    for name, value in weightless.items():
      self.assertTrue(np.isnan(value.estimate), name)
      self.assertNotEmpty(value.reason, name)

  def test_predictive_values(self):
    y = np.array([[0.0], [1.0], [1.0]])
    low = metrics.evaluate(BINARY, y, np.full((3, 1), 0.1))
    self.assertEqual(low['ppv'].reason, 'no study is called positive')
    self.assertEqual(low['f1'].estimate, 0)
    high = metrics.evaluate(BINARY, y, np.full((3, 1), 0.9))
    self.assertEqual(high['npv'].reason, 'every study is called positive')

  def test_only_what_needs_the_absent_class_is_undefined(self):
    ones = metrics.evaluate(
      BINARY, np.ones((3, 1)), np.array([[0.2], [0.6], [0.7]])
    )
    self.assertEqual(ones['auprc'].estimate, 1)
    self.assertEqual(ones['sensitivity'].estimate, 2 / 3)
    self.assertEqual(ones['f1'].estimate, 0.8)
    for name in ('auroc', 'specificity', 'balanced_accuracy'):
      self.assertEqual(ones[name].reason, 'all 3 studies are positive')

  def test_macro_names_the_labels_it_leaves_out(self):
    labels = np.array([[0.0, 1.0], [1.0, 1.0], [1.0, 1.0]])
    found = metrics.evaluate(MULTILABEL, labels, np.full((3, 2), 0.7))
    self.assertEqual(
      found['specificity_macro'].reason,
      'defined for 1 of 2 (v: all 3 studies are positive)',
    )
    self.assertIn('probability 0.5', found['sensitivity_macro'].reason)
    codes = np.array([[0.0], [1.0]])
    found = metrics.evaluate(MULTICLASS, codes, np.full((2, 3), 1 / 3))
    self.assertIn('defined for 2 of 3', found['balanced_accuracy'].reason)
    self.assertEqual(found['accuracy'].reason, '')


if __name__ == '__main__':
  absltest.main()
