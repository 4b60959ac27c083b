"""Tests of fusion_jax.data.image_paths."""

from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import descriptor, image_paths, records
from tests.data import folders


class FieldsTest(parameterized.TestCase):
  @parameterized.parameters(
    ('images/{a}_{b c}.png', ('a', 'b c')), ('path', ()), ('{a}/*', ('a',))
  )
  def test_columns_in_braces(self, pattern, columns):
    self.assertEqual(image_paths.fields(pattern, 'f'), columns)

  @parameterized.parameters('{a', 'a}', 'x/{}.png', '{{a}}')
  def test_braces_that_do_not_pair_up(self, pattern):
    with self.assertRaisesRegex(errors.UserError, 'has braces'):
      image_paths.fields(pattern, 'cohort.toml')


class SeveralRowsTest(parameterized.TestCase):
  """Several rows or images of one study."""

  _TOML = folders.TOML.replace('"images/{study}.png"', '"file"')

  def _read(self, table, toml=None):
    folder = folders.write(
      self.create_tempdir().full_path, toml=toml or self._TOML
    )
    folders.write_table(folder / 'table.csv', table)
    return records.read(descriptor.load(folder / 'cohort.toml'), folder)

  def _table(self):
    table = folders.rows()
    for row in table:
      row['file'] = f'images/{row["study"]}.png'
    return table

  def test_rows_of_one_study_add_images(self):
    table = self._table()
    table.append({**table[0], 'file': table[5]['file']})
    r = self._read(table)
    self.assertEqual(r.findings.finished(), [])
    self.assertLen(r, 24)
    self.assertEqual(r.paths[0], ['images/s000.png', 'images/s005.png'])
    self.assertEqual(r.path_lines[0], [2, 26])

  def test_rows_of_one_study_must_agree(self):
    table = self._table()
    table.append({**table[0], 'file': table[5]['file'], 'age': '1'})
    (problem,) = map(str, self._read(table).findings.finished())
    self.assertIn("line 26, column 'age': study 's000' has '1' here", problem)
    self.assertIn('on line 2', problem)

  def test_a_repeated_row_is_a_duplicate(self):
    table = self._table()
    table.append(dict(table[3]))
    (problem,) = map(str, self._read(table).findings.finished())
    self.assertIn("line 26, column 'study': study 's003' stands on", problem)

  def test_paths_in_one_cell_and_blank_cells(self):
    table = self._table()
    table[0]['file'] = 'images/s000.png; images/s001.png'
    table[1]['file'] = ''
    r = self._read(table)
    self.assertEqual(r.findings.finished(), [])
    self.assertEqual(r.paths[0], ['images/s000.png', 'images/s001.png'])
    self.assertEqual(r.paths[1], [])

  def test_several_patterns_and_stars(self):
    toml = folders.TOML.replace(
      '"images/{study}.png"', '["images/{study}.png", "images/{twin}*.png"]'
    )
    table = self._table()
    for row in table:
      row['twin'] = ''
    table[0]['twin'] = 's01'
    r = self._read(table, toml)
    self.assertLen(r.paths[0], 11)
    self.assertLen(r.paths[1], 1)

  def test_missing_images(self):
    table = self._table()
    table[0]['file'] = 'images/s000.jpg'
    table[1]['file'] = 'else/s001.png'
    first, second, summary = map(str, self._read(table).findings.finished())
    self.assertIn("line 2: no such image 'images/s000.jpg'", first)
    self.assertIn("There is 's000.png'", first)
    self.assertIn("There is no folder 'else'", second)
    self.assertIn('2 of 24 named images are not there', summary)
    r = self._read(table, self._TOML + 'missing_images = "absent"')
    (problem,) = r.findings.finished()
    self.assertFalse(problem.is_error)
    self.assertEqual(r.paths[:2], [[], []])

  def test_no_image_at_all_is_an_error_even_if_absence_is_legal(self):
    table = self._table()
    for row in table:
      row['file'] = 'x/' + row['file']
    r = self._read(table, self._TOML + 'missing_images = "absent"')
    (problem,) = r.findings.finished()
    self.assertTrue(problem.is_error)
    self.assertIn('not one image was found', str(problem))


if __name__ == '__main__':
  absltest.main()
