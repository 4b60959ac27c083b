import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.report import text
from fusion_jax.report.figures import lines, style


def points(*values):
  return [
    lines.Point(x, text.Number(y, *(() if y is None else (y - 1, y + 1))))
    for x, y in enumerate(values)
  ]


def spot(arm, cost, value, on_front=False, strategy='late fusion'):
  return lines.Spot(arm, strategy, cost, text.Number(value), on_front)


class LinesTest(parameterized.TestCase):
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
    self.assertIn('>b</text>', svg)
    self.assertIn('>10k</text>', svg)
    self.assertNotIn('mathdefault', svg)

  @parameterized.product(
    count=(1, 4, 20),
    costs=((3e-4, 7e-4), (1e-4, 90.0), (9.0, 2e3), (4e1, 2e12), (5.0, 5.1)),
    name=('arm {}', 'a name of {} that is much longer than there is room for'),
  )
  def test_ticks_and_names_do_not_meet(self, count, costs, name):
    ordered = np.geomspace(*costs, count)
    canvas = lines.scatter(
      [
        spot(name.format(k), x, 0.5 + 0.02 * k, True)
        for k, x in enumerate(ordered)
      ],
      cost_name='cost',
      y_name='auroc',
      unit='s',
    )
    canvas.draw_without_rendering()
    axes = canvas.axes[0]
    low, high = axes.get_xlim()
    ticks = [
      tick.label1.get_window_extent()
      for tick in axes.xaxis.get_major_ticks()
      if low <= tick.get_loc() <= high
    ]
    self.assertBetween(len(ticks), 2, 6)
    frame = axes.get_window_extent()
    self.assertGreater(frame.width, 0.7 * canvas.bbox.width)
    names = [x.get_window_extent() for x in axes.texts if x.get_text()]
    for texts in (ticks, names):
      self.assertNotEmpty(texts)
      for k, box in enumerate(texts):
        self.assertFalse(any(box.overlaps(x) for x in texts[:k]))
    written = [x for x in axes.texts if x.get_text()]
    self.assertLen(written, count)
    for one in written:
      box = one.get_window_extent()
      self.assertGreaterEqual(box.x0, frame.x0 - 1)
      self.assertLessEqual(box.x1, frame.x1 + 1)

  def test_arms_without_room_for_names_are_numbered_with_a_key(self):
    spots = [
      spot(f'arm_{k}', 1.0, 0.5, strategy=('early', 'late')[k % 2])
      for k in range(12)
    ]
    canvas = lines.scatter(spots, cost_name='cost', y_name='auroc')
    canvas.draw_without_rendering()
    key = [x.get_text().strip() for x in canvas.legends[0].get_texts()]
    order = [*range(0, 12, 2), *range(1, 12, 2)]
    self.assertEqual(
      [x for x in key if 'arm' in x],
      [f'{n + 1}  arm_{k}' for n, k in enumerate(order)],
    )
    self.assertEqual(key[0], 'early')
    names = [x.get_text() for x in canvas.axes[0].texts if x.get_text()]
    self.assertEqual(names, [str(n + 1) for n in range(12)])
    legend = canvas.legends[0].get_window_extent()
    self.assertLess(legend.y1, canvas.axes[0].get_window_extent().y0)

  def test_few_arms_have_their_names(self):
    spots = [spot(f'arm_{k}', 10.0**k, 0.5 + 0.1 * k) for k in range(4)]
    canvas = lines.scatter(spots, cost_name='cost', y_name='auroc')
    self.assertEqual(
      {x.get_text() for x in canvas.axes[0].texts},
      {f'arm_{k}' for k in range(4)},
    )

  def test_ticks_name_their_unit(self):
    canvas = lines.scatter(
      [spot('a', 2e-4, 0.8), spot('b', 3.0, 0.9)],
      cost_name='time',
      y_name='auroc',
      unit='s',
    )
    svg = style.Drawn('x', 'x', 'x', canvas).svg
    self.assertIn('>1 ms</text>', svg)
    self.assertIn('>1 s</text>', svg)

  def test_a_cost_of_zero_is_on_a_plain_axis(self):
    canvas = lines.scatter(
      [spot('a', 0, 0.8), spot('b', 10, 0.9)], cost_name='x', y_name='y'
    )
    self.assertEqual(canvas.axes[0].get_xscale(), 'linear')


if __name__ == '__main__':
  absltest.main()
