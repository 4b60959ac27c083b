"""Tests of the files beside a page."""

import copy

from absl.testing import absltest, parameterized

from fusion_jax.report import beside
from tests.report import samples


class BesideTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = samples.sample()

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  @parameterized.parameters(
    ('Joint 1', 'joint_1'), ('../x', 'x'), ('é', 'x'), ('a/b', 'a_b')
  )
  def test_slug(self, name, expected):
    self.assertEqual(beside.slug(name), expected)

  def test_every_arm_has_a_card_of_its_own(self):
    for arm in ('../joint', 'a/b', 'a b'):
      self.summary['arms'][arm] = self.summary['arms']['joint']
    cards = beside.cards(self.summary)
    self.assertEqual(list(cards), list(self.summary['arms']))
    self.assertLen(set(cards.values()), len(cards))
    for path in cards.values():
      self.assertRegex(path, r'^model_cards/\w+\.md$')

  def test_links_are_of_what_there_is(self):
    paths = [x[0] for x in beside.links(self.summary, curves=False)]
    self.assertIn(beside.SUMMARY, paths)
    self.assertNotIn(beside.CURVES, paths)
    # These predictions are other people's, and lie where they keep them.
    self.assertNotIn(beside.PREDICTIONS, paths)
    self.summary['run']['config_digest'] = 'x'
    paths = [x[0] for x in beside.links(self.summary, curves=True)]
    self.assertContainsSubset((beside.CURVES, beside.PREDICTIONS), paths)


if __name__ == '__main__':
  absltest.main()
