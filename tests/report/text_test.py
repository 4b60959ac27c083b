from absl.testing import absltest, parameterized

from fusion_jax.report import text


class TextTest(parameterized.TestCase):
  @parameterized.parameters(
    (0.8421, False, '.842'),
    (0.0119, True, '+.012'),
    (-0.0119, True, '-.012'),
    (-0.5, False, '-.500'),
    (1.0, False, '1.000'),
    (-1.25, False, '-1.250'),
    (0.0, True, '.000'),
    (-0.0001, True, '.000'),
    (123.456, False, '123.5'),
    (-123.456, True, '-123.5'),
  )
  def test_plain(self, value, signed, expected):
    self.assertEqual(text.plain(value, signed=signed), expected)

  @parameterized.parameters(
    (None, ''),
    (0.00049, '<.001'),
    (0.0312, '.031'),
    (1.0, '1.000'),
  )
  def test_p_value(self, p, expected):
    self.assertEqual(text.p_value(p), expected)

  @parameterized.parameters(
    (None, ''), (0, '0'), (845, '845'), (12345, '12.3k'), (11_200_000, '11.2M')
  )
  def test_count(self, value, expected):
    self.assertEqual(text.count(value), expected)

  @parameterized.parameters(
    (None, ''),
    (0, '0 s'),
    (0.0021, '2.1 ms'),
    (0.5, '0.5 s'),
    (42.4, '42 s'),
    (180.0, '3 min'),
  )
  def test_duration(self, value, expected):
    self.assertEqual(text.duration(value), expected)

  def test_undefined_is_numbered_by_reason(self):
    reasons = text.Reasons()
    one = text.Number(None, reason='one class in fold 2')
    two = text.Number(None, reason='no events')
    self.assertEqual(text.interval(one, reasons), 'n/a (1)')
    self.assertEqual(text.interval(two, reasons), 'n/a (2)')
    self.assertEqual(text.interval(one, reasons), 'n/a (1)')
    self.assertEqual(
      reasons.lines(), ['(1) one class in fold 2', '(2) no events']
    )

  def test_interval(self):
    reasons = text.Reasons()
    full = text.Number(0.8421, 0.8, 0.9)
    self.assertEqual(text.interval(full, reasons), '.842 [.800, .900]')
    self.assertEqual(
      text.interval(full, reasons, signed=True), '+.842 [+.800, +.900]'
    )
    bare = text.Number(0.8421)
    self.assertEqual(text.interval(bare, reasons), '.842')
    self.assertEqual(text.interval(None, reasons), '')
    self.assertEmpty(reasons.lines())

  def test_an_interval_that_misses_its_estimate_says_why(self):
    entry = {'estimate': 0.05, 'low': 0.06, 'high': 0.09}
    self.assertIn('redrawing patients', text.number(entry).reason)
    entry['reason'] = 'another one'
    self.assertEqual(text.number(entry).reason, 'another one')
    entry = {'estimate': 0.06, 'low': 0.06, 'high': 0.09}
    self.assertEqual(text.number(entry).reason, '')
    self.assertEqual(text.number({'estimate': 0.06, 'low': None}).reason, '')

  def test_interval_without_ends_says_why(self):
    reasons = text.Reasons()
    number = text.Number(0.8421, reason='too few patients')
    self.assertEqual(text.interval(number, reasons), '.842 (1)')
    self.assertEqual(reasons.lines(), ['(1) too few patients'])
    full = text.Number(0.8421, 0.8, 0.9, reason='without class x')
    self.assertEqual(text.interval(full, reasons), '.842 [.800, .900] (2)')


if __name__ == '__main__':
  absltest.main()
