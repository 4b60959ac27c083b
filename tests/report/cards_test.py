"""Tests of model cards."""

import copy
import re

from absl.testing import absltest

from fusion_jax.report import cards
from fusion_jax.report import text as text_lib
from tests.report import parts, samples


class CardsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = parts.rich(samples.sample(repeats=2))

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

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
    for word in (
      'strategy not stated',
      'made\\_up',
      '12.3k',
      'sex female',
      'Alarm',
    ):
      self.assertIn(word, text)
    self.assertNotIn('sex unknown', text)
    self.assertIn('for the authors', text.lower())

  def test_kind_and_modalities_are_the_summary_s(self):
    entry = self.summary['arms']['joint']
    self.assertIn('Modalities: not stated', cards.render(self.summary, 'joint'))
    entry.update(strategy='early', type='II', modalities=['image', 'ehr'])
    text = cards.render(self.summary, 'joint')
    self.assertIn('- Kind: early fusion, type II\n', text)
    self.assertIn('- Modalities: image, ehr\n', text)

  def test_an_alarm_is_told_once(self):
    alarm = self.summary['audits']['missingness']['sentence']
    self.summary['warnings'] = [f'Audit missingness: {alarm}', 'Another.']
    text = cards.render(self.summary, 'joint')
    self.assertEqual(text.count(text_lib.markdown(alarm)), 1)
    self.assertIn('- Another.', text)

  def test_models_that_are_lacking_are_told(self):
    entry = self.summary['arms']['joint']
    self.assertIn('- Models: 4, of 4 folds\n', self.card())
    entry['folds'] = [{**x, 'seeds': [0, 1]} for x in entry['folds'][:3]]
    self.summary['history'].append(
      {'arm': 'joint', 'status': 'failed', 'models': 6, 'reason': 'NaN.'}
    )
    text = self.card()
    self.assertIn('- Models: 6, of 3 folds\n', text)
    self.assertIn('- Models: none of 1 of 4 folds\n', text)
    self.assertIn('the run says failed: NaN.', text)

  def card(self):
    return cards.render(self.summary, 'joint')

  def test_every_cost_has_a_value_or_a_reason(self):
    cost = self.summary['arms']['joint']['cost']
    cost.update(flops=None, memory_bytes=None, memory_bytes_reason='no steps')
    text = self.card()
    self.assertIn('- FLOPs of one prediction: not known\n', text)
    self.assertIn('- One prediction: not measured\n', text)
    self.assertIn('- Bytes of memory of a training step: no steps\n', text)
    traded = self.summary['tradeoffs']['arms']['joint']
    traded['latency_seconds_reason'] = 'nobody asked'
    self.assertIn('- One prediction: nobody asked\n', self.card())
    cost.clear()
    self.assertNotIn('measured', self.card())

  def test_spread_of_training_has_a_reason_where_unknown(self):
    text = self.card()
    self.assertRegex(text, r'fold sd: \.\d{3}')
    mark = re.search(r'seed sd: n/a (\(\d+\))', text)[1]
    why = self.summary['arms']['joint']['variability']['seed_sd_reason']
    self.assertIn(f'{mark} {why}', text)

  def test_external_validation(self):
    self.summary['run']['config_digest'] = 'abc'
    self.summary['audits']['external'] = {'trained_on': 'elsewhere'}
    text = self.card()
    self.assertIn('Another cohort: elsewhere.', text)
    self.assertIn('on all studies, for the models of each training fold', text)
    self.assertNotIn('test parts', text)

  def test_a_reference_given_by_name(self):
    self.assertIn('Against the best single modality: ', self.card())
    self.summary['evaluation']['reference'] = 'ehr'
    self.assertIn("Against 'ehr': ", self.card())

  def test_arms_outside_the_comparison(self):
    single = cards.render(self.summary, 'image')
    self.assertIn('compares every fusion arm with it', single)
    self.summary['comparisons'] = []
    self.assertIn('no part', cards.render(self.summary, 'image'))
    self.assertIn('no single modality', self.card())

  def test_every_arm_of_every_summary_has_one(self):
    for summary in (self.summary, samples.sample()):
      for arm in summary['arms']:
        self.assertNotIn('None', cards.render(summary, arm))

  def test_names_are_no_markdown(self):
    self.assertEqual(
      text_lib.markdown('a_b | <i>\n# x & \x1b[1my'),
      'a\\_b \\| &lt;i&gt; \\# x &amp; \\[1my',
    )

  def test_names_are_no_html(self):
    script = '<script>alert(1)</script>'
    self.summary['cohort'].update(name=script, notes=[script], licence=script)
    self.summary['warnings'] = [script]
    card = self.card()
    self.assertNotIn('<script', card)
    self.assertEqual(card.count('&lt;script&gt;alert(1)&lt;/script&gt;'), 4)


if __name__ == '__main__':
  absltest.main()
