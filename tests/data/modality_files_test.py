"""Cohorts of several modalities, from their files to their arrays."""

import pathlib
import textwrap

import numpy as np
from absl.testing import absltest
from PIL import Image

from fusion_jax.core import errors
from fusion_jax.data import config, reader

N = 12
HEAD = """
  version = 2
  task = "binary"
  table = "table.csv"
  study = "study"
  patient = "patient"
  label = "label"
"""


class FilesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    self.cache = self.create_tempdir().full_path
    rng = np.random.default_rng(0)
    rows = ['study,patient,label,crp,sex,fever']
    for i in range(N):
      rows.append(
        f's{i},p{i // 2},{i % 2},{rng.integers(1, 99)},{"fm"[i % 2]},'
        f'{["yes", "no", ""][i % 3]}'
      )
    (self.root / 'table.csv').write_text('\n'.join(rows) + '\n')
    for folder in ('f', 'l'):
      (self.root / folder).mkdir()
      for i in range(N):
        if folder == 'f' or i % 3:
          pixels = rng.integers(0, 255, (8, 8)).astype(np.uint8)
          Image.fromarray(pixels).save(self.root / folder / f's{i}.png')
    self.vectors = rng.normal(size=(N - 1, 3))
    np.savez(
      self.root / 'notes.npz',
      study=np.array([f's{i}' for i in range(1, N)]),
      vector=self.vectors,
    )

  def _open(self, text, **changes):
    path = self.root / 'cohort.toml'
    path.write_text(textwrap.dedent(HEAD) + textwrap.dedent(text))
    return reader.open_cohort(
      config.CohortConfig(name=str(path), cache_dir=self.cache, **changes)
    )

  def test_images_tables_and_vectors(self):
    cohort = self._open("""
      [modalities.frontal]
      kind = "image"
      path = "f/{study}.png"
      [modalities.lateral]
      kind = "image"
      path = "l/{study}.png"
      missing = "absent"
      orientation = "free"
      [modalities.labs]
      kind = "table"
      numeric = ["crp"]
      [modalities.history]
      kind = "table"
      categorical = ["sex"]
      boolean = ["fever"]
      [modalities.note]
      kind = "vector"
      path = "notes.npz"
      missing = "absent"
    """)
    kinds = {name: x.kind for name, x in cohort.modalities.items()}
    self.assertEqual(
      kinds,
      {
        'frontal': 'image',
        'lateral': 'image',
        'labs': 'table',
        'history': 'table',
        'note': 'vector',
      },
    )
    self.assertTrue(cohort.present['frontal'].all())
    self.assertEqual(cohort.present['lateral'].sum(), 8)
    self.assertTrue(cohort.modalities['lateral'].data.orientation_free)
    self.assertFalse(cohort.modalities['frontal'].data.orientation_free)
    self.assertEqual(cohort.modalities['labs'].data.numeric_names, ('crp',))
    self.assertEqual(
      cohort.modalities['history'].data.categorical_names, ('sex', 'fever')
    )
    np.testing.assert_allclose(
      cohort.modalities['note'].data.values[1:], self.vectors, rtol=1e-6
    )
    self.assertEqual(cohort.present['note'].tolist(), [False] + [True] * 11)

  def test_views_keep_their_places(self):
    cohort = self._open("""
      [modalities.cxr]
      kind = "image"
      views = {lateral = "l/{study}.png", frontal = "f/{study}.png"}
      missing = "absent"
    """)
    data = cohort.modalities['cxr'].data
    self.assertEqual(data.views, ('lateral', 'frontal'))
    self.assertEqual(
      data.mask[:4].tolist(), [[i % 3 > 0, True] for i in range(4)]
    )
    for study in (0, 1):
      with Image.open(self.root / f'f/s{study}.png') as f:
        np.testing.assert_array_equal(data.images[study, 1, :, :, 0], f)
    self.assertFalse(data.images[0, 0].any())

  def test_any_of_them_is_enough(self):
    cohort = self._open(
      '[modalities.history]\nkind = "table"\ncategorical = ["sex"]\n'
    )
    self.assertEqual(list(cohort.modalities), ['history'])

  def test_volumes(self):
    (self.root / 'ct').mkdir()
    rng = np.random.default_rng(1)
    volumes = rng.integers(-1000, 1000, (N, 5, 6, 7)).astype(np.int16)
    for i in range(1, N):
      np.savez(self.root / f'ct/s{i}.npz', volume=volumes[i])
    text = """
      [modalities.ct]
      kind = "volume"
      path = "ct/{study}.npz"
      missing = "absent"
      window = [-500, 400]
    """
    cohort = self._open(text)
    ct = cohort.modalities['ct']
    self.assertEqual(ct.present.tolist(), [False] + [True] * 11)
    np.testing.assert_array_equal(ct.data.volumes[1:, ..., 0], volumes[1:])
    self.assertEqual(ct.data.window, (-500, 400))
    again = self._open(text)
    self.assertEqual(again.digest, cohort.digest)
    np.savez(self.root / 'ct/s3.npz', volume=volumes[3] + 1)
    self.assertNotEqual(self._open(text).digest, cohort.digest)
    small = self._open(text + 'size = 4\n').modalities['ct'].data
    self.assertEqual(small.volumes.shape, (N, 4, 4, 4, 1))
    (self.root / 'ct/s3.npz').write_text('no array')
    with self.assertRaisesRegex(errors.ProblemsError, 's3.npz'):
      self._open(text)

  def test_series(self):
    rows = ['study,minute,item,value']
    for i in range(1, N):
      rows += [f's{i},{60 * k},hr,{70 + k}' for k in range(4)]
    (self.root / 'vitals.csv').write_text('\n'.join(rows) + '\n')
    text = """
      [modalities.vitals]
      kind = "series"
      table = "vitals.csv"
      time = "minute"
      time_unit = "minutes"
      code = "item"
      value = "value"
      index = 200
    """
    cohort = self._open(text)
    vitals = cohort.modalities['vitals']
    self.assertEqual(vitals.present.tolist(), [False] + [True] * 11)
    self.assertEqual(vitals.data.codes, ('hr',))
    np.testing.assert_allclose(
      vitals.data.time[:4], np.array([-200, -140, -80, -20]) / 60, rtol=1e-5
    )
    with self.assertRaisesRegex(errors.ProblemsError, 'vitals.csv'):
      self._open(text.replace('index = 200', 'index = 180'))
    early = self._open(
      text.replace('index = 200', 'index = 180\n      after_index = "drop"')
    )
    self.assertLen(early.modalities['vitals'].data.time, 33)
    self.assertIn('11', ' '.join(early.notes))

  def test_a_vector_that_must_be_there(self):
    with self.assertRaisesRegex(errors.UserError, 'no vector of 1 of 12'):
      self._open('[modalities.note]\nkind = "vector"\npath = "notes.npz"\n')

  def test_an_image_that_must_be_there(self):
    with self.assertRaisesRegex(errors.ProblemsError, "no such image 'l/s0"):
      self._open('[modalities.x]\nkind = "image"\npath = "l/{study}.png"\n')

  def test_the_side_is_part_of_the_content(self):
    text = '[modalities.x]\nkind = "image"\npath = "f/{study}.png"\n'
    a, b = self._open(text), self._open(text + 'side = "record"\n')
    self.assertEqual(b.modalities['x'].side, 'record')
    self.assertNotEqual(a.digest, b.digest)


if __name__ == '__main__':
  absltest.main()
