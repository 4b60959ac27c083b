from absl.testing import absltest, parameterized

from fusion_jax.core import types, words
from fusion_jax.evaluation import metrics


class WordsTest(parameterized.TestCase):
  @parameterized.parameters(
    ('arm', 'arms'),
    ('test study', 'test studies'),
    ('key', 'keys'),
    ('class', 'classes'),
  )
  def test_plural(self, noun, expected):
    self.assertEqual(words.plural(noun), expected)

  def test_counted(self):
    self.assertEqual(words.counted(1, 'arm'), '1 arm')
    self.assertEqual(words.counted(0, 'arm'), '0 arms')
    self.assertEqual(words.counted(2, 'study'), '2 studies')


class MetricTest(parameterized.TestCase):
  @parameterized.parameters(
    ('auroc', 'AUROC'),
    ('auroc/pneumonia', 'AUROC of pneumonia'),
    ('auroc_macro', 'macro AUROC'),
    ('brier@365', 'Brier score at 365'),
    ('c_index', 'C-index'),
    ('sensitivity_at_specificity_90', 'sensitivity at specificity 90'),
    ('share of test studies', 'share of test studies'),
    ('', ''),
    ('auroc_micro', 'micro AUROC'),
    ('c_index_uno', "Uno's C-index"),
    ('auroc/melanoma', 'AUROC of melanoma'),
    ('brier', 'Brier score'),
    ('log_loss', 'log loss'),
    ('sensitivity', 'sensitivity'),
  )
  def test_metric(self, name, expected):
    self.assertEqual(words.metric(name), expected)

  @parameterized.parameters(
    types.BINARY, types.MULTICLASS, types.REGRESSION, types.SURVIVAL
  )
  def test_no_metric_of_a_task_has_underscores_or_the_name_of_another(
    self, kind
  ):
    task = types.Task(kind, ('a', 'b', 'c') if kind == types.MULTICLASS else ())
    keys = metrics.names(task, ('9', '99'))
    texts = [words.metric(x) for x in keys]
    self.assertLen(set(texts), len(texts))
    self.assertNotIn('_', ''.join(texts))


if __name__ == '__main__':
  absltest.main()
