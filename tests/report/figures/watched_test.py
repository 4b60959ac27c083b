"""Tests of how each modality learns, by epoch."""

import numpy as np
from absl.testing import absltest

from fusion_jax.report.figures import style, watched


def model(*names):
  return {
    'epochs': [1, 2],
    'alone': {m: [0.7 + k, None] for k, m in enumerate(names)},
    'gradients': {m: [2.0 - k, 1.0] for k, m in enumerate(names)},
  }


class WatchedTest(absltest.TestCase):
  def test_a_line_for_each_modality_in_two_panels_an_arm(self):
    canvas = watched.draw({'a': model('ct', 'labs'), 'b': model('ct', 'pet')})
    loss, norm, *others = canvas.axes
    self.assertLen(others, 2)
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), [1.7, np.nan])
    np.testing.assert_array_equal(norm.lines[1].get_ydata(), [1, 1])
    self.assertEqual(loss.get_title(loc='left'), 'a')
    # A modality looks alike in all arms.
    self.assertEqual(loss.lines[0].get_color(), others[0].lines[0].get_color())
    self.assertNotEqual(
      loss.lines[1].get_color(), others[0].lines[1].get_color()
    )
    names = [x.get_text() for x in canvas.legends[0].get_texts()]
    self.assertEqual(names, ['ct', 'labs'])
    svg = style.Drawn('x', 'x', 'x', canvas).svg
    self.assertIn('>norm of gradients</text>', svg)

  def test_nothing_to_draw(self):
    self.assertIsNone(watched.draw({}))


if __name__ == '__main__':
  absltest.main()
