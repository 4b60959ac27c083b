"""Tests of what columns are said to mean."""

import copy

from absl.testing import absltest

from fusion_jax.report import facts, glossary, tables
from tests.report import samples


def table(*columns):
  return tables.plain_table('x', 'X', columns, [])


class GlossaryTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = samples.sample()

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def meanings(self, *titles):
    columns = [tables.Column(x) for x in titles]
    return dict(glossary.meanings(table(*columns), facts.of(self.summary)))

  def test_the_metric_is_that_of_the_summary(self):
    self.assertIn('test part', self.meanings('AUROC [95%]')['AUROC [95%]'])
    self.assertEmpty(self.meanings('C-index [95%]'))

  def test_a_column_may_bring_its_own_meaning(self):
    column = tables.Column('x', meaning='what x is')
    self.assertEqual(
      glossary.meanings(table(column), facts.of(self.summary)),
      [('x', 'what x is')],
    )

  def test_folds_are_explained_once(self):
    self.assertEqual(
      list(self.meanings('fold 0', 'fold 1', 'fold 2', 'fold sd')),
      ['fold 0 to fold 2', 'fold sd'],
    )

  def test_hollow_signs_are_explained_where_there_are_any(self):
    for comparison in self.summary['comparisons']:
      comparison['within_margin'] = False
    self.assertNotIn('△', self.meanings('verdict')['verdict'])
    self.summary['comparisons'][0]['within_margin'] = True
    self.assertIn('△', self.meanings('verdict')['verdict'])


if __name__ == '__main__':
  absltest.main()
