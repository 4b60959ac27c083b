"""Tests of fusion_jax.data.draft."""

import os
import pathlib
import stat
import tomllib

import numpy as np
import openpyxl
from absl.testing import absltest, parameterized
from PIL import Image

from fusion_jax.core import errors
from fusion_jax.data import checks, descriptor, draft
from tests.data import folders


class DraftTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir('data').full_path)
    self.out = pathlib.Path(self.create_tempdir('out').full_path)

  def _rows(self, n=80):
    table = folders.rows(n)
    rng = np.random.default_rng(0)
    for i, row in enumerate(table):
      row['label'] = label = str(rng.integers(0, 2))
      row['hospital'] = 'ab'[i % 2]
      row['tumour'] = 'mb'[int(label)]
      row['code'] = f'x{i}'
      row['taken'] = f'2020-01-{i % 28 + 1:02d}'
      row['same'] = '1'
      row['history'] = '' if label == '1' and i % 8 else str(i % 4)
    return table

  def _draft(self, table, images=True):
    folders.write(self.folder, table=table, images=images)
    os.unlink(self.folder / 'cohort.toml')
    path = draft.write(self.folder, self.out)
    return path.read_text(), path

  def test_the_draft_is_a_legal_description(self):
    text, path = self._draft(self._rows())
    d = descriptor.load(path)
    self.assertEqual(d.study, ('study',))
    self.assertEqual(d.patient, ('patient',))
    self.assertEqual(d.images, ('images/{study}.png',))
    self.assertEqual((d.task, d.label), ('binary', ('label',)))
    self.assertEqual((d.fold, d.site), ('fold', 'hospital'))
    self.assertEqual(d.numeric, ('age',))
    self.assertEqual(d.categorical, ('region',))
    self.assertEqual(d.boolean, ('smokes',))
    self.assertEqual(d.unknown_codes, {'*': ('UNK',)})
    self.assertIn('#   tumour: the label in disguise?', text)
    self.assertIn('#   code: looks like an id', text)
    self.assertIn('#   taken: dates', text)
    self.assertIn("#   same: every value is '1'", text)
    self.assertIn('#   history: whether it is missing predicts', text)
    cache = self.create_tempdir('cache').full_path
    examination = checks.examine(d, self.folder, cache_dir=cache)
    self.assertEqual([str(x) for x in examination.problems], [])

  def test_every_guess_has_a_reason(self):
    text, _ = self._draft(self._rows())
    for line in text.splitlines():
      if ' = ' in line and not line.startswith(('#', 'notes', 'version')):
        self.assertIn('  # ', line)

  def test_no_patient_must_be_explained_by_the_user(self):
    table = [
      {k: v for k, v in x.items() if k != 'patient'} for x in self._rows()
    ]
    _, path = self._draft(table)
    with self.assertRaisesRegex(errors.UserError, 'patient_reason'):
      descriptor.load(path)

  def test_paths_in_a_column(self):
    table = self._rows()
    for row in table:
      row['file'] = f'images/{row["study"]}.png'
      row['study'] = row['study']
    _, path = self._draft(table)
    self.assertEqual(descriptor.load(path).images, ('file',))

  def test_no_images(self):
    text, path = self._draft(self._rows(), images=False)
    self.assertEqual(descriptor.load(path).images, ())
    self.assertIn('# images: no image file was found.', text)

  @parameterized.parameters(
    ('label', lambda i: 'abc'[i % 3], 'multiclass'),
    ('label', lambda i: str(i * 0.37), 'regression'),
    ('label', lambda i: 'yn'[i % 2], 'binary'),
    ('label', lambda i: ('mel', 'nv')[i % 2], 'binary'),
  )
  def test_tasks(self, column, value, task):
    table = self._rows()
    for i, row in enumerate(table):
      row[column] = value(i)
    _, path = self._draft(table)
    self.assertEqual(descriptor.load(path).task, task)

  @parameterized.parameters('time', 'days')
  def test_survival(self, name):
    table = self._rows()
    for i, row in enumerate(table):
      row.update({name: str(i + 1), 'event': row.pop('label')})
    _, path = self._draft(table)
    d = descriptor.load(path)
    self.assertEqual((d.task, d.time, d.event), ('survival', name, 'event'))
    self.assertEqual(d.time_unit, 'days' if name == 'days' else '')

  def test_nothing_is_overwritten_unless_asked(self):
    _, path = self._draft(self._rows())
    path.write_text('mine')
    with self.assertRaisesRegex(errors.UserError, 'exists'):
      draft.write(self.folder, path)
    self.assertEqual(path.read_text(), 'mine')
    draft.write(self.folder, path, force=True)
    self.assertNotEqual(path.read_text(), 'mine')
    self.assertEqual(os.listdir(self.out), ['cohort.toml'])
    self.assertTrue(path.stat().st_mode & stat.S_IROTH)

  def test_nothing_to_draft_from(self):
    with self.assertRaisesRegex(errors.UserError, 'No table'):
      draft.propose(self.folder)
    with self.assertRaisesRegex(errors.UserError, 'No folder'):
      draft.propose(self.folder / 'x')

  def test_a_table_without_a_label_says_so(self):
    table = [
      {k: v for k, v in x.items() if k not in ('label', 'tumour', 'history')}
      for x in self._rows()
    ]
    text, _ = self._draft(table)
    self.assertIn('NOT KNOWN: no column is called label', text)

  def _of(self, columns, pictures=(), table='t.csv'):
    """The draft of a folder with these columns and small images."""
    names = list(columns)
    rows = [
      dict(zip(names, x, strict=True))
      for x in zip(*columns.values(), strict=True)
    ]
    folders.write_table(self.folder / table, rows)
    for name in pictures:
      path = self.folder / name
      path.parent.mkdir(parents=True, exist_ok=True)
      Image.new('L', (8, 8), sum(name.encode()) % 256).save(path)
    return draft.propose(self.folder)

  def _check(self, text) -> descriptor.Descriptor:
    """The description in `text`, in which `prepare` finds no error."""
    path = self.out / 'cohort.toml'
    path.write_text(text.replace('reason = ""', 'reason = "none is known"'))
    d = descriptor.load(path)
    cache = self.create_tempdir('cache').full_path
    found = checks.examine(d, self.folder, cache_dir=cache)
    self.assertFalse(found.failed, [str(x) for x in found.problems])
    return d

  def test_chest_x_rays(self):
    """File names with suffix, spaces in names, several folders."""
    n = 24
    names = [f'{i // 2:08d}_{i % 2:03d}.png' for i in range(n)]
    text = self._of(
      {
        'Image Index': names,
        'Finding Labels': ['No Finding', 'Mass|Edema', 'Mass'] * 8,
        'Patient ID': [str(i // 2) for i in range(n)],
        'Patient Age': [str(20 + i) for i in range(n)],
        '': [''] * n,
      },
      [f'images_{i % 3:03d}/{x}' for i, x in enumerate(names)],
    )
    for line in (
      'study = "Image Index"  # names the image files and never repeats',
      'patient = "Patient ID"  # by its name; 12 patients',
      'images = "images_00*/{Image Index}"  # 24 of 24 values of \'Image '
      "Index' name one of 24 files in 3 folders: do these tell the label?",
      'label_separator = "|"  # stands between findings',
      'numeric = ["Patient Age"]  # every value is a number',
      '#   column 5: every value is missing',
    ):
      self.assertIn(line, text.splitlines())
    self._check(text)

  def test_files_that_are_not_there_and_leaks(self):
    n = 40
    names = [f'f{i}.jpeg' for i in range(n)]
    text = self._of(
      {
        'patientid': [str(i // 2) for i in range(n)],
        'finding': ['COVID-19', 'No Finding'] * 20,
        'in_icu': ['Y', 'N', '', 'N'] * 10,
        'fever': ['X', '', '', '', ''] * 8,
        'sex': ['F', 'F', 'M', 'M'] * 10,
        'filename': names,
        'doi': ['10.1/a', '10.1/b'] * 20,
      },
      [f'images/{x}' for x in names[4:]],
    )
    d = self._check(text)
    self.assertEqual(d.images, ('images/{filename}',))
    self.assertEqual((d.missing_images, d.patient), ('absent', ('patientid',)))
    self.assertEqual((d.label, d.positive), (('finding',), ('COVID-19',)))
    self.assertEqual(d.features, ('sex', 'fever'))
    self.assertEqual(d.blank_false, ('fever',))
    self.assertIn('4 rows name a file that is not there', text)
    self.assertIn('#   in_icu: LOOK AT THIS: made after', text)
    self.assertIn('#   doi: LOOK AT THIS: how the data', text)

  def test_no_column_is_distinct(self):
    columns = {
      '': [str(i) for i in range(24)],
      'Subject ID': [f'p{i // 4}' for i in range(24)],
      'Visit': [str(i % 4) for i in range(24)],
      'died': ['0', '1', '0'] * 8,
    }
    text = self._of(columns)
    self.assertIn('study = ["Subject ID", "Visit"]  # together', text)
    self.assertIn('#   column 1: numbers the rows', text)
    del columns['Visit']
    self.assertIn('study = "column 1"  # no other', self._of(columns))
    del columns['']
    self.assertIn('NO COLUMN IS DISTINCT', self._of(columns))

  def test_one_row_a_patient(self):
    text = self._of({'Subject ID': ['a', 'b', 'c'], 'outcome': ['0', '1', '0']})
    self.assertIn('study = "Subject ID"  # one row a patient', text)
    self.assertIn('patient = "Subject ID"', text)

  def test_files_that_begin_with_the_name(self):
    names = [f'OAS1_{i:04d}_MR1' for i in range(20)]
    text = self._of(
      {'ID': names, 'CDR': ['0', '0.5', '', '1'] * 5},
      [f'slices/{x}_{k}.png' for x in names for k in 'xy'],
    )
    self.assertIn('images = "slices/{ID}_*.png"', text)
    self.assertIn('positive_above = 0', text)
    self.assertTrue(text.endswith('reason = "CDR is not known"\n'))
    self._check(text)

  def test_the_widest_table_is_taken(self):
    (self.folder / 'series.csv').write_text('id,v\n' + 'a,1\n' * 500)
    (self.folder / 'settings.json').write_text('{"a": 1}')
    text = self._of({'id': ['a', 'b'], 'v': ['1', '2'], 'label': ['0', '1']})
    self.assertIn('table = "t.csv"  # most columns of 3 tables, 2 rows', text)

  def test_a_workbook(self):
    book = openpyxl.Workbook()
    for row in (['Patient ID', 'label'], ['p1', 0], ['p2', 1]):
      book.active.append(row)
    book.save(self.folder / 't.xlsx')
    (self.folder / '~$t.xlsx').write_bytes(b'lock')
    self.assertIn('table = "t.xlsx"', draft.propose(self.folder))

  def test_images_that_cannot_be_read(self):
    (self.folder / 'a.dcm').write_bytes(b'')
    text = self._of({'id': ['a', 'b'], 'label': ['0', '1']})
    self.assertIn('# images: 1 .dcm files cannot be read', text)

  def test_nothing_in_a_cell_ends_a_comment(self):
    text = self._of(
      {'id': ['a', 'b'], 'diagnosis': ['x\nversion = 9', 'y\x1b[31m']}
    )
    self.assertEqual(tomllib.loads(text)['version'], 1)
    self.assertTrue(all(x.isprintable() for x in text.splitlines()))


if __name__ == '__main__':
  absltest.main()
