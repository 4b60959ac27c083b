"""Tests of the sections of a report."""

import copy

from absl.testing import absltest, parameterized

from fusion_jax.report import sections
from tests.report import parts, samples


class SectionsTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.rich = parts.rich(samples.sample(missing=True))

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.rich)

  @parameterized.parameters(
    ('Joint 1', 'joint_1'), ('../x', 'x'), ('é', 'x'), ('a/b', 'a_b')
  )
  def test_slug(self, name, expected):
    self.assertEqual(sections.slug(name), expected)

  def test_deviations_are_told(self):
    section = sections.registration(self.summary)
    self.assertEqual(
      section.lead, ["Deviation: arm 'late_mean' was not registered"]
    )
    self.summary['registration']['deviations'] = []
    self.assertIn(
      'does not deviate', sections.registration(self.summary).lead[0]
    )


if __name__ == '__main__':
  absltest.main()
