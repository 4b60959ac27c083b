"""Tests of model cards."""

import re

from absl.testing import absltest

from fusion_jax.report import cards
from tests.report import parts, samples


class CardsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.summary = parts.rich(samples.sample())

  def test_headings_are_those_of_a_model_card(self):
    text = cards.render(self.summary, 'joint')
    self.assertEqual(
      re.findall(r'^#+ (.*)$', text, re.MULTILINE),
      [
        'Model card: joint',
        'Model details',
        'Intended use',
        'Factors',
        'Metrics',
        'Evaluation data',
        'Training data',
        'Quantitative analyses',
        'Ethical considerations',
        'Caveats and recommendations',
      ],
    )

  def test_says_the_facts_of_the_arm(self):
    text = cards.render(self.summary, 'joint')
    entry = self.summary['arms']['joint']['metrics']['auroc']
    self.assertIn(f'{entry["estimate"]:.3f}'.removeprefix('0'), text)
    for word in ('joint fusion', 'made\\_up', '12.3k', 'sex female', 'Alarm'):
      self.assertIn(word, text)
    self.assertNotIn('sex unknown', text)
    self.assertIn('for the authors', text.lower())

  def test_every_arm_of_every_summary_has_one(self):
    for summary in (self.summary, samples.sample()):
      for arm in summary['arms']:
        self.assertNotIn('None', cards.render(summary, arm))

  def test_names_are_no_markdown(self):
    self.assertEqual(cards.escape('a_b | <i>\n# x'), 'a\\_b \\| \\<i\\> \\# x')


if __name__ == '__main__':
  absltest.main()
