"""Tests of figures with one point a study."""

import re

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.report.figures import points, style


def draw(x, y, **options):
  ends = {'x_limits': points.limits(x), 'y_limits': points.limits(y)}
  options = {'identity': True, 'x_name': 'x', 'y_name': 'y', **ends, **options}
  return points.draw(x, y, **options)


class PointsTest(parameterized.TestCase):
  @parameterized.parameters(1, 5, 400, 2000)
  def test_every_point_is_in_the_files(self, n):
    """Of many points of an open path matplotlib leaves some out."""
    x, y = np.random.default_rng(0).normal(size=(2, n))
    drawn = style.Drawn('p', 'p', 'p', draw(list(x), list(y)))
    dots = re.findall(r'd="([^"]*)"[^>]*opacity', drawn.svg)
    self.assertEqual(sum(d.count('M') for d in dots), n)
    self.assertLess(len(drawn.inline()), 60 * n + 12_000)
    self.assertStartsWith(drawn.pdf(), b'%PDF')

  def test_dots_are_where_they_should_be(self):
    canvas = draw([0.0, 10.0], [1.0, 3.0], x_limits=(-1, 11), y_limits=(0, 4))
    axes = canvas.axes[0]
    middle = [p.get_path().vertices[:2].mean(axis=0) for p in axes.patches]
    np.testing.assert_allclose(middle, [[0, 1], [10, 3]], atol=1e-12)
    self.assertEqual((axes.get_xlim(), axes.get_ylim()), ((-1, 11), (0, 4)))

  @parameterized.parameters((True, 1), (False, 0))
  def test_the_line(self, identity, slope):
    line = draw([1.0], [2.0], identity=identity).axes[0].lines[0]
    self.assertEqual(line.get_slope(), slope)
    self.assertEqual(line.get_xy1(), (0, 0))

  def test_nothing(self):
    options = {'x_limits': (0, 1), 'y_limits': (0, 1)}
    self.assertIsNone(
      points.draw([], [], x_name='', y_name='', identity=False, **options)
    )

  @parameterized.parameters(([2.0],), ([0.0],), ([-3.0, -3.0],), ([1.0, 5.0],))
  def test_limits_hold_all_values(self, values):
    low, high = points.limits(values)
    self.assertLess(low, min(values))
    self.assertGreater(high, max(values))


if __name__ == '__main__':
  absltest.main()
