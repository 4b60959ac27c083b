from absl.testing import absltest, parameterized

from fusion_jax.core import plain


class OnTerminalTest(parameterized.TestCase):
  @parameterized.parameters(
    ('\x1b[2Jgone\x07', '[2Jgone'),
    ('a\rb\x08c\x9bd', 'abcd'),
    ('left \u202eright', 'left right'),
    ('two\nlines\tand é 漢 ²', 'two\nlines\tand é 漢 ²'),
  )
  def test_takes_away_what_a_terminal_obeys(self, text, shown):
    self.assertEqual(plain.on_terminal(text), shown)


class InSheetTest(parameterized.TestCase):
  @parameterized.parameters(
    ('=1+1', "'=1+1"),
    ('+A1', "'+A1"),
    ('-A1', "'-A1"),
    ('@SUM(A1)', "'@SUM(A1)"),
    ("'=1", "''=1"),
    ('\t=1', "'\t=1"),
    ('-0.5', '-0.5'),
    ('+1e3', '+1e3'),
    ('-inf', '-inf'),
    ("'quoted'", "'quoted'"),
    ('a=b', 'a=b'),
    ('', ''),
  )
  def test_only_formulas_are_quoted_and_come_back(self, text, cell):
    self.assertEqual(plain.in_sheet(text), cell)
    self.assertEqual(plain.from_sheet(cell), text)


if __name__ == '__main__':
  absltest.main()
