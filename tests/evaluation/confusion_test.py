import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics as sk

from fusion_jax.evaluation import confusion


class ConfusionTest(parameterized.TestCase):
  @parameterized.parameters(*range(4))
  def test_equals_scikit_learn(self, seed):
    rng = np.random.default_rng(seed)
    y, called = rng.random((2, 50)) < 0.4
    w = rng.exponential(size=50)
    sums = confusion.terms(called, y, np.ones(50, bool)) @ w
    kwargs = {'sample_weight': w}
    tn, fp, fn, tp = sk.confusion_matrix(y, called, **kwargs).reshape(-1)
    np.testing.assert_allclose(sums, [tp, fn, fp, tn])
    expected = {
      'accuracy': sk.accuracy_score(y, called, **kwargs),
      'balanced_accuracy': sk.balanced_accuracy_score(y, called, **kwargs),
      'sensitivity': sk.recall_score(y, called, **kwargs),
      'specificity': sk.recall_score(y, called, pos_label=0, **kwargs),
      'ppv': sk.precision_score(y, called, **kwargs),
      'npv': sk.precision_score(y, called, pos_label=0, **kwargs),
      'f1': sk.f1_score(y, called, **kwargs),
    }
    self.assertSameElements(expected, confusion.METRICS)
    for name, value in expected.items():
      self.assertAlmostEqual(confusion.METRICS[name](*sums), value, msg=name)

  def test_undefined(self):
    nothing, one = np.zeros(1), np.ones(1)
    for name, cells in (
      ('sensitivity', (nothing, nothing, one, one)),
      ('f1', (nothing, nothing, one, one)),
      ('specificity', (one, one, nothing, nothing)),
      ('balanced_accuracy', (one, one, nothing, nothing)),
      ('ppv', (nothing, one, nothing, one)),
      ('npv', (one, nothing, one, nothing)),
      ('accuracy', (nothing,) * 4),
    ):
      self.assertTrue(np.isnan(confusion.METRICS[name](*cells)[0]), name)
    self.assertEqual(confusion.f1(nothing, one, nothing, one)[0], 0)

  def test_unknown_labels_count_for_nothing_and_labels_are_summed(self):
    truth = np.array([[True, False], [True, True]])
    known = np.array([[True, True], [False, True]])
    found = confusion.terms(truth, truth, known)
    np.testing.assert_array_equal(found, [[1, 1], [0, 0], [0, 0], [1, 0]])


if __name__ == '__main__':
  absltest.main()
