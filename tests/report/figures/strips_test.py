"""Tests of the rows of a forest plot."""

from absl.testing import absltest, parameterized

from fusion_jax.report import text
from fusion_jax.report.figures import strips
from tests.report import reader


class StripsTest(parameterized.TestCase):
  @parameterized.parameters(
    (-0.001, 0.001), (-0.3, 0.02), (0.05, 0.4), (-12.0, 55.0), (0.0, 0.0)
  )
  def test_a_scale_holds_all_numbers_and_the_margin(self, low, high):
    number = text.Number((low + high) / 2, low, high)
    on = strips.scale([number, text.Number(None)], margin=0.02)
    for value in (low, high, 0.0, -0.02, 0.02):
      self.assertBetween(on.place(value), 0, 100)
    ticks = on.ticks()
    self.assertBetween(len(ticks), 2, 8)
    for value in ticks:
      self.assertBetween(on.place(value), -1e-6, 100 + 1e-6)
    self.assertLen({text.short(x) for x in ticks}, len(ticks))

  def test_one_number_alone_has_a_scale(self):
    on = strips.scale([text.Number(0.8)], zero=None)
    self.assertBetween(on.place(0.8), 0, 100)
    self.assertGreater(on.high, on.low)

  def test_nothing_has_none(self):
    self.assertIsNone(strips.scale([]))
    self.assertIsNone(strips.scale([text.Number(None, reason='why')]))

  def test_a_strip_is_to_scale(self):
    on = strips.Scale(-1.0, 1.0, margin=0.1)
    number = text.Number(0.5, 0.0, 0.9)
    found = reader.read(strips.strip(number, on, style='x', title='t'))
    dot = next(x for tag, x in found.elements if tag == 'circle')
    bar = next(x for _, x in found.elements if x.get('class') == 'bar')
    band = next(x for _, x in found.elements if x.get('class') == 'band')
    self.assertEqual(dot['cx'], '75.00%')
    self.assertEqual((bar['x1'], bar['x2']), ('50.00%', '95.00%'))
    self.assertEqual((band['x'], band['width']), ('45.00%', '10.00%'))

  def test_what_is_not_known_is_not_drawn(self):
    on = strips.Scale(-1.0, 1.0)
    bare = reader.read(strips.strip(None, on, style='', title=''))
    self.assertNotIn('circle', bare.tags)
    dot = strips.strip(text.Number(0.1), on, style='', title='')
    self.assertNotIn('class="bar"', dot)

  def test_titles_are_escaped(self):
    on = strips.Scale(-1.0, 1.0)
    title = '<script>"\'&'
    found = reader.read(strips.strip(None, on, style='"><b>', title=title))
    self.assertEqual(found.tags.count('script'), 0)
    self.assertEqual(found.text, title)
    self.assertNotIn('b', found.tags)

  def test_axes_say_values_in_short(self):
    found = reader.read(strips.axis(strips.Scale(-0.06, 0.11)))
    self.assertIn('+.05', found.text)
    self.assertIn('0', found.text)
    self.assertNotIn('e-', found.text)


if __name__ == '__main__':
  absltest.main()
