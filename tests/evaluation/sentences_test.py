from absl.testing import absltest, parameterized

from fusion_jax.evaluation import sentences
from fusion_jax.evaluation import verdict as verdict_lib


def _against(name, difference=0.05, low=0.02, high=0.08):
  return {
    'single': name,
    'difference': difference,
    'low': low,
    'high': high,
  }


def _comparison(verdict='superior', arm='joint', **changes):
  values = {
    'arm': arm,
    'reference': 'best_single',
    'single': 'ehr',
    'metric': 'auroc',
    'difference': 0.0421,
    'low': 0.012,
    'high': 0.071,
    'low90': 0.015,
    'high90': 0.068,
    'verdict': verdict,
    'within_margin': False,
    'fragile': None,
    'patients_needed': {'superior': 1240, 'equivalent': 900},
    'against': [_against('image', 0.061, 0.03, 0.09), _against('ehr')],
    'picked_on_validation': None,
    'over_all_singles': None,
    'without_factor': {'fold_sd': 0.011},
  }
  return {**values, **changes}


SPREAD = {'seed_sd': 0.008, 'fold_sd': 0.02}


def _sentence(comparison, **changes):
  settings = dict(
    margin=0.02, patients=400, factor=1.25, family=7, variability=SPREAD
  )
  return sentences.of_comparison(comparison, **{**settings, **changes})


def _question(comparisons, verdict=None, question=None, **changes):
  verdicts = [c['verdict'] for c in comparisons]
  asked = {
    'verdict': verdict or verdict_lib.of_question(verdicts),
    'arm': comparisons[0]['arm'] if comparisons else None,
    'not_in_headline': [],
    'patients_needed': {
      'superior': {'arm': 'joint', 'patients': 1240},
      'equivalent': None,
    },
    'complete_cases': None,
    **(question or {}),
  }
  settings = dict(
    margin=0.02,
    patients=400,
    factor=1.25,
    variability={c['arm']: SPREAD for c in comparisons},
  )
  return sentences.of_question(asked, comparisons, **{**settings, **changes})


class WordsTest(parameterized.TestCase):
  @parameterized.parameters(
    (0.04213, '0.042'),
    (-0.04213, '-0.042'),
    (0.0, '0.000'),
    (0.000123, '0.0001'),
    (12.3456, '12.35'),
    (123456.7, '1.235e+05'),
  )
  def test_numbers(self, value, expected):
    self.assertEqual(sentences.number(value), expected)

  def test_signed(self):
    self.assertEqual(sentences.number(0.1, signed=True), '+0.100')
    self.assertEqual(sentences.number(0.0, signed=True), '0.000')


class ComparisonTest(absltest.TestCase):
  def test_superior(self):
    self.assertEqual(
      _sentence(_comparison()),
      "'joint' is superior to the best single modality ('ehr'): its AUROC is "
      'better by 0.042 (95% bounds +0.012 to +0.071, corrected for 7 fusion '
      'arms). This is about these fitted models and new patients of the same '
      "kind; training again is not in it: the AUROC of 'joint' has a standard "
      'deviation of 0.008 between seeds, a standard error of the gain that '
      'counts it, from the spread over folds, is 0.011 (Nadeau and Bengio).',
    )

  def test_inferior_and_the_margin(self):
    text = _sentence(_comparison('inferior', difference=-0.03), family=1)
    self.assertIn("'joint' is inferior to the best single", text)
    self.assertIn('worse by 0.030', text)
    self.assertNotIn('corrected', text)
    within = _comparison('inferior', difference=-0.01, within_margin=True)
    self.assertIn(
      "('ehr'), by less than the margin of 0.02: its", _sentence(within)
    )

  def test_fragile_names_the_other_verdict(self):
    fragile = {'factor': 1.35, 'verdict': 'inconclusive'}
    text = _sentence(_comparison(fragile=fragile))
    self.assertIn(
      'This is fragile: with standard errors multiplied by 1.35 instead of '
      '1.25 it would be inconclusive.',
      text,
    )

  def test_equivalent(self):
    text = _sentence(
      _comparison('equivalent', difference=0.001, low90=-0.01, high90=0.012)
    )
    self.assertIn('90% bounds -0.010 to +0.012, corrected', text)
    self.assertIn('lie within the margin of 0.02', text)

  def test_no_difference_is_neither_better_nor_worse(self):
    text = _sentence(
      _comparison('equivalent', difference=0.0, low90=0.0, high90=0.0)
    )
    self.assertIn('its AUROC is the same, and', text)

  def test_inconclusive(self):
    reason = "'image' has no predictions"
    text = _sentence(_comparison('inconclusive', reason=reason))
    self.assertIn('is inconclusive: its AUROC is better by 0.042', text)
    self.assertIn(f'; {reason}.', text)
    self.assertIn(
      'To settle it with 80% power would take 1,240 patients if the gain over '
      'every single modality is 0.02 ("superior") and 900 if it is 0 '
      '("equivalent"); here are 400.',
      text,
    )
    few = {'superior': 2, 'equivalent': None}
    text = _sentence(_comparison('inconclusive', patients_needed=few))
    self.assertIn('take fewer than 50 patients if the gain over', text)
    self.assertNotIn('To settle', _sentence(_comparison()))

  def test_undefined(self):
    nothing = dict.fromkeys(['difference', 'low', 'high', 'low90', 'high90'])
    text = _sentence(
      _comparison(
        'inconclusive',
        **nothing,
        patients_needed={'superior': None, 'equivalent': None},
        without_factor={'fold_sd': None},
        reason='no scores',
      ),
      variability={'seed_sd': None},
    )
    self.assertStartsWith(text, "'joint' is inconclusive: no scores.")
    self.assertIn('cannot be seen from these folds and seeds', text)
    self.assertNotIn('None', text)

  def test_no_bounds(self):
    text = _sentence(_comparison('inconclusive', low=None, high=None))
    self.assertIn('(no 95% bounds)', text)

  def test_a_named_reference_has_all_singles_beside_it(self):
    other = {**_against('image', -0.03, -0.05, -0.01), 'verdict': 'inferior'}
    text = _sentence(
      _comparison(reference='ehr', single='ehr', over_all_singles=other)
    )
    self.assertIn("superior to 'ehr': its", text)
    self.assertIn(
      "Over all single modalities the gain of 'joint' is -0.030 [-0.050, "
      "-0.010], over 'image': inferior.",
      text,
    )

  def test_one_single_modality_is_no_best_one(self):
    only = _comparison(single='ct', against=[_against('ct')])
    text = _sentence(only) + _question([only])
    self.assertIn("superior to 'ct': its", text)
    self.assertNotIn('best', text)

  def test_complete_cases_where_they_disagree(self):
    other = _comparison('inconclusive', difference=0.01)
    text = _sentence(_comparison(), complete=other, studies=300)
    self.assertEndsWith(
      text,
      'On the 300 studies that have all modalities the verdict is '
      'inconclusive (gain +0.010).',
    )
    same = _sentence(_comparison(), complete=_comparison(), studies=300)
    self.assertNotIn('300', same)
    one = _sentence(_comparison(), complete=other, studies=1)
    self.assertIn('On the one study that has all modalities the', one)


class QuestionTest(parameterized.TestCase):
  def test_superior_counts_the_arms(self):
    text = _question(
      [
        _comparison(arm='joint', difference=0.06),
        _comparison(arm='early'),
        _comparison('inferior', arm='late', difference=-0.9),
      ],
      question={'not_in_headline': ['1 fusion arm is inferior: late.']},
    )
    self.assertStartsWith(
      text,
      'Fusion beats the best single modality here (2 of 3 fusion arms). '
      "'joint' is superior",
    )
    self.assertIn('1 fusion arm is inferior: late.', text)
    self.assertIn('between seeds', text)

  def test_equivalent(self):
    text = _question(
      [
        _comparison('equivalent', arm='early', difference=0.001),
        _comparison('inferior', arm='late', difference=-0.1),
      ]
    )
    self.assertStartsWith(
      text,
      'No fusion arm gains as much as the margin of 0.02 over the best single '
      'modality: both fusion arms are equivalent or inferior. '
      "'early' is equivalent",
    )

  @parameterized.parameters(
    ('superior', "Fusion beats the best single modality here. 'joint' is"),
    ('equivalent', 'No fusion arm gains as much as the margin of 0.02 over '),
    ('inferior', 'The only fusion arm is worse than the best single modality'),
    ('inconclusive', 'Whether fusion beats the best single modality is not '),
  )
  def test_one_fusion_arm(self, verdict, text):
    self.assertStartsWith(_question([_comparison(verdict)]), text)

  @parameterized.parameters(
    ('superior', "A fusion arm beats 'ct' here."),
    ('equivalent', 'No fusion arm gains as much as the margin of 0.02 over '),
    ('inferior', "The only fusion arm is worse than 'ct' here."),
    ('inconclusive', "Whether a fusion arm beats 'ct' is not settled"),
  )
  def test_a_named_reference_may_be_fusion_itself(self, verdict, text):
    named = _comparison(verdict, reference='ct')
    self.assertStartsWith(_question([named]), text)

  def test_inconclusive(self):
    text = _question(
      [
        _comparison('inconclusive', arm='early'),
        _comparison('inconclusive', arm='late'),
        _comparison('inferior', arm='joint'),
      ]
    )
    self.assertIn(
      '2 of 3 fusion arms are inconclusive, and none is superior.', text
    )
    self.assertIn(
      '1,240 patients if the gain over every single modality is 0.02 '
      '("superior"); here',
      text,
    )

  def test_registration_stands_before_the_rest(self):
    fixed = {
      'sha256': 'abcdef012345' * 5,
      'deviations': [],
      'unchecked': [],
      'estimand': 'min_single',
    }
    for changes, text in (
      ({}, ' This is as registered (SHA-256 abcdef012345). This'),
      ({'unchecked': ['x']}, '012345), but its cohort was not checked. This'),
      ({'deviations': ['x']}, 'from its registration in 1 point (see'),
      ({'deviations': ['x', 'y']}, 'in 2 points (see warnings), so this'),
    ):
      sentence = _question([_comparison()], registered={**fixed, **changes})
      self.assertIn(text, sentence)
    self.assertNotIn('regist', _question([_comparison()]))
    former = {'verdict': 'equivalent'}
    sentence = _question(
      [_comparison(picked_on_validation=former)],
      registered={**fixed, 'estimand': '', 'deviations': ['x']},
    )
    self.assertIn('on validation the verdict would be equivalent.', sentence)

  def test_nothing_compared(self):
    self.assertStartsWith(_question([]), 'Nothing can be said about fusion')

  def test_complete_cases(self):
    text = _question(
      [_comparison()], question={'complete_cases': 'inconclusive'}, studies=300
    )
    self.assertEndsWith(
      text,
      'On the 300 studies that have all modalities the verdict is '
      'inconclusive.',
    )


class LeanTest(absltest.TestCase):
  def test_says_which_way_and_why(self):
    low = sentences.of_lean(False, -0.0052, 11, ('a', 'b'))
    self.assertIn('leans low by about 0.005', low)
    self.assertIn('best of 2 nearly equal', low)
    high = sentences.of_lean(True, 0.0042, 11, ('a', 'b'))
    self.assertIn('leans high by about 0.004', high)
    self.assertIn('chosen among 11', high)


if __name__ == '__main__':
  absltest.main()
