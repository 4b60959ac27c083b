"""Tests of losses by epoch."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.report.figures import losses, style


def model(kept=2, valid=(3.0, 2.0, None)):
  return {
    'epochs': [1, 2, 3],
    'train': [3.0, 1.5, 1.0],
    'valid': list(valid),
    'kept': kept,
  }


def panels(canvas):
  return [x for x in canvas.axes if x.get_visible()]


class LossesTest(parameterized.TestCase):
  def test_losses_and_the_epoch_that_was_kept(self):
    (axes,) = panels(losses.draw({'joint': [model()]}))
    train, valid, kept = axes.lines
    np.testing.assert_array_equal(train.get_ydata(), [3, 1.5, 1])
    np.testing.assert_array_equal(valid.get_ydata(), [3, 2, np.nan])
    np.testing.assert_array_equal(kept.get_data(), [[2], [2]])
    self.assertEqual(axes.get_title(loc='left'), 'joint')

  @parameterized.parameters(1, 2, 3, 4, 7)
  def test_one_panel_an_arm(self, count):
    canvas = losses.draw({f'a{k}': [model()] for k in range(count)} | {'b': []})
    self.assertLen(panels(canvas), count)
    names = [x.get_text() for x in canvas.legends[0].get_texts()]
    self.assertEqual(names, ['training', 'validation', 'epoch that was kept'])
    svg = style.Drawn('x', 'x', 'x', canvas).svg
    self.assertIn('>epoch</text>', svg)

  def test_few_models_of_an_arm(self):
    (axes,) = panels(losses.draw({'a': [model()] * 20}))
    self.assertLen(axes.lines, 3 * losses.MOST_MODELS)

  def test_an_epoch_that_is_not_there_is_not_marked(self):
    (axes,) = panels(losses.draw({'a': [model(kept=0)]}))
    self.assertLen(axes.lines, 2)

  def test_nothing_to_draw(self):
    self.assertIsNone(losses.draw({}))
    self.assertIsNone(losses.draw({'a': []}))


if __name__ == '__main__':
  absltest.main()
