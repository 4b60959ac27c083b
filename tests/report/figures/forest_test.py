from absl.testing import absltest, parameterized

from fusion_jax.report import text
from fusion_jax.report.figures import forest


def lines_of(canvas):
  """(x, y) of what was plotted, without markers' own lines."""
  axes = canvas.axes[0]
  return [(list(x.get_xdata()), list(x.get_ydata())) for x in axes.lines]


class ForestTest(parameterized.TestCase):
  def test_is_to_scale_and_in_order(self):
    numbers = [text.Number(0.1, 0.0, 0.2), text.Number(-0.3, -0.4, 0.1)]
    canvas = forest.draw(
      [forest.Line('a', numbers[0]), forest.Line('b', numbers[1])],
      axis='difference',
      margin=0.02,
    )
    found = lines_of(canvas)
    for place, number in enumerate(numbers):
      self.assertIn(([number.low, number.high], [place, place]), found)
      self.assertIn(([number.estimate], [place]), found)
    axes = canvas.axes[0]
    self.assertEqual([x.get_text() for x in axes.get_yticklabels()], ['a', 'b'])
    low, high = axes.get_ylim()
    self.assertGreater(low, high)

  def test_headings_take_a_line(self):
    number = text.Number(0.1, 0.0, 0.2)
    canvas = forest.draw(
      [
        forest.Line('female', number, heading='sex'),
        forest.Line('male', number),
        forest.Line('young', number, heading='age'),
      ],
      axis='gain',
    )
    self.assertEqual(list(canvas.axes[0].get_yticks()), [1, 2, 4])

  def test_what_has_no_interval_is_a_dot(self):
    canvas = forest.draw(
      [
        forest.Line('a', text.Number(0.1, 0.0, 0.2)),
        forest.Line('b', text.Number(0.3, reason='why')),
        forest.Line('c', text.Number(None, reason='why')),
      ],
      axis='difference',
    )
    found = lines_of(canvas)
    self.assertIn(([0.3], [1]), found)
    self.assertNotIn(2, [y for _, places in found for y in places[:1] if y > 1])

  @parameterized.parameters(
    (-0.001, 0.001), (-0.3, 0.02), (0.05, 0.4), (-12.0, 55.0), (0.0, 0.0)
  )
  def test_holds_any_difference(self, low, high):
    number = text.Number((low + high) / 2, low, high)
    canvas = forest.draw([forest.Line('a', number)], axis='x', margin=0.02)
    left, right = canvas.axes[0].get_xlim()
    self.assertLessEqual(left, low)
    self.assertGreaterEqual(right, high)
    self.assertLess(left, right)

  def test_nothing_to_draw(self):
    self.assertIsNone(forest.draw([], axis='x'))
    self.assertIsNone(
      forest.draw([forest.Line('a', text.Number(0.1))], axis='x')
    )


if __name__ == '__main__':
  absltest.main()
