"""Tests of Kaplan-Meier figures."""

import numpy as np
from absl.testing import absltest

from fusion_jax.report.figures import style, survival

AT_RISK = {'x': [0.0, 500.0, 1000.0], 'counts': [[1200, 40, 0], [7, 2.5, 1]]}


def group(name, *y):
  return {
    'group': name,
    'x': [300.0 * k for k in range(len(y))],
    'y': list(y),
    'low': [None if v is None else v - 0.1 for v in y],
    'high': [None] * len(y),
  }


class SurvivalTest(absltest.TestCase):
  def draw(self, *groups):
    return survival.draw(groups, AT_RISK, x_name='time (days)')

  def test_curves_and_numbers_at_risk(self):
    canvas = self.draw(group('low', 1.0, 0.9, 0.8), group('high', 1.0, 0.4))
    axes, below = canvas.axes
    self.assertEqual([x.get_label() for x in axes.lines], ['low', 'high'])
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), [1, 0.9, 0.8])
    self.assertEqual(axes.lines[0].get_drawstyle(), 'steps-post')
    self.assertEqual(axes.get_xlabel(), 'time (days)')
    names = [x.get_text() for x in below.get_yticklabels()]
    self.assertEqual(names, ['low', 'high'])
    placed = {x.get_position(): x.get_text() for x in below.texts}
    self.assertEqual(placed[(0.0, 0)], '1,200')
    self.assertEqual(placed[(500.0, -1)], '2')
    svg = style.Drawn('s', 's', 's', canvas).svg
    for text in ('time (days)', '1,200', '1,000', 'at risk'):
      self.assertIn(f'>{text}</text>', svg)

  def test_a_group_without_a_curve_has_a_row(self):
    axes, below = self.draw(group('low'), group('high', 1.0, 0.4)).axes
    self.assertEqual([x.get_label() for x in axes.lines], ['high'])
    self.assertEqual(axes.lines[0].get_color(), style.SERIES[1])
    self.assertLen(below.texts, 6)

  def test_nothing_is_known(self):
    self.assertIsNone(self.draw())
    self.assertIsNone(self.draw(group('low'), group('high', None)))


if __name__ == '__main__':
  absltest.main()
