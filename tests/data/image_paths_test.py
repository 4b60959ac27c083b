"""Tests of fusion_jax.data.image_paths."""

import os
import shutil
import unicodedata

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

  def test_two_stars(self):
    with self.assertRaisesRegex(errors.UserError, 'write one for each folder'):
      image_paths.fields('set/**/{a}.png', 'cohort.toml')


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
    self.assertEqual(
      r.paths['image'][0], ['images/s000.png', 'images/s005.png']
    )
    self.assertEqual(r.path_lines['image'][0], [2, 26])

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
    self.assertEqual(
      r.paths['image'][0], ['images/s000.png', 'images/s001.png']
    )
    self.assertEqual(r.paths['image'][1], [])

  def test_several_patterns_and_stars(self):
    toml = folders.TOML.replace(
      '"images/{study}.png"', '["images/{study}.png", "images/{twin}*.png"]'
    )
    table = self._table()
    for row in table:
      row['twin'] = ''
    table[0]['twin'] = 'more'
    r = self._read(table, toml)
    for name in ('more', 'more_2'):
      shutil.copy(r.root / 'images/s000.png', r.root / f'images/{name}.png')
    r = records.read(r.descriptor, r.root)
    self.assertEqual(r.findings.finished(), [])
    self.assertEqual(
      r.paths['image'][0],
      ['images/s000.png', 'images/more.png', 'images/more_2.png'],
    )
    self.assertLen(r.paths['image'][1], 1)

  def test_missing_images(self):
    table = self._table()
    table[0]['file'] = 'images/s000.jpg'
    table[1]['file'] = 'else/s001.png'
    first, second, summary = map(str, self._read(table).findings.finished())
    self.assertIn("line 2: no such image 'images/s000.jpg'", first)
    self.assertIn("There is 'images/s000.png'", first)
    self.assertIn("There is no folder 'else'", second)
    self.assertIn("There is 'images/s001.png'", second)
    self.assertIn('2 of 24 named images are not there', summary)
    r = self._read(table, self._TOML + 'missing_images = "absent"')
    (problem,) = r.findings.finished()
    self.assertFalse(problem.is_error)
    self.assertEqual(r.paths['image'][:2], [[], []])
    self.assertEndsWith(
      str(problem),
      '2 of 24 named images are not there; their studies are taken to have '
      "none. Of 'images/s000.jpg' on line 2: There is 'images/s000.png'.",
    )

  def test_no_image_at_all_is_an_error_even_if_absence_is_legal(self):
    table = self._table()
    for row in table:
      row['file'] = 'x/' + row['file']
    r = self._read(table, self._TOML + 'missing_images = "absent"')
    (problem,) = r.findings.finished()
    self.assertTrue(problem.is_error)
    self.assertIn('not one image was found', str(problem))


class _Files(parameterized.TestCase):
  def _read(self, ids, pattern, names, toml='', change=None):
    folder = folders.write(
      self.create_tempdir().full_path,
      toml=folders.TOML.replace('images/{study}.png', pattern) + toml,
      images=False,
    )
    table = folders.rows(len(ids))
    for row, study in zip(table, ids, strict=True):
      row['study'] = row['file'] = study
      row['patient'] = 'p1'
      row.update(change(row) if change else {})
    folders.write_table(folder / 'table.csv', table)
    for name in names:
      path = folder / name
      path.parent.mkdir(parents=True, exist_ok=True)
      path.write_bytes(name.encode())
    r = records.read(descriptor.load(folder / 'cohort.toml'), folder)
    return r.paths['image'], [str(x) for x in r.findings.finished()]


class OneStudyEachTest(_Files):
  """Ids are taken as they are, and a star never takes another's image."""

  @parameterized.parameters('s[12]', 's?', 's*', 's[!x]')
  def test_an_id_is_no_glob(self, study):
    for pattern in ('i/{study}.png', 'i/{study}_*.png'):
      mine = f'i/{study}.png' if '*' not in pattern else f'i/{study}_a.png'
      other = ['i/s1.png', 'i/s2.png', 'i/s1_a.png', 'i/s22_a.png']
      paths, found = self._read(['s9', study], pattern, other)
      self.assertEqual(paths[1], [])
      self.assertIn('no such image', found[0])
      paths, _ = self._read(['s9', study], pattern, [*other, mine])
      self.assertEqual(paths[1], [mine])

  def test_a_star_in_a_cell_is_no_glob(self):
    toml = 'missing_images = "absent"'
    paths, _ = self._read(['*.png', 's1.png'], 'file', ['s1.png'], toml)
    self.assertEqual(paths, [[], ['s1.png']])

  def test_stars_in_folders(self):
    names = ['set/a/x/s1.png', 'set/b/y/s2.png', 'set/b/s1.png', 's1.png']
    paths, found = self._read(['s1', 's2'], 'set/*/*/{study}.png', names)
    self.assertEqual(paths, [['set/a/x/s1.png'], ['set/b/y/s2.png']])
    self.assertEqual(found, [])

  def test_hidden_files_are_not_taken(self):
    names = ['i/a_s1.png', 'i/._a_s1.png']
    paths, _ = self._read(['s1'], 'i/*s1.png'.replace('s1', '{study}'), names)
    self.assertEqual(paths, [['i/a_s1.png']])

  def test_a_file_of_two_studies(self):
    names = ['i/s2.png', 'i/s20.png']
    _, (problem,) = self._read(['s2', 's20'], 'i/{study}*.png', names)
    self.assertIn("line 2: study 's2' takes image 'i/s20.png'", problem)
    self.assertIn("its name says 's20', which is another study", problem)

  def test_an_id_that_begins_with_another(self):
    names = ['i/a.png', 'i/a_b.png']
    _, (problem,) = self._read(['a', 'a_b'], 'i/{study}*.png', names)
    self.assertIn("line 3: image 'i/a_b.png' is of two studies: 'a'", problem)
    self.assertIn("as 'i/a*.png', 'a_b' as 'i/a_b*.png'", problem)

  @parameterized.parameters(
    ('s2', 's20', 'which is another study'), ('a', 'a_b', 'is of two studies')
  )
  def test_a_file_of_an_excluded_study(self, kept, excluded, reason):
    rule = '[[exclude]]\ncolumn = "age"\nvalues = ["1"]\nreason = "why"'
    _, (problem,) = self._read(
      [kept, excluded],
      'i/{study}*.png',
      [f'i/{kept}.png', f'i/{excluded}.png'],
      rule,
      lambda row: {'age': '1' if row['study'] == excluded else '2'},
    )
    self.assertIn(reason, problem)

  def test_a_name_that_is_another_id(self):
    paths, found = self._read(
      ['s2', 's20'],
      'i/{region}-{study}*.png',
      ['i/arm-s20.png', 'i/leg-s20.png'],
      change=lambda row: {'region': 'arm' if row['study'] == 's2' else 'leg'},
    )
    self.assertIn("its name says 's20', which is another study", found[0])

  def test_a_number_that_goes_on(self):
    names = ['i/s2.png', 'i/s21.png', 'i/x_s3.png', 'i/s3b.png']
    paths, (problem,) = self._read(['s2', 's3'], 'i/*{study}*.png', names)
    self.assertLen(paths[0], 2)
    self.assertIn("image 'i/s21.png' may be of 's21'", problem)

  def test_studies_of_a_patient_may_share_all_its_images(self):
    paths, found = self._read(
      ['s1', 's2'], 'i/{patient}_*.png', ['i/p1_a.png', 'i/p1_b.png']
    )
    self.assertEqual(paths, [['i/p1_a.png', 'i/p1_b.png']] * 2)
    self.assertEqual(found, [])


class InsideTest(_Files):
  """No path leads out of the data folder."""

  @parameterized.parameters(
    ('/etc/hostname', 'absolute path'),
    ('C:\\scans\\s1.png', 'absolute path'),
    ('../s1.png', 'leaves the data folder'),
    ('i/../../s1.png', 'leaves the data folder'),
    ('..\\..\\s1.png', 'leaves the data folder'),
  )
  def test_paths_out(self, path, reason):
    paths, found = self._read(
      [path, 'i/s2.png'],
      'file',
      ['i/s2.png'],
      'missing_images = "absent"',
    )
    self.assertEqual(paths, [[], ['i/s2.png']])
    self.assertLen(found, 1)
    self.assertIn(reason, found[0])
    self.assertIn('line 2', found[0])

  def test_one_line_each(self):
    ids = [f'../x{i}.png' for i in range(5)]
    _, found = self._read([*ids, 'a.png'], 'file', ['a.png'])
    self.assertLen(found, 4)
    self.assertIn(
      '2 more of these (image outside the folder): lines 5, 6', found[-1]
    )

  def _linked(self, link, target):
    folder = folders.write(self.create_tempdir().full_path)
    out = self.create_tempdir().full_path
    shutil.copy(folder / 'images/s000.png', out)
    if link == 'images':
      (folder / 'images').rename(folder / 'else')
    else:
      (folder / link).unlink()
    os.symlink(target.format(out=out), folder / link)
    # The data folder itself may be a link.
    root = folder.with_name(folder.name + '_link')
    os.symlink(folder, root)
    r = records.read(descriptor.load(folder / 'cohort.toml'), root)
    return r.paths['image'], [str(x) for x in r.findings.finished()]

  @parameterized.parameters(
    ('images/s003.png', '{out}/s000.png'), ('images', '{out}')
  )
  def test_links_out(self, link, target):
    paths, found = self._linked(link, target)
    self.assertEqual(paths[0 if link == 'images' else 3], [])
    self.assertIn(f"'{link}' is a link out of it", found[0])

  @parameterized.parameters(('images/s003.png', 's001.png'), ('images', 'else'))
  def test_links_within(self, link, target):
    paths, found = self._linked(link, target)
    self.assertEqual(paths[3], ['images/s003.png'])
    self.assertEqual(found, [])


class SpellingTest(_Files):
  @parameterized.parameters('i\\s1.png', './i//s1.png', 'i/x/../s1.png')
  def test_ways_to_write_a_path(self, path):
    paths, found = self._read([path], 'file', ['i/s1.png'])
    self.assertEqual((paths, found), ([['i/s1.png']], []))

  @parameterized.parameters('NFC', 'NFD')
  def test_composed_and_decomposed(self, form):
    other = {'NFC': 'NFD', 'NFD': 'NFC'}[form]
    name = unicodedata.normalize(other, 'Mü/sé.png')
    study = unicodedata.normalize(form, 'Mü/sé')
    for pattern in ('{study}.png', '{study}*.png', '*{study}.png'):
      paths, found = self._read([study], pattern, [name])
      self.assertEqual((paths, found), ([[name]], []))

  @parameterized.parameters(
    ('i/S1.PNG', 'i/s1.png'),
    ('s1.png', 'i/s1.png'),
    ('s1', 'i/s1.png'),
    ('data/i/s1.png', 'i/s1.png'),
    ('i/s1.jpg', 'i/s1.tif'),
  )
  def test_what_was_probably_meant(self, path, there):
    _, found = self._read([path], 'file', [there])
    self.assertIn(f"no such image '{path}'", found[0])
    self.assertEndsWith(found[0], f"There is '{there}'.")


if __name__ == '__main__':
  absltest.main()
