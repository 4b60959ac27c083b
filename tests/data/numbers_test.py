"""Tests of cells as numbers."""

import math

from absl.testing import absltest, parameterized

from fusion_jax.data import numbers

COMMA = numbers.Format(decimal=numbers.COMMA)
BOUNDS = numbers.Format(bounds=True)


class NumbersTest(parameterized.TestCase):
  @parameterized.parameters(
    ('37', 37.0),
    ('37,5', 37.5),
    ('-0,25', -0.25),
    (',5', 0.5),
    ('1.234,5', 1234.5),
    ('1.234.567', 1234567.0),
    ('1,5e3', 1500.0),
  )
  def test_decimal_commas(self, text, expected):
    self.assertEqual(COMMA.read(text), expected)

  @parameterized.parameters('37.5', '1.234', '1,234,567', 'x', '', ',', '1.')
  def test_what_is_no_number_with_a_decimal_comma(self, text):
    self.assertTrue(math.isnan(COMMA.read(text)))

  @parameterized.parameters(
    ('045Y', 'Y', 45.0),
    ('37 C', 'C', 37.0),
    ('12 mmHg', 'mmHg', 12.0),
    ('12', 'mmHg', 12.0),
  )
  def test_units(self, text, unit, expected):
    self.assertEqual(numbers.Format(unit=unit).read(text), expected)

  @parameterized.parameters('006M', '45', 'Y')
  def test_another_unit_is_no_number(self, text):
    found = numbers.Format(unit='Y').read(text)
    self.assertEqual(math.isnan(found), text != '45')

  @parameterized.parameters(
    ('<0.5', 0.5, '<'),
    ('< 5', 5.0, '<'),
    ('>=90', 90.0, '>'),
    ('≤3', 3.0, '<'),
    ('≥ 4', 4.0, '>'),
    ('7', 7.0, ''),
  )
  def test_bounds(self, text, expected, side):
    self.assertEqual((BOUNDS.read(text), BOUNDS.side(text)), (expected, side))
    if side:
      self.assertTrue(math.isnan(numbers.Format().read(text)))
      self.assertEqual(numbers.Format().side(text), '')

  def test_all_at_once(self):
    form = numbers.Format(numbers.COMMA, 'mg/l', True, 0, 10)
    self.assertEqual(form.read('<0,5 mg/l'), 0.5)
    self.assertIn("unit 'mg/l'", form.legal)

  @parameterized.parameters('1_000', 'inf', 'nan', '', '1,5')
  def test_what_is_no_number(self, text):
    self.assertTrue(math.isnan(numbers.number(text)))


if __name__ == '__main__':
  absltest.main()
