"""Tests of names in plain words."""

from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import metrics
from fusion_jax.report import names


class NamesTest(parameterized.TestCase):
  @parameterized.parameters(
    ('auroc', 'AUROC'),
    ('auroc/pneumonia', 'AUROC of pneumonia'),
    ('auroc_macro', 'macro AUROC'),
    ('brier@365', 'Brier score at 365'),
    ('c_index', 'C-index'),
    ('sensitivity_at_specificity_90', 'sensitivity at specificity 90'),
    ('share of test studies', 'share of test studies'),
    ('', ''),
  )
  def test_metric(self, name, words):
    self.assertEqual(names.metric(name), words)

  @parameterized.parameters(
    types.BINARY, types.MULTICLASS, types.REGRESSION, types.SURVIVAL
  )
  def test_no_metric_of_a_task_has_underscores_or_the_name_of_another(
    self, kind
  ):
    task = types.Task(kind, ('a', 'b', 'c') if kind == types.MULTICLASS else ())
    keys = metrics.names(task, ('9', '99'))
    words = [names.metric(x) for x in keys]
    self.assertLen(set(words), len(words))
    self.assertNotIn('_', ''.join(words))

  def test_each_verdict_has_a_sign_of_its_own(self):
    signs = [names.sign(x) for x in names.SIGNS]
    self.assertLen(set(signs), 4)
    self.assertEqual(names.sign('superior', within_margin=True), '△')
    self.assertEqual(
      names.style('inferior', within_margin=True), 'inferior within'
    )
    self.assertEqual((names.sign('x'), names.style('x')), ('', ''))


if __name__ == '__main__':
  absltest.main()
