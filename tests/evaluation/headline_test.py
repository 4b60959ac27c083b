"""Tests of the question, the one gain of a page and what is left out of it."""

import types as python_types

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.evaluation import comparison, headline
from tests.evaluation import summary_test, verdicts_test

BOTH = {'modalities': ('image', 'ehr')}


class MissingTest(parameterized.TestCase):
  def _of(self, expected, present, facts=None):
    return headline.missing_single(expected, present, facts or {})

  def test_nothing_is_missing(self):
    facts = {
      'image': {'modalities': ('image',)},
      'ehr': {'modalities': ('ehr',)},
      'joint': BOTH,
    }
    self.assertEqual(self._of(['image', 'ehr'], ['image', 'ehr'], facts), '')
    # Of other people's arms it is not known what they see.
    self.assertEqual(self._of(['a'], ['a']), '')
    self.assertEqual(self._of([], []), '')

  def test_an_arm_or_a_modality(self):
    self.assertIn("'b' has no", self._of(['a', 'b'], ['a']))
    facts = {'ehr': {'modalities': ('ehr',)}, 'joint': BOTH}
    self.assertIn("modality 'image'", self._of(['ehr'], ['ehr'], facts))


def _compared(*gains):
  """Arms with (difference, low, verdict)."""
  return comparison.Compared(
    tuple(
      python_types.SimpleNamespace(
        arm=f'a{i}', difference=d, low=low, verdict=verdict
      )
      for i, (d, low, verdict) in enumerate(gains)
    ),
    None,
    ('ehr',),
  )


class GainArmTest(absltest.TestCase):
  def test_in_order(self):
    compared = _compared(
      (0.30, 0.01, 'superior'),
      (0.20, 0.05, 'superior'),
      (0.40, -0.10, 'inconclusive'),
    )
    self.assertEqual(headline.gain_arm(compared, 'a2'), 2)
    # The largest lower bound, not the largest estimate.
    self.assertEqual(headline.gain_arm(compared, None), 1)
    self.assertEqual(headline.gain_arm(compared, 'ehr'), 1)
    none = _compared(
      (-0.1, -0.2, 'inferior'), (0.0, -0.1, 'x'), (np.nan, np.nan, 'x')
    )
    self.assertEqual(headline.gain_arm(none, None), 1)
    self.assertIsNone(headline.gain_arm(_compared(), None))


class QuestionTest(parameterized.TestCase):
  FACTS = {
    'image': {'modalities': ('image',)},
    'ehr': {'modalities': ('ehr',)},
    'joint': BOTH,
    'late': BOTH,
  }

  @parameterized.parameters(
    ({}, 'Is combining image and record better than the best of them alone?'),
    ({'facts': {}}, 'Is combining modalities better than the best of them '),
    ({'reference': 'ehr'}, "Is combining image and record better than 'ehr'?"),
    ({'reference': 'late'}, "Is a fusion arm better than 'late'?"),
    ({'singles': ['ehr']}, "better than 'ehr' alone?"),
  )
  def test_text(self, changes, text):
    found = summary_test._summarise(
      summary_test._table(), **{'facts': self.FACTS, **changes}
    )
    self.assertIn(text, found['question']['text'])

  def test_modalities_are_named_in_the_order_of_the_cohort(self):
    facts = {
      'image': {'modalities': ('labs', 'note')},
      'ehr': {'modalities': ('labs',)},
      'joint': {'modalities': ('ct', 'labs', 'note')},
    }
    found = summary_test._summarise(summary_test._table(), facts=facts)
    self.assertIn('combining ct, labs and note', found['question']['text'])

  def test_one_gain(self):
    found = summary_test._summarise(summary_test._table(), facts=self.FACTS)
    gain, question = found['gain'], found['question']
    self.assertEqual(question['arm'], gain['arm'])
    (c,) = [x for x in found['comparisons'] if x['arm'] == gain['arm']]
    for name in ('difference', 'low', 'high', 'verdict', 'p_adjusted'):
      self.assertEqual(gain[name], c[name])
    self.assertEqual(gain['training_sd_of'], 'fold_sd')
    self.assertEqual(gain['training_sd'], c['without_factor']['fold_sd'])
    if found['use']['arm']:
      self.assertEqual(found['use']['arm'], gain['arm'])

  def test_lean_of_tied_singles_is_low(self):
    areas = {'image': 0.8, 'ehr': 0.8, 'joint': 0.85}
    found = verdicts_test._summarise(verdicts_test._table(areas, n=150))
    (lean,) = [
      x for x in found['gain']['leans'] if x['cause'] == headline.TIED_SINGLES
    ]
    self.assertLess(lean['size'], -0.002)
    self.assertIn('leans low', lean['sentence'])
    unequal = {'image': 0.8, 'ehr': 0.55, 'joint': 0.85}
    found = verdicts_test._summarise(verdicts_test._table(unequal, n=600))
    self.assertEmpty(found['gain']['leans'])


if __name__ == '__main__':
  absltest.main()
