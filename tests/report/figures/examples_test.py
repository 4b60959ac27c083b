"""Tests of images with maps."""

import base64
import io
import re

from absl.testing import absltest, parameterized
from PIL import Image

from fusion_jax.report.figures import examples, style


def png(mode='L', size=(4, 3)):
  out = io.BytesIO()
  Image.new(mode, size, 'white').save(out, format='PNG')
  return base64.b64encode(out.getvalue()).decode()


def drawn(change, mode='L'):
  canvas = examples.draw(
    png(mode), height=6, width=8, change=change, unit='change in logit'
  )
  return style.Drawn('example_1', 'Title', 'Caption', canvas)


class DrawTest(parameterized.TestCase):
  @parameterized.parameters('L', 'RGB')
  def test_image_and_map_keep_their_pixels(self, mode):
    change = {'values': [[0.5, -1.0], [0.0, 0.25]], 'cell': 4}
    found = drawn(change, mode)
    text = found.inline()
    # The image twice, the map, and the bar of colours.
    pictures = re.findall('base64,([^"]+)"', text)
    sizes = [Image.open(io.BytesIO(base64.b64decode(x))).size for x in pictures]
    self.assertEqual(sizes.count((4, 3)), 2)
    self.assertEqual(sizes.count((2, 2)), 1)
    self.assertIn('change in logit', text)
    self.assertStartsWith(found.pdf(), b'%PDF')

  def test_blue_lowers_and_orange_raises(self):
    axes = drawn({'values': [[2.0, -1.0]], 'cell': 4}).canvas.axes[1]
    shown = axes.images[1]
    self.assertEqual(shown.get_clim(), (-2.0, 2.0))
    low, _, high = (shown.cmap(x)[:3] for x in (0.0, 0.5, 1.0))
    self.assertGreater(high[0], high[2])
    self.assertGreater(low[2], low[0])

  def test_a_map_of_nothing(self):
    found = drawn({'values': [[0.0]], 'cell': 8})
    self.assertEqual(found.canvas.axes[1].images[1].get_clim(), (-1.0, 1.0))

  def test_the_image_alone(self):
    found = drawn(None)
    self.assertLen(found.canvas.axes, 1)
    self.assertEqual(found.inline().count('<image'), 1)


if __name__ == '__main__':
  absltest.main()
