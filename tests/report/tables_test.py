import csv
import io

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

  def test_tex(self):
    tex = tables.to_tex(small())
    self.assertIn(r'\caption{A \& B}', tex)
    self.assertIn(r'\begin{tabular}{lrr}', tex)
    self.assertIn(r'image\_1, "x" & .812 [.700, .900] & .012 \\', tex)
    self.assertIn(r'ehr & n/a & n/a \\', tex)
    self.assertIn(r'auroc [95\%]', tex)
    self.assertIn(r'50\% of them', tex)
    self.assertEqual(tex.count('rule\n'), 3)

  @parameterized.parameters(
    ('a_b', r'a\_b'),
    ('100% & #1', r'100\% \& \#1'),
    ('\\x{y}', r'\textbackslash{}x\{y\}'),
    ('$~^', r'\$\textasciitilde{}\textasciicircum{}'),
    ('<.001 ±', r'\textless{}.001 $\pm$'),
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
