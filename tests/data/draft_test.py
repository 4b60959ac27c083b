"""Tests of fusion_jax.data.draft."""

import os
import pathlib
import stat

import numpy as np
from absl.testing import absltest, parameterized

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
      row['dx'] = 'mb'[int(label)]
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
    self.assertEqual(d.unknown_codes, ('UNK',))
    self.assertIn('#   dx: the label in disguise?', text)
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
      {k: v for k, v in x.items() if k not in ('label', 'dx', 'history')}
      for x in self._rows()
    ]
    text, _ = self._draft(table)
    self.assertIn('NOT KNOWN: no column is called label', text)


if __name__ == '__main__':
  absltest.main()
