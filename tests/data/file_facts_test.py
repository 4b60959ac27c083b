"""Tests of what image files say of themselves."""

import pathlib
from unittest import mock

import numpy as np
from absl.testing import absltest
from PIL import Image

from fusion_jax.data import config as config_lib
from fusion_jax.data import file_facts, image_files, images, reader
from tests import tiny
from tests.data import folders


class FileFactsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    self.cache = self.create_tempdir().full_path
    (self.root / 'a').mkdir()
    (self.root / 'b').mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    image = Image.fromarray(pixels)
    image.save(self.root / 'a/x12.png')
    image.save(self.root / 'b/x7.jpg', quality=95)
    image.save(self.root / 'b/y.jpg', quality=20)
    (self.root / 'a/deep3.png').write_bytes(
      folders.png16(np.zeros((5, 4, 1), np.uint16))
    )
    self.paths = [
      ['a/x12.png'],
      ['b/x7.jpg', 'b/y.jpg'],
      [],
      ['a/deep3.png'],
      ['b/y.jpg'],
    ]

  def _read(self):
    decoded = images.load(self.root, self.paths, size=8, cache_dir=self.cache)
    return file_facts.read(self.root, self.paths, decoded)

  def test_headers(self):
    found = self._read()
    sizes = {x: (self.root / x).stat().st_size for y in self.paths for x in y}
    np.testing.assert_array_equal(
      found['file size'],
      [
        sizes['a/x12.png'],
        (sizes['b/x7.jpg'] + sizes['b/y.jpg']) / 2,
        np.nan,
        sizes['a/deep3.png'],
        sizes['b/y.jpg'],
      ],
    )
    np.testing.assert_array_equal(found['width'], [7, 7, np.nan, 4, 7])
    np.testing.assert_array_equal(found['height'], [9, 9, np.nan, 5, 9])
    np.testing.assert_array_equal(found['bit depth'], [8, 8, np.nan, 16, 8])
    np.testing.assert_array_equal(found['channels'], [3, 3, np.nan, 1, 3])
    np.testing.assert_array_equal(found['format'], [0, 1, np.nan, 0, 1])
    coarse = found['JPEG quantisation']
    self.assertEqual(coarse[0], 0)
    self.assertGreater(coarse[4], coarse[1])

  def test_paths(self):
    found = self._read()
    np.testing.assert_array_equal(found['path number'], [12, 7, np.nan, 3, -1])
    np.testing.assert_array_equal(found['path length'][[0, 3]], [9, 11])
    folder = found['path folder']
    self.assertEqual(folder[0], folder[3])
    self.assertNotEqual(folder[0], folder[1])

  def test_the_second_call_reads_what_the_first_kept(self):
    first = self._read()
    kept = list(pathlib.Path(self.cache).rglob('*.facts'))
    self.assertLen(kept, 1)
    with mock.patch.object(image_files, 'read_header', side_effect=KeyError):
      second = self._read()
    np.testing.assert_array_equal(second['width'], first['width'])

  def test_what_is_damaged_is_read_again(self):
    first = self._read()
    (kept,) = pathlib.Path(self.cache).rglob('*.facts')
    raw = bytearray(kept.read_bytes())
    for damage in (b'torn', raw[:150], raw[:150] + b'\1' + raw[151:]):
      kept.write_bytes(damage)
      with self.assertLogs(level='WARNING') as logs:
        np.testing.assert_array_equal(self._read()['width'], first['width'])
      self.assertLen(logs.output, 1)
      self.assertEqual(kept.read_bytes(), raw)

  def test_a_phone_picture_with_a_preview_is_a_jpeg(self):
    pixels = np.zeros((6, 8, 3), np.uint8)
    image = Image.fromarray(pixels)
    with open(self.root / 'b/y.jpg', 'wb') as f:
      image.save(f, 'MPO', save_all=True, append_images=[image.resize((4, 3))])
    self.paths = [['b/y.jpg'], ['b/x7.jpg']]
    found = self._read()
    np.testing.assert_array_equal(found['bit depth'], [8, 8])
    np.testing.assert_array_equal(found['format'], [1, 1])
    np.testing.assert_array_equal(found['width'], [8, 7])
    self.assertGreater(found['JPEG quantisation'][0], 0)

  def test_a_cohort_has_them(self):
    folder = folders.write(self.root / 'cohort')
    cohort = reader.open_cohort(
      config_lib.CohortConfig(name=str(folder), cache_dir=self.cache)
    )
    self.assertTrue((tiny.image_facts(cohort)['height'] == 9).all())
    self.assertEqual(
      tiny.unknown_codes(cohort), {'region': ('UNK',), 'smokes': ('UNK',)}
    )
    some = cohort.subset(np.array([3, 5]))
    np.testing.assert_array_equal(
      tiny.image_facts(some)['path order'],
      tiny.image_facts(cohort)['path order'][[3, 5]],
    )


if __name__ == '__main__':
  absltest.main()
