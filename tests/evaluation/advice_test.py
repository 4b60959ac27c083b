import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.evaluation import advice, comparison


def _gain(arm, verdict='superior', low=0.05):
  return comparison.Gain(
    arm=arm,
    single='ehr',
    difference=0.1,
    low=low,
    high=0.2,
    low90=low,
    high90=0.2,
    se=0.02,
    p=0.001,
    p_adjusted=0.001,
    against=(),
    fold_differences=np.zeros(1),
    verdict=verdict,
    within_margin=False,
    fragile='',
    reason='',
  )


def _choose(gains, **changes):
  arms = [g.arm for g in gains]
  settings = dict(
    gains=gains,
    best_single='ehr',
    enough=dict.fromkeys(arms, True),
    useless={},
    parameters={a: 100 * (i + 1) for i, a in enumerate(arms)},
    margin=0.02,
  )
  return advice.choose(**{**settings, **changes})


class ChooseTest(parameterized.TestCase):
  def test_fewest_parameters_of_those_that_hold(self):
    gains = [_gain('a'), _gain('b'), _gain('c'), _gain('d', 'inconclusive')]
    chosen = _choose(
      gains,
      parameters={'a': 5, 'b': 30, 'c': 20, 'd': 1},
      useless={'a': True},
    )
    self.assertEqual((chosen.advice, chosen.arm), ('arm', 'c'))
    self.assertEqual(chosen.candidates, ('b', 'c'))
    self.assertEqual(
      chosen.excluded, {'a': 'its probabilities are miscalibrated'}
    )

  def test_ties_go_to_the_first_listed_and_unknown_ones_come_last(self):
    gains = [_gain('a'), _gain('b'), _gain('c')]
    equal = _choose(gains, parameters={'a': 7, 'b': 7, 'c': 9})
    self.assertEqual(equal.arm, 'a')
    unknown = _choose(gains, parameters={'a': None, 'c': 9})
    self.assertEqual(unknown.arm, 'c')
    self.assertEqual(_choose(gains, parameters={}).arm, 'a')

  def test_a_larger_gain_does_not_decide(self):
    gains = [_gain('small', low=0.03), _gain('large', low=0.09)]
    self.assertEqual(_choose(gains).arm, 'small')

  def test_none_is_good_enough(self):
    gains = [_gain('a'), _gain('b')]
    chosen = _choose(gains, enough={'a': False, 'b': False})
    self.assertEqual((chosen.advice, chosen.arm), ('not_distinguishable', None))
    self.assertIn('better by 0.02', chosen.excluded['a'])

  @parameterized.parameters(
    (['equivalent', 'inferior'], 'single', 'ehr'),
    (['inferior', 'inferior'], 'single', 'ehr'),
    (['inconclusive', 'equivalent'], 'none', None),
    ([], 'none', None),
  )
  def test_without_a_superior_arm(self, verdicts, expected, single):
    chosen = _choose([_gain(f'a{i}', v) for i, v in enumerate(verdicts)])
    self.assertEqual((chosen.advice, chosen.single), (expected, single))
    self.assertIsNone(chosen.arm)


class DescribedTest(absltest.TestCase):
  def _of(self, chosen, costs, slopes):
    return advice.described(chosen, margin=0.02, costs=costs, slopes=slopes)

  def test_seconds_change_neither_advice_nor_sentence(self):
    chosen = _choose([_gain('a'), _gain('b')])
    one, other = (
      self._of(chosen, {'a': {'parameters': 34000, 'seconds': s}}, {'a': 1.06})
      for s in (0.3, 99.0)
    )
    self.assertNotEqual(one.pop('cost'), other.pop('cost'))
    self.assertEqual(one, other)
    self.assertEqual(
      one['sentence'],
      "Use 'a': no other fusion arm is better by 0.02 (34,000 parameters, "
      'calibration slope 1.06). It is the one with the fewest parameters of 2 '
      'superior arms of which this holds.',
    )

  def test_unknown_parameters_are_said(self):
    chosen = _choose([_gain('a'), _gain('b')], parameters={})
    self.assertIn('first listed of 2', self._of(chosen, {}, {})['sentence'])

  def test_others(self):
    for verdict, text in (
      ('equivalent', "Use the single modality 'ehr'"),
      ('inconclusive', 'No arm is advised'),
    ):
      found = self._of(_choose([_gain('a', verdict)]), {}, {})
      self.assertStartsWith(found['sentence'], text)
    chosen = _choose(
      [_gain('a'), _gain('b')], enough=dict.fromkeys('ab', False)
    )
    self.assertIn('not distinguishable', self._of(chosen, {}, {})['sentence'])

  def test_one_superior_arm_is_not_told_from_itself(self):
    gains = [_gain('a'), _gain('b', 'inconclusive')]
    for changes, reason in (
      ({'useless': {'a': True}}, 'its probabilities are miscalibrated'),
      ({'enough': {'a': False}}, 'another arm may be better by 0.02'),
    ):
      found = self._of(_choose(gains, **changes), {}, {})
      self.assertEqual(found['advice'], 'not_distinguishable')
      self.assertEqual(
        found['sentence'],
        f"The one superior arm, 'a', is not advised: {reason}.",
      )


class GoodEnoughTest(absltest.TestCase):
  ARMS = ('s', 'a', 'b', 'c')

  def _of(self, values, sds, *, shared=0.0, margin=0.02, factor=1.0):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(4, 1999)) * np.array(sds)[:, None]
    noise = noise + shared * rng.normal(size=1999)
    values = np.array([values])
    families = comparison.resampled(
      self.ARMS, values[..., None] + noise[None], values, factor
    )
    return advice.good_enough(
      arms=self.ARMS,
      fusions=self.ARMS[1:],
      values=values,
      families=families,
      margin=margin,
    )

  def test_clearly_worse_arms_are_not(self):
    found = self._of([0.7, 0.9, 0.895, 0.8], [0.002] * 4)
    self.assertEqual(found, {'a': True, 'b': True, 'c': False})

  def test_what_arms_share_cancels(self):
    values, sds = [0.7, 0.9, 0.899, 0.8], [0.001] * 4
    self.assertEqual(self._of(values, sds), self._of(values, sds, shared=0.2))

  def test_wide_bounds_exclude_nothing(self):
    found = self._of([0.7, 0.9, 0.9, 0.9], [0.05] * 4)
    self.assertEqual(found, {'a': False, 'b': False, 'c': False})
    self.assertFalse(
      self._of([0.7, 0.9, 0.89, 0.5], [0.002] * 4, factor=3.0)['b']
    )

  def test_without_a_margin_none_is(self):
    found = self._of([0.7, 0.9, 0.8, 0.7], [0.001] * 4, margin=None)
    self.assertFalse(any(found.values()))

  def test_one_arm_has_no_rival(self):
    values = np.array([[0.7, 0.9]])
    found = advice.good_enough(
      arms=['s', 'a'],
      fusions=['a'],
      values=values,
      families=None,
      margin=0.02,
    )
    self.assertEqual(found, {'a': True})

  def test_an_arm_worse_by_the_margin_is_seldom_chosen(self):
    """Beside taking the best of the test part and testing it on itself."""
    rng = np.random.default_rng(1)
    truth = np.array([0.7, 0.90, 0.878, 0.878, 0.878])
    arms = ('s', 'a', 'b', 'c', 'd')
    wrong = bold = 0
    runs = 200
    for _ in range(runs):
      sd = 0.012
      values = (truth + sd * rng.normal(size=5))[None]
      replicates = values[..., None] + sd * rng.normal(size=(1, 5, 399))
      families = comparison.resampled(arms, replicates, values, 1.0)
      enough = advice.good_enough(
        arms=arms,
        fusions=arms[1:],
        values=values,
        families=families,
        margin=0.02,
      )
      wrong += any(enough[a] for a in 'bcd')
      bold += arms[1 + int(values[0, 1:].argmax())] in 'bcd'
    self.assertLessEqual(wrong / runs, 0.05)
    self.assertGreater(bold / runs, 0.1)


if __name__ == '__main__':
  absltest.main()
