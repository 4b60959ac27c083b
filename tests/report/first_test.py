"""Tests of the first screen."""

import copy
import re

from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.report import facts, first
from fusion_jax.report import text as text_lib
from tests.report import parts, samples

_NUMBER = re.compile(r'[+±-]?(?:\d[\d,]*)?\.?\d+[kMG]?')


def numbers_of(value):
  """All numbers of a summary, and how long its lists are."""
  if isinstance(value, bool) or value is None:
    return
  if isinstance(value, int | float):
    yield value
  elif isinstance(value, dict):
    yield len(value)
    for x in value.values():
      yield from numbers_of(x)
  elif isinstance(value, list | tuple):
    yield len(value)
    for x in value:
      yield from numbers_of(x)


def written(value):
  """The ways in which the first screen may write a number."""
  size = abs(value)
  texts = {f'{size:,}', f'{size:.2f}', f'{size:g}', text_lib.plain(size)}
  texts |= {text_lib.signed(size), text_lib.short(size)}
  texts |= {text_lib.count(int(size)), text_lib.duration(size).split()[0]}
  return {x.lstrip('+') for x in texts if x}


def said(screen):
  """All that a screen says."""
  gain = screen.gain
  return [
    screen.question,
    screen.answer,
    screen.aside,
    *screen.cohort,
    *([gain.number, gain.bounds, gain.over, gain.arrow()] if gain else []),
    screen.sentence,
    *screen.added,
    *(line.text for line in screen.lines),
    *(text for _, text in screen.counts),
  ]


class FirstTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = parts.rich(samples.sample(missing=True))

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def lines(self):
    return {x.label: x.text for x in first.build(self.summary).lines}

  def counts(self):
    return first.counts(self.summary, facts.of(self.summary))

  @parameterized.parameters(
    (types.BINARY, ''),
    (types.BINARY, 'brier'),
    (types.MULTICLASS, ''),
    (types.REGRESSION, ''),
  )
  def test_every_number_is_the_summary_s(self, kind, metric):
    summary = parts.rich(samples.sample(kind, metric=metric, missing=True))
    known = set()
    for value in numbers_of(summary):
      known |= written(value)
    # Of the command that is recommended, and the power of patients needed.
    known |= {'3', '80', '0'}
    checked = 0
    names = sorted(summary['arms'], key=len, reverse=True)
    for text in said(first.build(summary)):
      for name in names:
        text = text.replace(name, '')
      for number in _NUMBER.findall(text):
        self.assertIn(number.lstrip('+-±'), known, text)
        checked += 1
    self.assertGreater(checked, 15)

  def test_there_is_one_gain_and_it_is_the_summary_s(self):
    screen = first.build(self.summary)
    gain = self.summary['gain']
    self.assertEqual(screen.gain.number, f'{gain["difference"]:+.3f}')
    self.assertEqual(
      screen.gain.bounds, f'[{gain["low"]:+.3f}, {gain["high"]:+.3f}]'
    )
    self.assertEqual(screen.gain.metric, 'AUROC')
    self.assertEqual(screen.gain.over, 'over the best single modality')
    before, after = screen.gain.arrow().split(' → ')
    self.assertEqual(before.split()[1], gain['single'])
    self.assertEqual(after.split()[1], gain['arm'])

  def test_what_is_added_to_each_single_modality(self):
    screen = first.build(self.summary)
    self.assertLen(screen.added, len(samples.SINGLES))
    for arm, text in zip(samples.SINGLES, screen.added, strict=True):
      self.assertStartsWith(text, f'to {arm} ')
    # Of one there is no more than the gain itself.
    del self.summary['gain']['added'][1:]
    self.assertEmpty(first.build(self.summary).added)

  def test_the_question_and_its_answer_are_the_summary_s(self):
    for words in ('YES', 'WORSE', 'NO MORE THAN 0.02', 'NOT SETTLED'):
      self.summary['question']['words'] = words
      screen = first.build(self.summary)
      self.assertEqual(screen.answer, words)
      self.assertEqual(screen.question, self.summary['question']['text'])

  def test_which_arm_to_use(self):
    text = self.lines()[first.USE]
    self.assertStartsWith(text, f'{self.summary["use"]["arm"]}: ')
    self.assertIn('by .02 (12.3k parameters, 3.5 s; slope 1.06)', text)
    self.summary['use'].update(parameters=None, cost={}, slope=None)
    self.assertNotIn('(', self.lines()[first.USE])
    self.summary['use'].update(advice='none', sentence='No advice: unsettled.')
    self.assertEqual(self.lines()[first.USE], 'No advice: unsettled')
    del self.summary['use']
    self.assertNotIn(first.USE, self.lines())

  def test_a_single_modality_to_use_and_what_it_needs(self):
    single = self.summary['best_single']['arm']
    self.summary['use'].update(
      advice='single', arm=None, single=single, caveat='recalibrate it'
    )
    self.assertStartsWith(self.lines()[first.USE], f'{single}, a single mod')
    self.assertEndsWith(self.lines()[first.USE], '; recalibrate it')
    self.summary['arms'][single]['role'] = 'other'
    self.assertStartsWith(self.lines()[first.USE], f'{single}: ')

  def test_what_is_not_known_of_the_arm_to_use(self):
    self.summary['use']['caveat'] = 'whether it is calibrated is not known'
    self.assertEndsWith(
      self.lines()[first.USE], '; whether it is calibrated is not known'
    )

  def test_how_sure(self):
    self.summary['evaluation']['factor'] = {'value': 1.25, 'shared': True}
    self.summary['gain'].update(
      training_sd=0.0131,
      fragile={'factor': 1.35, 'verdict': 'inconclusive'},
      leans=[
        {'cause': 'tied_singles', 'size': -0.0052, 'sentence': ''},
        {'cause': 'choice_of_arm', 'size': 0.0031, 'sentence': ''},
      ],
    )
    text = self.lines()[first.SURE]
    for words in (
      'corrected for 3 arms and 2 folds',
      'training again ±.013',
      '1 seed',
      'leans low by .005 (tied single modalities) and high by .003',
      'fragile: inconclusive at a factor of 1.35',
      'deviates from its registration in 1 point',
    ):
      self.assertIn(words, text)
    self.assertNotIn('--seeds', text)
    self.summary['registration']['after_results'] = True
    self.assertIn('registered after results were', self.lines()[first.SURE])
    self.summary['run']['config_digest'] = 'x'
    self.assertIn('1 seed (run --seeds=3)', self.lines()[first.SURE])
    # Frozen models are not trained with more seeds by applying them.
    self.summary['audits']['external'] = {'trained_on': 'elsewhere'}
    self.assertNotIn('--seeds', self.lines()[first.SURE])

  def test_one_arm_on_one_part_is_corrected_for_nothing(self):
    del self.summary['comparisons'][1:]
    self.summary['evaluation']['factor'] = {'value': 1.0, 'shared': False}
    self.assertStartsWith(self.lines()[first.SURE], 'one arm on one test part')

  def test_what_the_answer_does_not_say(self):
    self.summary['question'].update(
      verdict='superior',
      not_in_headline=['1 fusion arm is inferior: late_mean.'],
      complete_cases='inconclusive',
    )
    text = self.lines()[first.BUT]
    self.assertIn('1 fusion arm is inferior: late_mean', text)
    self.assertIn('with all modalities the answer is inconclusive', text)
    self.summary['question'].update(not_in_headline=[], complete_cases=None)
    self.assertNotIn(first.BUT, self.lines())

  def test_what_it_takes_to_settle_it(self):
    self.summary['question'].update(
      verdict='inconclusive',
      patients_needed={
        'superior': {'arm': 'joint', 'patients': 5319},
        'equivalent': {'arm': 'joint', 'patients': 4472},
      },
    )
    text = self.lines()[first.SETTLE]
    for number in ('5,319 patients', '4,472 patients', ' .02 ', ' 60 ', '80%'):
      self.assertIn(number, text)
    del self.summary['question']['patients_needed']['superior']
    self.assertNotIn('.02', self.lines()[first.SETTLE])
    self.assertIn('4,472 patients', self.lines()[first.SETTLE])
    self.summary['question']['verdict'] = 'superior'
    self.assertNotIn(first.SETTLE, self.lines())

  def test_alarms_and_miscalibrated_probabilities_are_to_be_checked(self):
    for arm in ('joint', 'late_mean'):
      self.summary['arms'][arm]['probabilities'] = {
        'miscalibrated': arm == 'late_mean',
        'slope': 3.89,
        'causes': ['slope'],
        'reasons': ['The calibration slope is 3.89: not extreme enough.'],
      }
    text = self.lines()[first.CHECK]
    self.assertIn(
      'what is missing or declared unknown alone reaches .871', text
    )
    self.assertIn('miscalibrated: late_mean (slope 3.89)', text)
    self.assertIn('below', text)
    # A slope that is not to blame is not named.
    self.summary['arms']['late_mean']['probabilities']['causes'] = ['brier']
    text = self.lines()[first.CHECK]
    self.assertIn('miscalibrated: late_mean', text)
    self.assertNotIn('slope', text)
    self.summary['audits'] = {}
    self.summary['warnings'] = []
    del self.summary['arms']['late_mean']['probabilities']
    self.assertEqual(self.lines()[first.CHECK], 'no audit was made')
    self.summary['audits'] = {
      'time': {**parts.audits()['row_order'], 'alarm': False}
    }
    self.assertEqual(self.lines()[first.CHECK], 'no alarm in 1 audit')

  def test_counts_name_what_stands_out(self):
    verdicts = ('superior', 'superior', 'inferior')
    for comparison, verdict in zip(
      self.summary['comparisons'], verdicts, strict=True
    ):
      comparison.update(verdict=verdict, within_margin=False)
    self.summary['arms']['joint']['probabilities'] = {
      'miscalibrated': True,
      'causes': ['slope'],
      'slope': 0.1,
    }
    self.assertEqual(
      self.counts(),
      [
        ('superior', '2 superior (1 miscalibrated: joint)'),
        ('inferior', '1 inferior (late_mean)'),
      ],
    )
    self.summary['comparisons'][2]['within_margin'] = True
    self.assertIn('by less than .02: late_mean', self.counts()[1][1])

  def test_within_the_margin_is_said_beside_the_answer(self):
    self.summary['question']['verdict'] = 'superior'
    self.summary['gain'].update(verdict='superior', within_margin=True)
    screen = first.build(self.summary)
    self.assertEqual(screen.aside, 'by less than .02')
    self.assertEqual(screen.style(), 'superior within')

  def test_nothing_compared(self):
    self.summary.update(comparisons=[], gain=None)
    screen = first.build(self.summary)
    self.assertEqual((screen.answer, screen.verdict), ('NOTHING COMPARED', ''))
    self.assertIsNone(screen.gain)
    self.assertEqual(screen.sentence, self.summary['question']['sentence'])
    self.assertEmpty(screen.counts)
    self.assertNotIn(first.USE, self.lines())

  def test_a_gain_without_a_value_says_why(self):
    self.summary['gain'].update(difference=None, low=None, high=None)
    entry = next(
      c
      for c in self.summary['comparisons']
      if c['arm'] == self.summary['gain']['arm']
    )
    entry['reason'] = 'one class only'
    gain = first.build(self.summary).gain
    self.assertEqual(gain.number, 'No gain')
    self.assertEndsWith(gain.over, ': one class only')

  def test_a_named_reference_and_all_singles_second(self):
    self.summary['evaluation']['reference'] = 'ehr'
    entry = next(
      c
      for c in self.summary['comparisons']
      if c['arm'] == self.summary['gain']['arm']
    )
    entry['over_all_singles'] = {
      'single': 'ehr_trees',
      'difference': 0.01,
      'low': -0.02,
      'high': 0.04,
      'verdict': 'inconclusive',
    }
    self.assertEqual(first.build(self.summary).gain.over, "over 'ehr'")
    self.assertRegex(
      self.lines()[first.ALSO],
      r'ehr_trees .* \+\.010 \[-\.020, \+\.040\]: inconclusive$',
    )

  def test_a_missing_single_modality_is_named_and_no_patients_would_help(self):
    arm = self.summary['gain']['arm']
    entry = next(c for c in self.summary['comparisons'] if c['arm'] == arm)
    entry.update(verdict='inconclusive', reason="'x' has no predictions")
    self.summary['question'].update(
      verdict='inconclusive',
      patients_needed={'superior': {'arm': arm, 'patients': 99}},
    )
    self.assertIn(
      f"{arm} is inconclusive: 'x' has no predictions", self.lines()[first.BUT]
    )
    self.assertNotIn(first.SETTLE, self.lines())


if __name__ == '__main__':
  absltest.main()
