import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.evaluation import verdict

NAN = np.nan


def _judge(low, high, low90=None, high90=None, margin=0.02):
  low, high = np.array(low, float), np.array(high, float)
  low90 = low if low90 is None else np.array(low90, float)
  high90 = high if high90 is None else np.array(high90, float)
  return verdict.judge(low, high, low90, high90, margin)


class JudgeTest(parameterized.TestCase):
  @parameterized.parameters(
    ([0.01, 0.2], [0.1, 0.4], ('superior', False)),
    ([-0.04, 0.2], [-0.01, 0.4], ('inferior', False)),
    ([-0.01, 0.2], [0.01, 0.4], ('equivalent', False)),
    ([-0.03, 0.2], [0.01, 0.4], ('inconclusive', False)),
    # The smallest upper bound decides, whichever single it belongs to.
    ([-0.3, 0.2], [0.03, 0.4], ('inconclusive', False)),
    ([0.001, 0.2], [0.01, 0.4], ('superior', True)),
    ([-0.015, 0.2], [-0.001, 0.4], ('inferior', True)),
    # A bound of exactly 0 shows nothing.
    ([0.0, 0.2], [0.3, 0.4], ('inconclusive', False)),
    ([0.0], [0.0], ('equivalent', False)),
    # The margin itself is not inside.
    ([-0.02], [0.01], ('inconclusive', False)),
  )
  def test_first_that_holds(self, low, high, expected):
    self.assertEqual(_judge(low, high), expected)

  def test_undefined_bounds_allow_inferior_alone(self):
    self.assertEqual(_judge([NAN, 0.1], [NAN, 0.2])[0], 'inconclusive')
    self.assertEqual(_judge([NAN, -0.2], [NAN, -0.1])[0], 'inferior')
    self.assertEqual(_judge([NAN, NAN], [NAN, NAN])[0], 'inconclusive')

  def test_without_a_margin_nothing_is_equivalent(self):
    self.assertEqual(_judge([-0.001], [0.001], margin=None)[0], 'inconclusive')
    self.assertEqual(_judge([0.001], [0.01], margin=None), ('superior', False))


class QuestionTest(parameterized.TestCase):
  @parameterized.parameters(
    (['inferior', 'superior', 'inconclusive'], 'superior', 'YES'),
    (['inferior', 'inferior'], 'inferior', 'WORSE'),
    (['equivalent', 'inferior'], 'equivalent', 'NO MORE THAN 0.02'),
    (['equivalent', 'inconclusive'], 'inconclusive', 'NOT SETTLED'),
    (['inferior', 'inconclusive'], 'inconclusive', 'NOT SETTLED'),
    ([], 'inconclusive', 'NOT SETTLED'),
  )
  def test_of_all_arms(self, verdicts, expected, words):
    self.assertEqual(verdict.of_question(verdicts), expected)
    self.assertEqual(verdict.in_words(expected, 0.02), words)


if __name__ == '__main__':
  absltest.main()
