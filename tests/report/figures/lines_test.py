import numpy as np
from absl.testing import absltest

from fusion_jax.report import text
from fusion_jax.report.figures import lines, style


def points(*values):
  return [
    lines.Point(x, text.Number(y, *(() if y is None else (y - 1, y + 1))))
    for x, y in enumerate(values)
  ]


def spot(arm, cost, value, on_front=False, strategy='late fusion'):
  return lines.Spot(arm, strategy, cost, text.Number(value), on_front)


class LinesTest(absltest.TestCase):
  def test_draws_what_is_known(self):
    canvas = lines.draw(
      {'a': points(1.0, None, 3.0), 'b': points(None)}, x_name='x', y_name='y'
    )
    line = canvas.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), [0, 2])
    np.testing.assert_array_equal(line.get_ydata(), [1, 3])

  def test_nothing_is_known(self):
    self.assertIsNone(lines.draw({'a': []}, x_name='x', y_name='y'))
    self.assertIsNone(lines.draw({}, x_name='x', y_name='y'))
    self.assertIsNone(lines.scatter([], cost_name='x', y_name='y'))

  def test_a_line_without_bands(self):
    bare = [lines.Point(k, text.Number(0.5)) for k in range(2)]
    canvas = lines.draw({'a': bare}, x_name='x', y_name='y', zero=True)
    self.assertIn('a</text>', style.Drawn('x', 'x', 'x', canvas).svg)

  def test_the_front_joins_its_arms_by_cost(self):
    canvas = lines.scatter(
      [
        spot('c', 1e6, 0.9, True),
        spot('b', 1e5, 0.7),
        spot('a', 1e3, 0.8, True),
      ],
      cost_name='parameters',
      y_name='auroc',
    )
    axes = canvas.axes[0]
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1e3, 1e6])
    svg = style.Drawn('x', 'x', 'x', canvas).svg
    self.assertIn('>a</text>', svg)
    self.assertNotIn('>b</text>', svg)
    self.assertIn('>10k</text>', svg)
    self.assertNotIn('mathdefault', svg)

  def test_a_cost_of_zero_is_on_a_plain_axis(self):
    canvas = lines.scatter(
      [spot('a', 0, 0.8), spot('b', 10, 0.9)], cost_name='x', y_name='y'
    )
    self.assertEqual(canvas.axes[0].get_xscale(), 'linear')


if __name__ == '__main__':
  absltest.main()
