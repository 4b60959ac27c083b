"""Tests of histograms by outcome."""

import numpy as np
from absl.testing import absltest

from fusion_jax.report.figures import histograms, style

ENTRY = {
  'edges': [0.0, 0.5, 1.0],
  'event': [1.0, 3.0],
  'no_event': [90.0, 10.0],
}


class HistogramsTest(absltest.TestCase):
  def test_each_outcome_adds_up_to_one(self):
    self.assertEqual(histograms.shares([1, 3]), [0.25, 0.75])
    self.assertEqual(histograms.shares([0, 0]), [0, 0])
    self.assertEqual(histograms.highest([ENTRY]), 0.9)

  def test_both_outcomes_are_drawn_with_their_sizes(self):
    canvas = histograms.draw(ENTRY, x_name='p', top=0.9)
    labels = [x.get_text() for x in canvas.legends[0].get_texts()]
    self.assertEqual(labels, ['with the event (n = 4)', 'without (n = 100)'])
    drawn = [x.get_data().values for x in canvas.axes[0].patches[::2]]
    np.testing.assert_allclose(drawn, [[0.25, 0.75], [0.9, 0.1]])
    self.assertGreater(canvas.axes[0].get_ylim()[1], 0.9)
    self.assertIn('>p</text>', style.Drawn('x', 'x', 'x', canvas).svg)

  def test_one_outcome_alone_and_nobody(self):
    nobody = {**ENTRY, 'event': [0, 0]}
    self.assertIsNotNone(histograms.draw(nobody, x_name='p', top=1))
    nobody['no_event'] = [0, 0]
    self.assertIsNone(histograms.draw(nobody, x_name='p', top=1))


if __name__ == '__main__':
  absltest.main()
