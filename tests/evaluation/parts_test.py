import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.evaluation import parts, ranking

BINARY = types.Task(types.BINARY, ('y',))
MULTICLASS = types.Task(types.MULTICLASS, ('a', 'b'))
MULTILABEL = types.Task(types.MULTILABEL, ('u', 'v'))
SURVIVAL = types.Task(types.SURVIVAL, ('time', 'event'))


def _model(task, labels, scores):
  return parts.Model(
    task, np.array(labels, float), np.array(scores, float), None, None, None, ()
  )


class NamesTest(absltest.TestCase):
  def test_what_a_metric_is_made_of(self):
    self.assertEqual(parts.parts_of(MULTICLASS, 'f1_macro'), ['f1/a', 'f1/b'])
    self.assertEqual(
      parts.parts_of(MULTICLASS, 'balanced_accuracy'),
      ['sensitivity/a', 'sensitivity/b'],
    )
    self.assertEqual(
      parts.parts_of(BINARY, 'balanced_accuracy'), ['balanced_accuracy']
    )
    self.assertEqual(
      parts.parts_of(SURVIVAL, 'integrated_brier', ('1', '2')),
      ['brier@1', 'brier@2'],
    )

  def test_base(self):
    self.assertEqual(parts.base_of('auroc/a'), 'auroc')
    self.assertEqual(parts.base_of('brier@365'), 'brier')


class ColumnTest(absltest.TestCase):
  def test_one_against_the_rest(self):
    model = _model(MULTICLASS, [[0], [1], [np.nan]], np.eye(3)[:, :2])
    y, s = parts.column(model, 'auroc/b')
    np.testing.assert_array_equal(y, [0, 1, np.nan])
    np.testing.assert_array_equal(s, [0, 1, 0])
    np.testing.assert_array_equal(
      parts.one_hot(model), [[1, 0], [0, 1], [np.nan, np.nan]]
    )

  def test_labels(self):
    model = _model(MULTILABEL, [[0, 1], [np.nan, np.nan]], np.ones((2, 2)))
    y, _ = parts.column(model, 'auroc/v')
    np.testing.assert_array_equal(y, [1, np.nan])
    self.assertEqual(
      parts.known_rows(MULTILABEL, model.labels).tolist(), [True, False]
    )


class PrepareTest(absltest.TestCase):
  def test_metrics_of_one_threshold_share_their_sums(self):
    model = _model(BINARY, [[0], [1], [np.nan]], [[0.2], [0.7], [0.9]])
    keys = set()
    for name in ('accuracy', 'sensitivity', 'ppv', 'f1'):
      found = parts.prepare(model, name)
      self.assertIsInstance(found, parts.Sums)
      keys.add(found.key)
    self.assertLen(keys, 1)
    np.testing.assert_array_equal(
      found.terms(), [[0, 1, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]]
    )

  def test_rows_are_taken_from_the_weights(self):
    y, s = np.array([True, False, True]), np.array([0.1, 0.2, 0.3])
    kernel = parts.on_rows(
      np.array([0, 1]), 3, lambda: ranking.auroc(y[:2], s[:2])
    )
    self.assertEqual(kernel(np.ones((3, 1))), 0)
    nothing = parts.on_rows(np.array([], int), 3, lambda: None)
    self.assertTrue(np.isnan(nothing(np.ones((3, 2)))).all())


if __name__ == '__main__':
  absltest.main()
