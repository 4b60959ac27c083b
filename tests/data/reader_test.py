"""Tests of fusion_jax.data.reader."""

import dataclasses
import os
import pathlib
import shutil
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from fusion_jax.core import errors
from fusion_jax.data import config, descriptor, reader
from tests import tiny
from tests.data import folders

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / 'shared' / 'data'


class ReaderTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.cache = self.create_tempdir('cache').full_path
    self.folder = folders.write(self.create_tempdir('mine').full_path)

  def _open(self, name=None, **options):
    name = str(self.folder if name is None else name)
    return reader.open_cohort(
      config.CohortConfig(name=name, cache_dir=self.cache, **options)
    )

  def test_a_folder(self):
    c = self._open()
    self.assertEqual(c.name, 'mine')
    self.assertEqual(c.task.kind, 'binary')
    self.assertEqual(tiny.images(c).shape, (24, 1, 9, 9, 3))
    self.assertEqual(list(c.modalities), ['image', 'ehr'])
    self.assertEqual(tiny.numeric_names(c), ('age',))
    self.assertEqual(tiny.categorical_names(c), ('region', 'smokes'))
    self.assertEqual(tiny.numeric(c).dtype, np.float64)
    self.assertEqual(tiny.categorical(c).dtype, object)
    self.assertFalse(tiny.orientation_free(c))
    self.assertEqual(c.patient_note, '')
    listed = sorted(os.listdir(self.folder))
    self.assertEqual(listed, ['cohort.toml', 'images', 'table.csv'])

  def test_a_toml_with_its_data_elsewhere(self):
    toml = pathlib.Path(self.create_tempdir('else').full_path, 'named.toml')
    shutil.move(self.folder / 'cohort.toml', toml)
    c = self._open(toml, data_root=str(self.folder), image_size=5)
    self.assertEqual(c.name, 'named')
    self.assertEqual(tiny.images(c).shape[2:4], (5, 5))
    with self.assertRaisesRegex(errors.UserError, '--data_root=DIR'):
      self._open(toml)

  def test_a_shipped_descriptor(self):
    home = self.create_tempdir('shipped').full_path
    toml = pathlib.Path(home, 'named.toml')
    shutil.move(self.folder / 'cohort.toml', toml)
    with mock.patch.object(reader, '_SHIPPED', pathlib.Path(home)):
      c = self._open('named', data_root=str(self.folder))
      self.assertEqual(reader.shipped(), {'named': toml})
    self.assertEqual(c.name, 'named')
    self.assertLen(c, 24)

  @parameterized.parameters(*reader.shipped())
  def test_what_is_shipped_is_legal(self, name):
    path, _ = reader.locate(name, str(self.folder))
    self.assertEqual(descriptor.load(path).name, name)

  def test_no_patient_column(self):
    toml = folders.TOML.replace(
      '"patient"', '"none"\npatient_reason = "never recorded"'
    )
    (self.folder / 'cohort.toml').write_text(toml)
    c = self._open()
    self.assertEqual(c.patient_note, 'never recorded')
    self.assertEqual(c.patient.tolist(), c.study.tolist())

  def test_studies_without_images_are_absent_not_zero(self):
    for name in ('s000', 's005'):
      os.unlink(self.folder / f'images/{name}.png')
    with self.assertRaises(errors.ProblemsError):
      self._open()
    toml = folders.TOML + 'missing_images = "absent"'
    (self.folder / 'cohort.toml').write_text(toml)
    present = self._open().present['image']
    self.assertEqual(np.flatnonzero(~present).tolist(), [0, 5])

  def test_a_cohort_without_images(self):
    toml = folders.TOML.replace('images = "images/{study}.png"', '')
    (self.folder / 'cohort.toml').write_text(toml)
    c = self._open()
    self.assertIsNone(tiny.images(c))
    self.assertEqual(list(c.modalities), ['ehr'])

  def test_digest_is_the_content(self):
    base = self._open().digest
    self.assertEqual(self._open().digest, base)
    moved = shutil.copytree(
      self.folder, self.create_tempdir('b').full_path, dirs_exist_ok=True
    )
    (pathlib.Path(moved) / 'cohort.toml').write_text(
      folders.TOML + 'name = "other"\nnotes = ["a"]\nlicence = "b"'
    )
    self.assertEqual(self._open(moved).digest, base)
    self.assertNotEqual(self._open(image_size=5).digest, base)
    table = folders.rows()
    table[0]['age'] = '33.5'
    folders.write_table(self.folder / 'table.csv', table)
    self.assertNotEqual(self._open().digest, base)

  def test_what_is_not_plausible_is_a_warning_of_reports(self):
    self.assertEqual(self._open().warnings, ())
    with open(self.folder / 'cohort.toml', 'a') as file:
      file.write('plausible = {age = [30, 80]}\nnotes = ["N"]\n')
    c = self._open()
    (line,) = c.warnings
    self.assertRegex(line, "^Column 'age': .* outside plausible = \\[30, 80\\]")
    self.assertEqual(c.notes, ('N', line))

  def test_index_time(self):
    self.assertIsNone(self._open().index_time)
    base = self._open().digest
    toml = folders.TOML + 'index_time = "seen"'
    (self.folder / 'cohort.toml').write_text(toml)
    found = []
    for day in (1, 2):
      table = [
        {**row, 'seen': f'1970-02-{day + i:02d}'}
        for i, row in enumerate(folders.rows())
      ]
      folders.write_table(self.folder / 'table.csv', table)
      found.append(self._open())
    np.testing.assert_array_equal(found[0].index_time, np.arange(31.0, 55))
    self.assertLen({base, *(c.digest for c in found)}, 3)
    table[4]['seen'] = 'later'
    folders.write_table(self.folder / 'table.csv', table)
    with self.assertRaisesRegex(
      errors.ProblemsError, "table.csv, line 6, column 'seen': .*'later'"
    ):
      self._open()

  def test_all_errors_are_listed(self):
    table = folders.rows()
    table[0]['age'], table[1]['label'] = 'x', '7'
    folders.write_table(self.folder / 'table.csv', table)
    (self.folder / 'images/s004.png').write_bytes(b'')
    with self.assertRaises(errors.ProblemsError) as caught:
      self._open()
    self.assertLen(caught.exception.lines, 3)
    self.assertIn('has 3 problems:', str(caught.exception))

  def test_worlds_with_absent_modalities(self):
    cohort = self._open('null', n=400, absent_images=0.25, absent_ehr=0.5)
    present = cohort.present
    self.assertAlmostEqual(present['image'].mean(), 0.75, delta=0.08)
    self.assertAlmostEqual(present['ehr'].mean(), 0.5, delta=0.08)
    self.assertTrue((present['image'] | present['ehr']).all())

  def test_inspect_returns_problems(self):
    found = reader.inspect(
      config.CohortConfig(name=str(self.folder), cache_dir=self.cache)
    )
    self.assertEqual(found.problems, ())
    self.assertLen(found.cohort, 24)
    (self.folder / 'images/s004.png').write_bytes(b'')
    found = reader.inspect(
      config.CohortConfig(name=str(self.folder), cache_dir=self.cache)
    )
    self.assertIsNone(found.cohort)
    self.assertLen(found.problems, 1)

  @parameterized.parameters(
    ('complementry', {}, "Did you mean 'complementary'?"),
    ('nowhere/at/all.toml', {}, 'neither a built-in world'),
    ('ham1000', {}, "Did you mean 'ham10000_64'?"),
    ('nowhere', {}, 'a shipped descriptor (ham10000_64, ham10000_melanoma'),
    ('ham10000_64', {}, 'say with --data_root=DIR where the files are'),
    (None, {'n': 5}, 'cohort.n = 5 is only for built-in worlds'),
    (None, {'task': 'survival'}, 'cohort.task = survival is only for'),
    (None, {'absent_images': 0.5}, 'cohort.absent_images = 0.5 is only for'),
    (None, {'absent_ehr': 0.5}, 'cohort.absent_ehr = 0.5 is only for'),
    ('null', {'absent_ehr': 1.5}, 'absent_ehr = 1.5 is not a share'),
    ('null', {'absent_images': -0.1}, 'absent_images = -0.1 is not a share'),
    (None, {'image_size': -1}, 'cohort.image_size = -1'),
    (None, {'data_root': 'nowhere'}, "No data folder 'nowhere'"),
    ('null', {'data_root': 'x'}, "means nothing for the built-in world 'null'"),
  )
  def test_wrong_names_and_options(self, name, options, message):
    with self.assertRaises(errors.UserError) as caught:
      self._open(name, **options)
    self.assertIn(message, str(caught.exception))
    self.assertNotIn('\n', str(caught.exception))

  def test_other_wrong_paths(self):
    with self.assertRaisesRegex(errors.UserError, 'holds no cohort.toml'):
      self._open(self.folder / 'images')
    with self.assertRaisesRegex(errors.UserError, 'not a .toml descriptor'):
      self._open(self.folder / 'table.csv')
    with self.assertRaises(errors.UserError) as caught:
      self._open('/nonexistent.toml')
    self.assertNotIn(f'file in {os.getcwd()}', str(caught.exception))
    with self.assertRaisesRegex(errors.UserError, "No cohort '~nobody/x'"):
      self._open('~nobody/x')
    os.unlink(self.folder / 'table.csv')
    with self.assertRaisesRegex(errors.UserError, "No table 'table.csv'"):
      self._open()

  def test_the_cache_is_never_in_the_cohort(self):
    settings = config.CohortConfig(
      name=str(self.folder), cache_dir=str(self.folder / 'cache')
    )
    with self.assertRaisesRegex(
      errors.UserError, 'never written to. If .* --data_root=.* --cache_dir='
    ):
      reader.open_cohort(settings)
    settings = dataclasses.replace(settings, data_root=str(self.folder))
    with self.assertRaisesRegex(errors.UserError, 'written to. Put the cache'):
      reader.open_cohort(settings)

  def test_a_world(self):
    c = self._open('complementary', n=40, image_size=16, seed=3)
    self.assertLen(c, 40)
    self.assertEqual(tiny.images(c).shape[2:4], (16, 16))

  def test_several_patterns_and_every_optional_column(self):
    table = folders.rows()
    for i, row in enumerate(table):
      row.update(w='1.5', hospital='ab'[i % 2])
    folders.write_table(self.folder / 'table.csv', table)
    (self.folder / 'cohort.toml').write_text(
      folders.TOML
      + 'fold = "fold"\nweight = "w"\nsite = "hospital"\ngroups = ["region"]\n'
      'orientation = "free"\nlicence = "L"\ncitation = "C"\nnotes = ["N"]'
    )
    c = self._open()
    self.assertEqual(c.fold[:3].tolist(), [0, 0, 1])
    self.assertEqual(c.weight[0], 1.5)
    self.assertEqual(c.site[:2].tolist(), ['a', 'b'])
    self.assertEqual(list(c.groups), ['region'])
    self.assertTrue(tiny.orientation_free(c))
    self.assertEqual((c.licence, c.citation, c.notes), ('L', 'C', ('N',)))
    self.assertEqual(dataclasses.replace(c).digest, c.digest)


def _twin(folder, name: str, n: int = 60) -> None:
  """Writes made-up data in the shape of a real cohort."""
  rng = np.random.default_rng(0)
  of = 'melanoma' if name.endswith('melanoma') else 'malignant'
  unknown = ['True', 'False', 'UNK']
  values = {
    'region': ['FACE', 'ARM'],
    'sex': ['male', 'female', ''],
    'localization': ['back', 'trunk', ''],
    'source_site': ['vidir', 'rosendahl'],
    **dict.fromkeys(
      ('itch', 'grew', 'hurt', 'changed', 'bleed', 'elevation'), unknown
    ),
  }
  table = [
    {
      'image_id': f'i{i}',
      'patient_id': f'p{i // 2}',
      'age': str(rng.integers(20, 80)),
      f'label_{of}': str(rng.integers(0, 2)),
      'fold': str(i // 2 % 5),
      **{k: str(rng.choice(v)) for k, v in values.items()},
    }
    for i in range(n)
  ]
  if name.startswith('ham10000'):
    for row in table:
      del row['patient_id']
  folders.write_table(folder / 'ehr.csv', table)
  (folder / 'images').mkdir()
  for i in range(n):
    pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / f'images/i{i}.jpg')


class RealCohortsTest(parameterized.TestCase):
  @parameterized.parameters(
    'pad_ufes20_lesions', 'ham10000_64', 'ham10000_melanoma'
  )
  def test_descriptor_opens_data_of_its_shape(self, name):
    folder = pathlib.Path(self.create_tempdir('data').full_path)
    _twin(folder, name)
    opened = reader.inspect(
      config.CohortConfig(
        name=name,
        data_root=str(folder),
        cache_dir=self.create_tempdir('cache').full_path,
      )
    )
    self.assertEqual([str(x) for x in opened.problems], [])
    self.assertEqual(tiny.images(opened.cohort).shape, (60, 1, 64, 64, 3))
    self.assertNotEmpty(opened.cohort.licence)
    self.assertNotEmpty(opened.cohort.citation)
    self.assertLen(opened.cohort.notes, 2)

  @parameterized.parameters(
    ('pad_ufes20_lesions', 1648, 727, 1032, 8, 0),
    ('ham10000_64', 5984, 938, 5984, 3, 32),
    ('ham10000_melanoma', 5984, 491, 5984, 3, 32),
  )
  def test_opens(self, name, studies, events, patients, columns, no_ehr):
    if not SHARED.is_dir():
      self.skipTest(f'the real cohorts are not beside the checkout ({SHARED})')
    opened = reader.inspect(
      config.CohortConfig(
        name=name,
        data_root=str(SHARED / name.replace('melanoma', '64')),
        image_size=8,
        cache_dir=self.create_tempdir().full_path,
      )
    )
    self.assertEqual([str(x) for x in opened.problems], [])
    c = opened.cohort
    self.assertLen(c, studies)
    self.assertEqual(c.labels.sum(), events)
    self.assertLen(set(c.patient), patients)
    self.assertLen(tiny.numeric_names(c) + tiny.categorical_names(c), columns)
    self.assertEqual(sorted(set(c.fold)), [0, 1, 2, 3, 4])
    self.assertEqual(int((~c.present['ehr']).sum()), no_ehr)
    self.assertTrue(tiny.orientation_free(c))
    self.assertEqual(bool(c.patient_note), name.startswith('ham10000'))
    if name == 'pad_ufes20_lesions':
      self.assertFalse(np.isnan(tiny.numeric(c)).any())
      self.assertFalse(np.equal(tiny.categorical(c), None).any())
      self.assertIn('UNK', set(tiny.categorical(c).flat))


class WithholdTest(absltest.TestCase):
  def test_is_taken_from_the_cohort_that_is_opened(self):
    asked = config.CohortConfig(name='complementary', n=60, image_size=16)
    whole = reader.open_cohort(asked)
    part = reader.open_cohort(
      dataclasses.replace(asked, withhold=('image:0.5', 'ehr:0.25'))
    )
    self.assertEqual(part.present['image'].sum(), 30)
    self.assertLess(part.present['ehr'].sum(), 60)
    self.assertTrue((part.present['image'] | part.present['ehr']).all())
    self.assertNotEqual(whole.digest, part.digest)

  def test_an_unknown_modality_is_one_line(self):
    asked = config.CohortConfig(withhold=('imag:0.5',))
    with self.assertRaisesRegex(errors.UserError, "'imag'"):
      reader.open_cohort(asked)


if __name__ == '__main__':
  absltest.main()
