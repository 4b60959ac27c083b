import csv
import dataclasses
import io
import re

from absl.testing import absltest, parameterized

from fusion_jax.report import tables, text


def small():
  return tables.Table(
    'small',
    'A & B',
    [
      tables.Column('arm', word=True),
      tables.Column('auroc [95%]', interval=True),
      tables.Column('p'),
    ],
    [
      (
        'single modality',
        [
          [
            tables.word('image_1, "x"'),
            tables.Cell(number=text.Number(0.8123456, 0.7, 0.9)),
            tables.plain(0.0123456),
          ],
          [
            tables.word('ehr'),
            tables.Cell(number=text.Number(None, reason='one class')),
            tables.plain(None, 'no test'),
          ],
        ],
      )
    ],
    note='50% of them',
  )


class TablesTest(parameterized.TestCase):
  def test_csv_is_unrounded_and_says_why(self):
    rows = list(csv.reader(io.StringIO(tables.to_csv(small()))))
    self.assertEqual(
      rows,
      [
        [
          'group',
          'arm',
          'auroc [95%]',
          'auroc [95%] low',
          'auroc [95%] high',
          'p',
          'reason',
        ],
        [
          'single modality',
          'image_1, "x"',
          '0.8123456',
          '0.7',
          '0.9',
          '0.0123456',
          '',
        ],
        ['single modality', 'ehr', '', '', '', '', 'one class; no test'],
      ],
    )

  def test_csv_holds_no_formulas(self):
    columns = [tables.Column('=1+1', word=True), tables.Column('p')]
    row = [tables.word('@SUM(A1)'), tables.Cell(number=text.Number(-0.5))]
    found = tables.to_csv(tables.plain_table('x', 'x', columns, [row]))
    self.assertEqual(found, "'=1+1,p,reason\n'@SUM(A1),-0.5,\n")

  def test_tex(self):
    tex = tables.to_tex(small())
    self.assertIn(r'\caption{A \& B}', tex)
    self.assertIn(r'\begin{tabular}{lrr}', tex)
    self.assertIn(r'image\_1, "x" & .812 [.700, .900] & .012 \\', tex)
    self.assertIn(r'ehr & n/a (1) & n/a (2) \\', tex)
    self.assertIn(r'\par\smallskip (2) no test', tex)
    self.assertIn(r'auroc [95\%]', tex)
    self.assertIn(r'50\% of them', tex)
    self.assertEqual(tex.count('rule\n'), 3)

  def test_minus_signs_are_those_of_numbers(self):
    number = tables.Cell(number=text.Number(-0.1, -0.2, 0.1), signed=True)
    tex = tables.to_tex(
      tables.plain_table(
        'x',
        'x',
        [tables.Column('a', word=True), tables.Column('b')],
        [[tables.word('late-mean -1'), number]],
      )
    )
    self.assertIn('late-mean -1 & $-$.100 [$-$.200, +.100]', tex)

  def test_a_table_longer_than_a_page_breaks(self):
    rows = [[tables.word(f'row {k}')] for k in range(60)]
    long = tables.plain_table('x', 'x', [tables.Column('a', word=True)], rows)
    tex = tables.to_tex(long)
    self.assertIn(r'\begin{longtable}{l}', tex)
    self.assertEqual(tex.count(r'\toprule'), 2)
    self.assertNotIn(r'\begin{table}', tex)
    short = tables.plain_table('x', 'x', [tables.Column('a')], rows[:9])
    self.assertIn(r'\begin{table}', tables.to_tex(short))

  def test_sentences_are_broken_into_lines(self):
    sentence = 'many words ' * 30
    table = tables.plain_table(
      'x',
      'x',
      [tables.Column('a', word=True), tables.Column('b', word=True)],
      [[tables.word('joint'), tables.word(sentence)]] * 2,
    )
    tex = tables.to_tex(table)
    align = re.search(r'begin{tabular}{l(.*p{(.*)\\linewidth})}', tex)
    self.assertStartsWith(align[1], r'>{\raggedright\arraybackslash}p')
    self.assertBetween(float(align[2]), 0.5, 1)
    self.assertEqual(tex.count(r'\addlinespace'), 1)
    many = dataclasses.replace(table, groups=[('', [*table.rows()] * 9)])
    self.assertIn(r'\begin{longtable}', tables.to_tex(many))

  def test_what_is_wide_is_set_small_and_what_is_too_wide_says_so(self):
    def columns(count):
      number = tables.Cell(number=text.Number(0.5, 0.4, 0.6))
      return tables.to_tex(
        tables.plain_table(
          'x', 'x', [tables.Column('fold sd')] * count, [[number] * count]
        )
      )

    self.assertIn(r'\normalsize', columns(3))
    self.assertIn(r'\centering\small', columns(4))
    self.assertNotIn('%', columns(4))
    self.assertStartsWith(columns(9), '% Wider than upright paper.\n')

  def test_long_headings_have_two_lines(self):
    tex = tables.to_tex(
      tables.plain_table(
        'x', 'x', [tables.Column('patients needed')], [[tables.count(5)]]
      )
    )
    self.assertIn(r'\shortstack[l]{patients\\needed}', tex)

  def test_a_group_without_rows_has_no_heading(self):
    row = [tables.word('a')]
    column = tables.Column('x', word=True)
    table = tables.Table('x', 'x', [column], [('none', []), ('one', [row])])
    tex = tables.to_tex(table)
    self.assertNotIn('none', tex)
    self.assertEqual(tex.count(r'\midrule'), 1)

  @parameterized.parameters(
    ('a_b', r'a\_b'),
    ('100% & #1', r'100\% \& \#1'),
    ('\\x{y}', r'\textbackslash{}x\{y\}'),
    ('$~^', r'\$\textasciitilde{}\textasciicircum{}'),
    ('<.001 ±', r'\textless{}.001 $\pm$'),
    ('≥ 3 é – “x” |', r'$\geq$ 3 é – “x” \textbar{}'),
    ('α→Ω', r'$\alpha$$\rightarrow$$\Omega$'),
    ('a--b---c', 'a-{}-b-{}-{}-c'),
    ('`x`', r'\textasciigrave{}x\textasciigrave{}'),
    ('two\n\nlines\x00', 'two lines'),
  )
  def test_tex_escape(self, plain, escaped):
    self.assertEqual(tables.tex_escape(plain), escaped)

  def test_a_cell_that_begins_with_a_bracket_is_no_option(self):
    table = tables.plain_table(
      'x', 'x', [tables.Column('a')], [[tables.word('[5pt]')]]
    )
    self.assertIn('{}[5pt]', tables.to_tex(table))

  def test_rows_fit_the_columns(self):
    with self.assertRaisesRegex(ValueError, "'x' has 1 columns and a row of 2"):
      tables.plain_table(
        'x', 'x', [tables.Column('a')], [[tables.Cell(), tables.Cell()]]
      )

  def test_a_table_without_rows_is_none(self):
    self.assertFalse(tables.plain_table('x', 'x', [tables.Column('a')], []))
    self.assertTrue(small())

  def test_counts_are_exact_in_files(self):
    cell = tables.count(12345)
    self.assertEqual(cell.shown(text.Reasons()), '12.3k')
    self.assertEqual(cell.bare(), '12,345')
    self.assertEqual(tables.count(None).bare(), '')

  def test_reasons_are_marked_on_the_page_only(self):
    reasons = text.Reasons()
    cell = tables.Cell('inconclusive', reason='too few')
    self.assertEqual(cell.shown(reasons), 'inconclusive (1)')
    self.assertEqual(cell.bare(), 'inconclusive')
    self.assertEqual(reasons.lines(), ['(1) too few'])


if __name__ == '__main__':
  absltest.main()
