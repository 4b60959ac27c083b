"""Tests of confusion matrices."""

from absl.testing import absltest, parameterized

from fusion_jax.report.figures import matrices, style


def texts(canvas):
  return [x.get_text() for x in canvas.axes[0].texts]


class MatricesTest(parameterized.TestCase):
  def test_counts_and_shares_stand_in_their_cells(self):
    canvas = matrices.draw(
      [[3.0, 1.0], [0.0, 2.5]], [[0.75, 0.25], [0.0, 1.0]], ['a', 'b']
    )
    self.assertEqual(texts(canvas), ['3\n75%', '1\n25%', '0\n0%', '2.5\n100%'])
    # The first class is on top.
    places = [x.get_position() for x in canvas.axes[0].texts]
    self.assertEqual(places, [(0, 0), (1, 0), (0, 1), (1, 1)])
    low, high = canvas.axes[0].get_ylim()
    self.assertGreater(low, high)

  def test_the_colour_follows_the_share(self):
    canvas = matrices.draw([[3, 1], [0, 0]], [[0.75, 0.25], [None] * 2], 'ab')
    alphas = [x.get_alpha() for x in canvas.axes[0].patches][:4]
    self.assertAlmostEqual(alphas[0], 3 * alphas[1])
    self.assertEqual(alphas[2:], [0, 0])
    self.assertEqual(texts(canvas)[2:], ['0', '0'])

  @parameterized.parameters(2, 5, 12, 30)
  def test_any_number_of_classes_can_be_saved(self, k):
    counts = [[1.0] * k for _ in range(k)]
    names = [f'a class of long name {i}' for i in range(k)]
    canvas = matrices.draw(counts, [[1 / k] * k] * k, names)
    self.assertLessEqual(canvas.get_figwidth(), 7.5)
    self.assertIn('true class</text>', style.Drawn('x', 'x', 'x', canvas).svg)

  def test_people_in_a_sentence_are_whole(self):
    self.assertEqual(matrices.about(1234.0), '1,234')
    self.assertEqual(matrices.about(10.7), 'about 11')

  @parameterized.parameters(
    (3.0, '3'), (2.99, '3'), (2.5, '2.5'), (1e4, '10,000')
  )
  def test_counts(self, value, text):
    self.assertEqual(matrices.count(value), text)


if __name__ == '__main__':
  absltest.main()
