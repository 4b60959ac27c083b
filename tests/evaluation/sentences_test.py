from absl.testing import absltest, parameterized

from fusion_jax.evaluation import sentences


def _single(name, difference=0.05, low=0.02, high=0.08):
  return {
    'reference': name,
    'difference': difference,
    'low': low,
    'high': high,
  }


def _comparison(verdict='superior', arm='joint', **changes):
  values = {
    'arm': arm,
    'reference': 'best_single',
    'metric': 'auroc',
    'difference': 0.0421,
    'low': 0.012,
    'high': 0.071,
    'low90': 0.015,
    'high90': 0.068,
    'fold_sd': 0.011,
    'verdict': verdict,
    'patients_needed': 1240,
    'against': [_single('image', 0.061, 0.03, 0.09), _single('ehr')],
  }
  return {**values, **changes}


SPREAD = {'seed_sd': 0.008, 'fold_sd': 0.02}


def _told(comparison, **changes):
  settings = dict(
    margin=0.02,
    patients=400,
    higher_is_better=True,
    family=7,
    variability=SPREAD,
  )
  return sentences.of_comparison(comparison, **{**settings, **changes})


def _question(comparisons, **changes):
  settings = dict(
    margin=0.02,
    patients=400,
    higher_is_better=True,
    variability={c['arm']: SPREAD for c in comparisons},
  )
  return sentences.of_question(comparisons, **{**settings, **changes})


class WordsTest(parameterized.TestCase):
  @parameterized.parameters(
    ('auroc', 'AUROC'),
    ('auroc_macro', 'macro AUROC'),
    ('auroc_micro', 'micro AUROC'),
    ('c_index_uno', "Uno's C"),
    ('auroc/melanoma', 'AUROC of melanoma'),
    ('brier', 'Brier score'),
    ('log_loss', 'log loss'),
    ('c_index', 'C index'),
    ('sensitivity', 'sensitivity'),
  )
  def test_metrics(self, name, expected):
    self.assertEqual(sentences.metric_name(name), expected)

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
    told = _told(_comparison())
    self.assertEqual(
      told,
      "'joint' is superior to the best single modality: its AUROC is 0.042 "
      'higher (95% interval of the difference +0.012 to +0.071, jointly for 7 '
      'fusion arms), and it is better than every single modality that was '
      'evaluated. Its smallest gain over a single modality is +0.050 [+0.020, '
      "+0.080], over 'ehr'. This is about these fitted models and new patients "
      "of the same kind; training again is not in it: the AUROC of 'joint' has "
      'a standard deviation of 0.008 between seeds, a standard error of the '
      'difference that counts it, from the spread over folds, is 0.011 (Nadeau '
      'and Bengio).',
    )

  def test_lower_is_better(self):
    told = _told(
      _comparison(metric='brier', difference=-0.03, low=-0.05, high=-0.01),
      higher_is_better=False,
    )
    self.assertIn('Brier score is 0.030 lower', told)
    self.assertIn('-0.050 to -0.010', told)

  def test_inferior(self):
    told = _told(_comparison('inferior', difference=-0.03), family=1)
    self.assertIn("'joint' is inferior to the best single", told)
    self.assertIn('0.030 lower', told)
    self.assertNotIn('jointly', told)

  def test_equivalent(self):
    told = _told(
      _comparison('equivalent', difference=0.001, low90=-0.01, high90=0.012)
    )
    self.assertIn('90% interval of the difference -0.010 to +0.012', told)
    self.assertIn('within the margin of 0.02', told)

  def test_no_difference_is_neither_higher_nor_lower(self):
    told = _told(
      _comparison('equivalent', difference=0.0, low90=0.0, high90=0.0)
    )
    self.assertIn('its AUROC is the same, and', told)

  def test_inconclusive(self):
    reason = 'not shown to be better than ehr'
    told = _told(_comparison('inconclusive', reason=reason))
    self.assertIn('is inconclusive: its AUROC is 0.042 higher', told)
    self.assertIn(f'; {reason}.', told)

  def test_undefined(self):
    nothing = dict.fromkeys(
      ['difference', 'low', 'high', 'low90', 'high90', 'fold_sd']
    )
    told = _told(
      _comparison(
        'inconclusive', **nothing, patients_needed=None, reason='no scores'
      ),
      variability={'seed_sd': None},
    )
    self.assertStartsWith(
      told, "'joint' against the best single modality is inconclusive: no"
    )
    self.assertIn('cannot be seen from these folds and seeds', told)
    self.assertNotIn('None', told)

  def test_no_interval(self):
    told = _told(_comparison('inconclusive', low=None, high=None))
    self.assertIn('(no 95% interval)', told)

  def test_a_given_reference(self):
    three = [_single(x) for x in ('image', 'ehr', 'ecg')]
    told = _told(_comparison(reference='ehr', against=three))
    self.assertIn("superior to 'ehr'", told)
    self.assertIn('better than every single modality', told)
    alone = _comparison(reference='ct', against=[_single('ct')])
    self.assertNotIn('single modality', _told(alone))
    two = [_single('labs'), _single('ct')]
    told = _told(_comparison(reference='ct', against=two))
    self.assertIn("), and it is better than 'labs' too.", told)
    told = _told(_comparison(reference='both', against=two[:1]))
    self.assertIn("), and it is better than 'labs' too.", told)

  def test_one_single_modality_is_no_best_one(self):
    only = _comparison(against=[_single('ct')])
    told = _told(only) + _question([only])['sentence']
    self.assertIn(
      "superior to the only single modality that was evaluated ('ct'): its",
      told,
    )
    self.assertNotIn('better than', told)
    self.assertNotIn('best', told)

  def test_one_study(self):
    other = _comparison('inferior')
    told = _told(_comparison(), complete=other, studies=1)
    self.assertIn('On the one study that has all modalities the', told)

  def test_holm(self):
    told = _told(_comparison(holm=0.0021))
    self.assertIn('; adjusted p 0.002)', told)

  def test_complete_cases_are_told_where_they_disagree(self):
    other = _comparison('inconclusive', difference=0.01)
    told = _told(_comparison(), complete=other, studies=300)
    self.assertEndsWith(
      told,
      'On the 300 studies that have all modalities the verdict is '
      'inconclusive (difference +0.010).',
    )
    same = _told(_comparison(), complete=_comparison(), studies=300)
    self.assertNotIn('300', same)

  def test_only_folds(self):
    told = _told(_comparison(), variability={'seed_sd': None})
    self.assertIn(
      'not in it: a standard error of the difference that counts it, from the '
      'spread over folds, is 0.011',
      told,
    )

  def test_the_smallest_gain_is_told_in_the_metric_s_direction(self):
    singles = [_single('a', -0.05, -0.08, -0.02), _single('b', -0.03, -0.06, 0)]
    told = _told(
      _comparison(metric='brier', difference=-0.09, against=singles),
      higher_is_better=False,
    )
    self.assertIn("modality is -0.030 [-0.060, 0.000], over 'b'.", told)

  def test_the_smallest_gain_may_be_that_over_a_named_reference(self):
    singles = [_single('ehr', 0.0421, 0.012, 0.071), _single('a'), _single('b')]
    told = _told(_comparison(reference='ehr', against=singles))
    self.assertNotIn('smallest gain', told)

  def test_what_an_equivalent_arm_is_worse_than(self):
    for sign in (1, -1):
      low, high = sorted((-0.07 * sign, -0.01 * sign))
      singles = [
        _single('a', -0.04 * sign, low, high),
        _single('b', 0.0, -0.01, 0.01),
        {'reference': 'c', 'difference': None, 'low': None, 'high': None},
      ]
      for verdict in ('equivalent', 'inconclusive'):
        found = _comparison(verdict, against=singles)
        for told in (
          _told(found, higher_is_better=sign > 0),
          _question([found], higher_is_better=sign > 0)['sentence'],
        ):
          if verdict == 'equivalent' or told.startswith("'joint'"):
            self.assertIn("But it is worse than 'a' (", told)
          self.assertNotIn("'b' (", told)

  def test_patients_needed(self):
    told = _told(_comparison('equivalent', low90=0, high90=0.01))
    self.assertIn(
      'To show a difference from the best single modality as large as the '
      'margin of 0.02 with 80% power, 1,240 patients would have to be tested '
      '(here: 400).',
      told,
    )
    few = _comparison('equivalent', low90=0, high90=0.01, patients_needed=2)
    self.assertIn(', fewer than 50 patients would have', _told(few))
    self.assertNotIn('would have to be tested', _told(_comparison()))


class QuestionTest(parameterized.TestCase):
  @parameterized.parameters(
    (['superior', 'inferior', 'inconclusive'], 'superior'),
    (['equivalent', 'inferior'], 'equivalent'),
    (['equivalent', 'inconclusive'], 'inconclusive'),
    (['inferior', 'inferior'], 'inferior'),
    (['inferior', 'inconclusive'], 'inconclusive'),
    (['equivalent'], 'equivalent'),
    ([], 'inconclusive'),
  )
  def test_verdict(self, verdicts, expected):
    self.assertEqual(sentences.question_verdict(verdicts), expected)

  def test_superior_names_the_best_and_the_others(self):
    found = _question(
      [
        _comparison(arm='early'),
        _comparison(arm='joint', difference=0.06, patients_needed=900),
        _comparison('inferior', arm='late', difference=0.9),
      ]
    )
    self.assertEqual(found['verdict'], 'superior')
    self.assertEqual(found['arm'], 'joint')
    self.assertEqual(found['patients_needed'], 900)
    self.assertStartsWith(
      found['sentence'],
      "Fusion beats the best single modality here. 'joint' is superior",
    )
    self.assertIn("Also superior: 'early'.", found['sentence'])
    self.assertIn('between seeds', found['sentence'])

  def test_best_where_lower_is_better(self):
    arms = [
      _comparison(arm='early', difference=-0.1),
      _comparison(arm='joint', difference=-0.2),
    ]
    self.assertEqual(_question(arms, higher_is_better=False)['arm'], 'joint')

  def test_equivalent(self):
    found = _question(
      [
        _comparison('equivalent', arm='early', difference=0.001),
        _comparison('inferior', arm='late', difference=-0.1),
      ]
    )
    self.assertEqual(found['arm'], 'early')
    self.assertStartsWith(
      found['sentence'],
      'Fusion gains less than the margin of 0.02 over the best single '
      'modality: both fusion arms are equivalent or inferior, 1 of them '
      "inferior. 'early' is equivalent",
    )

  def test_inferior(self):
    found = _question(
      [
        _comparison('inferior', arm='early', difference=-0.1),
        _comparison('inferior', arm='late', difference=-0.05),
      ]
    )
    self.assertEqual(found['arm'], 'late')
    self.assertIn('both fusion arms are inferior', found['sentence'])
    self.assertIn("The least bad: 'late'", found['sentence'])

  def test_one_fusion_arm(self):
    for verdict, text in (
      ('equivalent', 'modality: the only fusion arm is equivalent. '),
      ('inferior', "here: the only fusion arm is inferior. 'joint' is"),
      ('inconclusive', 'settled: the only fusion arm is inconclusive. To'),
    ):
      self.assertIn(text, _question([_comparison(verdict)])['sentence'])

  def test_a_given_reference_may_be_fusion_itself(self):
    for verdict, text in (
      ('superior', "A fusion arm beats 'ct' here."),
      ('equivalent', 'Every fusion arm gains less than the margin'),
      ('inferior', "Every fusion arm is worse than 'ct' here"),
      ('inconclusive', "Whether a fusion arm beats 'ct' is not settled"),
    ):
      found = _question([_comparison(verdict, reference='ct')])
      self.assertStartsWith(found['sentence'], text)

  def test_inconclusive_needs_enough_patients_for_every_arm(self):
    found = _question(
      [
        _comparison('inconclusive', arm='early', patients_needed=500),
        _comparison('inconclusive', arm='late', patients_needed=2500),
        _comparison('inferior', arm='joint', patients_needed=9000),
      ]
    )
    self.assertIsNone(found['arm'])
    self.assertEqual(found['patients_needed'], 2500)
    self.assertIn(
      '2 of 3 fusion arms are inconclusive, and none is superior.',
      found['sentence'],
    )
    self.assertIn('2,500 patients', found['sentence'])

  def test_registration_stands_before_the_rest(self):
    fixed = {'sha256': 'abcdef012345' * 5, 'deviations': [], 'unchecked': []}
    for changes, text in (
      ({}, '. This is as registered (SHA-256 abcdef012345). This'),
      ({'unchecked': ['x']}, '012345), but its cohort was not checked. This'),
      ({'deviations': ['x']}, 'from its registration in 1 point (see'),
      ({'deviations': ['x', 'y']}, 'in 2 points (see warnings), so this'),
    ):
      told = _question([_comparison()], registered={**fixed, **changes})
      self.assertIn(text, told['sentence'])
    self.assertNotIn('regist', _question([_comparison()])['sentence'])

  def test_nothing_compared(self):
    found = _question([])
    self.assertEqual(found['verdict'], 'inconclusive')
    self.assertIsNone(found['patients_needed'])
    self.assertIn('patients_needed_reason', found)

  def test_complete_cases(self):
    complete = {
      'studies': 300,
      'comparisons': [_comparison('inconclusive')],
    }
    found = _question([_comparison()], complete=complete)
    self.assertEndsWith(
      found['sentence'],
      'On the 300 studies that have all modalities the verdict is '
      'inconclusive.',
    )


if __name__ == '__main__':
  absltest.main()
