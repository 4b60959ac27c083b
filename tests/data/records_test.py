"""Tests of fusion_jax.data.records."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import descriptor, records
from tests.data import folders


class RecordsTest(parameterized.TestCase):
  def _read(self, table=None, toml=folders.TOML, **options):
    folder = folders.write(
      self.create_tempdir().full_path, table=table, toml=toml, **options
    )
    return records.read(descriptor.load(folder / 'cohort.toml'), folder)

  def _problems(self, *args, **options):
    found = self._read(*args, **options).findings.finished()
    return [str(x) for x in found]

  def test_typed_columns(self):
    r = self._read()
    self.assertEqual(r.findings.finished(), [])
    self.assertLen(r, 24)
    self.assertTrue(np.isnan(r.numeric['age'][3]))
    self.assertEqual(set(r.categorical['smokes']), {'true', 'false', 'UNK'})
    self.assertEqual(r.paths['image'][2], ['images/s002.png'])
    self.assertEqual(r.path_lines['image'][2], [4])

  def test_codes_in_numbers_are_a_level_not_missing(self):
    table = folders.rows()
    table[0]['age'], table[1]['age'] = 'UNK', '-9.0'
    toml = folders.TOML.replace('["UNK"]', '["UNK", -9]')
    r = self._read(table, toml)
    self.assertEqual(r.findings.finished(), [])
    self.assertTrue(np.isnan(r.numeric['age'][:2]).all())
    levels = r.categorical['age (code)']
    self.assertEqual(levels[:4].tolist(), ['UNK', '-9', 'number', None])

  @parameterized.parameters(
    # As pandas writes whole numbers in a column with gaps.
    (('1.0', '2.0', ''), ['1', '2', None]),
    (('1.0', '2.0', '-9.0'), ['1', '2', '-9']),
    (('042', '42', '1.0'), ['042', '42', '1.0']),
    (('250.0', '250.00', '-9'), ['250.0', '250.00', '-9']),
    (('E11.9', '5.0', '-9.0'), ['E11.9', '5.0', '-9']),
  )
  def test_levels_have_one_spelling_and_codes_stay(self, cells, expected):
    table = folders.rows()
    for i, row in enumerate(table):
      row['region'] = cells[i % len(cells)]
    toml = folders.TOML.replace('["UNK"]', '["UNK", -9]')
    r = self._read(table, toml + 'groups = ["region"]')
    self.assertEqual(r.findings.finished(), [])
    self.assertEqual(r.categorical['region'][:3].tolist(), expected)
    groups = [x or records.MISSING_GROUP for x in expected[:2]]
    self.assertEqual(r.groups['region'][:2].tolist(), groups)

  def test_ids_have_one_spelling_and_never_become_one(self):
    table = folders.rows()
    for i, row in enumerate(table):
      row['patient'] = f'{100 + i // 2}.0'
    r = self._read(table)
    self.assertEqual(r.patient[:3].tolist(), ['100', '100', '101'])
    table[1]['patient'] = '100'
    r = self._read(table)
    self.assertEqual(r.patient[:3].tolist(), ['100.0', '100', '101.0'])

  def test_text_in_a_numeric_column(self):
    table = folders.rows()
    table[5]['age'], table[7]['age'] = 'old', '1e999'
    self.assertEqual(
      self._problems(table),
      [
        "table.csv, line 7, column 'age': 'old' is not a number.",
        "table.csv, line 9, column 'age': '1e999' is not a number.",
      ],
    )

  @parameterized.parameters(
    (('yes', 'no'), '', True),
    (('pos', 'neg'), 'true_values = ["pos"]', True),
    (('pos', 'neg', 'maybe'), 'true_values = ["pos"]', False),
    (('a', 'b'), '', False),
    (('a', 'b'), 'true_values = ["a"]\nfalse_values = ["b"]', True),
  )
  def test_boolean_columns(self, values, keys, legal):
    table = folders.rows()
    for i, row in enumerate(table):
      row['smokes'] = values[i % len(values)]
    r = self._read(table, folders.TOML + keys)
    self.assertEqual(not r.findings.finished(), legal)
    if legal:
      found = r.categorical['smokes'][:2].tolist()
      self.assertEqual(found, ['true', 'false'])

  @parameterized.parameters(('True', 'False'), ('1.0', '0.0'), ('yes', 'no'))
  def test_binary_spellings(self, one, zero):
    table = folders.rows()
    expected = [float(x['label']) for x in table]
    for row in table:
      row['label'] = one if row['label'] == '1' else zero
    self.assertEqual(self._read(table).labels[:, 0].tolist(), expected)

  def _times(self, values):
    table = folders.rows()
    for i, row in enumerate(table):
      row['seen'] = values[i % len(values)]
    return table, folders.TOML + 'index_time = "seen"'

  @parameterized.parameters(
    (('1970-01-02', '2015-01-01'), (1, 16436)),
    (('1970-01-02T06:00', '1969-12-31 12:00:00'), (1.25, -0.5)),
    (('1970-01-02T00:00Z', '1970-01-02T06:00+12:00'), (1, 0.75)),
    # In a column of dates this is one; alone it is a number.
    (('19700103', '1970-01-02'), (2, 1)),
    (('19700103', '19700102'), (19700103, 19700102)),
    (('2.5', '-3'), (2.5, -3)),
  )
  def test_index_times(self, values, expected):
    r = self._read(*self._times(values))
    self.assertEqual(r.findings.finished(), [])
    self.assertEqual(r.index_time.dtype, np.float64)
    np.testing.assert_array_equal(r.index_time[:2], expected)

  @parameterized.parameters(
    (('1970-01-02', '12', *['1970-01-03'] * 22), "is '12', expected an ISO"),
    (('7', '1970-13-02', *'8' * 22), "is '1970-13-02', expected .*number"),
    (('7', 'soon', *'8' * 22), "is 'soon', expected an ISO date .*number"),
    (('1970-01-02', '', *['1970-01-03'] * 22), 'is nothing, expected an ISO'),
    (('7', 'inf', *'8' * 22), "is 'inf', expected"),
    (('7', 'NA', *'8' * 22), 'is nothing, expected'),
  )
  def test_bad_index_times(self, values, message):
    (problem,) = self._problems(*self._times(values))
    self.assertRegex(problem, f"^table.csv, line 3, column 'seen': .*{message}")

  def test_two_times_of_one_study(self):
    table, toml = self._times(('2015-01-01',))
    table.append({**table[0], 'seen': '2016-01-01'})
    found = [x for x in self._problems(table, toml) if "'seen'" in x]
    self.assertLen(found, 1)
    self.assertIn("has '2016-01-01' here but '2015-01-01' on line 2", found[0])

  def test_unknown_and_blank_labels(self):
    table = folders.rows()
    table[4]['label'], table[6]['label'] = '2', ''
    unknown, blank = self._problems(table)
    self.assertStartsWith(
      unknown, "table.csv, line 6, column 'label': unknown label '2'"
    )
    self.assertStartsWith(
      blank, "table.csv, line 8, column 'label': the label is blank"
    )

  def test_positive_values(self):
    table = folders.rows()
    for i, row in enumerate(table):
      row['label'] = ('mel', 'bcc', 'nv')[i % 3]
    r = self._read(table, folders.TOML + 'positive = ["mel", "bcc"]')
    self.assertEqual(r.labels[:3, 0].tolist(), [1, 1, 0])
    (problem,) = self._problems(table, folders.TOML + 'positive = "mell"')
    self.assertIn("Did you mean 'mel'?", problem)

  def test_multiclass(self):
    table = folders.rows()
    for i, row in enumerate(table):
      row['label'] = str((10, 9, 2)[i % 3])
    toml = folders.TOML.replace('"binary"', '"multiclass"')
    r = self._read(table, toml)
    self.assertEqual(r.task.names, ('2', '9', '10'))
    self.assertEqual(r.labels[:3, 0].tolist(), [2, 1, 0])
    problems = self._problems(table, toml + 'classes = ["10", "9", "5"]')
    self.assertIn("unknown label '2': classes are 10, 9, 5", problems[0])
    self.assertIn("no study is of class '5'", problems[-1])

  def test_multilabel_blanks_are_unknown(self):
    table = folders.rows()
    for i, row in enumerate(table):
      row['other'] = ('1', '0', '')[i % 3]
    toml = folders.TOML.replace('"binary"', '"multilabel"')
    toml = toml.replace('"label"', '["label", "other"]')
    r = self._read(table, toml)
    self.assertEqual(r.findings.finished(), [])
    self.assertEqual(r.labels[:2, 1].tolist(), [1, 0])
    self.assertTrue(np.isnan(r.labels[2, 1]))

  def test_survival(self):
    table = folders.rows()
    for i, row in enumerate(table):
      row['days'] = str(i)
    toml = folders.TOML.replace('"binary"', '"survival"')
    toml = toml.replace('label = "label"', 'time = "days"\nevent = "label"')
    (problem,) = self._problems(table, toml)
    self.assertIn("column 'days': time '0' is not above 0", problem)

  def test_regression(self):
    table = folders.rows()
    table[2]['label'] = 'high'
    toml = folders.TOML.replace('"binary"', '"regression"')
    (problem,) = self._problems(table, toml)
    self.assertIn("line 4, column 'label': 'high' is not a number", problem)

  def test_a_column_with_its_accents_coded_otherwise(self):
    table = [{**row, 'gro\u0308\u00dfe': '1'} for row in folders.rows()]
    toml = folders.TOML.replace('"age"', '"age", "gr\u00f6\u00dfe"')
    with self.assertRaisesRegex(errors.UserError, 'NFC and NFD'):
      self._read(table, toml)

  def test_unknown_column_suggests(self):
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'region'"):
      self._read(toml=folders.TOML.replace('["region"]', '["regon"]'))
    with self.assertRaisesRegex(errors.UserError, "Unknown column 'sudy'"):
      self._read(toml=folders.TOML.replace('{study}', '{sudy}'))
    with self.assertRaisesRegex(errors.UserError, 'has braces'):
      self._read(toml=folders.TOML.replace('{study}', '{study'))

  def test_exclude(self):
    r = self._read(
      toml=folders.TOML
      + '[[exclude]]\ncolumn = "age"\nvalues = [""]\nreason = "no age"\n'
      + '[[exclude]]\ncolumn = "fold"\nvalues = [2.0]\nreason = "kept back"'
    )
    self.assertNotIn('s003', r.study)
    self.assertEqual(set(r.table.columns['fold']), {'0', '1'})
    self.assertIn('1 of 24 rows excluded (age = ): no age', r.notes[0])
    with self.assertRaisesRegex(errors.UserError, 'no row is left'):
      self._read(
        toml=folders.TOML
        + '[[exclude]]\ncolumn = "label"\nvalues = [0, 1]\nreason = "x"'
      )

  def test_exclude_without_image(self):
    folder = folders.write(
      self.create_tempdir().full_path,
      toml='exclude_without_image = true\nmissing_images = "absent"\n'
      + folders.TOML,
    )
    for name in ('s000', 's005', 's006'):
      (folder / f'images/{name}.png').unlink()
    d = descriptor.load(folder / 'cohort.toml')
    r = records.read(d, folder)
    self.assertLen(r, 21)
    self.assertNotIn('s005', r.study)
    self.assertEqual(r.table.columns['study'].tolist(), r.study.tolist())
    self.assertEqual(r.paths['image'][0], ['images/s001.png'])
    self.assertEqual(r.path_lines['image'][0], [3])
    self.assertEqual(
      [(x.step, x.studies, x.reason) for x in r.steps],
      [('read', 24, ''), ('excluded', 3, 'without an image'), ('kept', 21, '')],
    )
    self.assertIn('3 of 24 studies excluded', r.notes[0])

  def test_exclude_without_image_where_rows_repeat(self):
    table = folders.rows(8)
    for at in (0, 4):  # Two rows of one study, each with an image of its own.
      table[at + 1] = {**table[at], 'file': ''}
    for i, row in enumerate(table):
      row['file'] = '' if i in (2, 3, 4, 5) else f'images/{i}.png'
    folder = folders.write(
      self.create_tempdir().full_path,
      table=table,
      toml='exclude_without_image = true\n'
      + folders.TOML.replace('images/{study}.png', 'file'),
      images=False,
    )
    (folder / 'images').mkdir()
    for i in (0, 1, 6, 7):
      (folder / f'images/{i}.png').write_bytes(b'')
    r = records.read(descriptor.load(folder / 'cohort.toml'), folder)
    self.assertEqual(r.study.tolist(), ['s000', 's006', 's007'])
    self.assertEqual(
      r.paths['image'],
      [['images/0.png', 'images/1.png'], ['images/6.png'], ['images/7.png']],
    )
    self.assertEqual(r.table.lines.tolist(), [2, 8, 9])

  def test_times_that_look_like_something_else(self):
    for values, text in (
      (['31.12.2020', '01.02.2021'], "2 cells such as '31.12.2020' look like"),
      (['2020-01-01', '2019'], "'2019' are years among dates"),
      (['2020-01-01', '43831'], "'43831' are Excel serial dates"),
    ):
      table = folders.rows(24)
      for i, row in enumerate(table):
        row['seen'] = values[i] if i < 2 else '2020-01-02'
      (problem,) = self._problems(table, folders.TOML + 'index_time = "seen"')
      self.assertIn(text, problem)

  def test_blank_ids(self):
    table = folders.rows()
    table[5]['patient'] = ''
    (problem,) = self._problems(table)
    self.assertIn("line 7, column 'patient': the patient is blank", problem)

  def test_folds_and_weights(self):
    table = folders.rows()
    for row in table:
      row['w'] = '2'
    toml = folders.TOML + 'fold = "fold"\nweight = "w"\nsite = "region"'
    r = self._read(table, toml)
    self.assertEqual(r.fold[:6].tolist(), [0, 0, 1, 1, 2, 2])
    self.assertEqual(r.weight[0], 2)
    self.assertIn(r.site[0], ('arm', 'leg', 'back'))
    table[0]['fold'], table[1]['fold'], table[2]['w'] = 'x', '0.5', '-1'
    problems = self._problems(table, toml)
    self.assertLen(problems, 3)
    self.assertIn("'x' is not a whole number", problems[0])
    self.assertIn("the fold is '0.5'", problems[1])
    self.assertIn("the weight is '-1'", problems[2])

  def test_numbers_that_sums_do_not_hold(self):
    table = folders.rows()
    for row in table:
      row['w'] = '1e308'
    table[0]['age'] = '1e200'
    problems = self._problems(table, folders.TOML + 'weight = "w"')
    self.assertIn("'1e200' is larger than 1e+15", problems[0])
    self.assertIn('expected a number from 1e-09 to 1e+09', problems[1])


if __name__ == '__main__':
  absltest.main()
