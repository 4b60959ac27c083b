"""Tests of what one set of test parts says of all arms."""

from absl.testing import absltest

from fusion_jax.evaluation import assessment
from tests.evaluation import summary_test


class AssessmentTest(absltest.TestCase):
  def test_use_of_two_runs_with_other_seconds_is_the_same(self):
    table = summary_test._table()
    uses = []
    for seconds in (0.1, 900.0):
      costs = {a: {'parameters': 5, 'seconds': seconds} for a in table.arms}
      found = summary_test._summarise(table, costs=costs)
      found['use'].pop('cost', None)
      uses.append((found['use'], found['gain']))
    self.assertEqual(uses[0], uses[1])

  def test_rivals(self):
    fields = dict.fromkeys(assessment.Work.__dataclass_fields__)
    work = assessment.Work(
      **{**fields, 'singles': ('a', 'b'), 'reference': 'best_single'}
    )
    self.assertEqual((work.rivals, work.named), (('a', 'b'), False))
    work = assessment.Work(
      **{**fields, 'singles': ('a', 'b'), 'reference': 'c'}
    )
    self.assertEqual((work.rivals, work.named), (('c',), True))


if __name__ == '__main__':
  absltest.main()
