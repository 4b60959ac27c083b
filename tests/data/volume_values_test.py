"""Tests of fusion_jax.data.volume_values."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import image_files, volume_values


def _values(shape, dtype=np.float32, seed=0):
  x = np.random.default_rng(seed).uniform(0, 200, shape)
  return x.astype(dtype)


class SettledTest(parameterized.TestCase):
  @parameterized.parameters(
    ('u1', 'u1'),
    ('i1', 'i1'),
    ('>u2', 'u2'),
    ('>i2', 'i2'),
    ('?', 'u1'),
    ('i4', 'i2'),
    ('u8', 'i2'),
    ('f8', 'i2'),
    ('>f8', 'i2'),
    ('f4', 'f4'),
    ('f2', 'f4'),
  )
  def test_whole_numbers(self, given, expected):
    x = np.arange(8).reshape(2, 2, 2, 1).astype(given)
    found = volume_values.settled(x)
    self.assertEqual(found.dtype, np.dtype(expected))
    np.testing.assert_array_equal(found, x)

  @parameterized.parameters(
    ('i4', 32767, 'i2'),
    ('i4', 32768, 'f4'),
    ('i4', -32769, 'f4'),
    ('f8', 0.5, 'f4'),
    ('f8', -32768.0, 'i2'),
    ('u2', 65535, 'u2'),
  )
  def test_int16_only_if_nothing_changes(self, given, value, expected):
    x = np.full((1, 1, 2, 1), value, given)
    found = volume_values.settled(x)
    self.assertEqual(found.dtype, np.dtype(expected))
    np.testing.assert_array_equal(found, x)

  @parameterized.parameters(
    (np.array([1, np.nan, np.inf]), r'NaN or infinity \(2 of 3 values\)'),
    (np.array([1, np.inf], np.float16), r'NaN or infinity \(1 of 2'),
    (np.array([1e300]), r'1e\+300, too much for float32'),
    (np.array([1j]), 'complex128, no real numbers'),
    (np.array(['a']), '<U1, no real numbers'),
  )
  def test_refused(self, x, reason):
    with self.assertRaisesRegex(image_files.NotReadError, reason):
      volume_values.settled(x)


class ShapeTest(parameterized.TestCase):
  @parameterized.parameters(
    ((2, 3, 4), (2, 3, 4, 1)), ((2, 3, 4, 8), (2, 3, 4, 8))
  )
  def test_channels(self, shape, expected):
    self.assertEqual(volume_values.checked_shape(shape), expected)

  @parameterized.parameters(
    ((2, 3),), ((2, 3, 4, 9),), ((2, 3, 4, 1, 1),), ((2, 0, 4),), ((),)
  )
  def test_refused(self, shape):
    with self.assertRaisesRegex(image_files.NotReadError, 'it has shape'):
      volume_values.checked_shape(shape)


class ResampledTest(parameterized.TestCase):
  @parameterized.parameters(
    ((12, 8, 16, 2), 4),
    ((7, 9, 5, 1), 3),
    ((7, 9, 5, 1), 5),
  )
  def test_shrinking_keeps_means(self, shape, size):
    x = _values(shape)
    out = volume_values.resampled(x, size)
    self.assertEqual((out.shape, out.dtype), ((size,) * 3 + shape[3:], 'f4'))
    np.testing.assert_allclose(
      out.mean((0, 1, 2)), x.mean((0, 1, 2)), rtol=1e-5
    )

  def test_shrinking_is_the_mean_of_blocks(self):
    x = _values((8, 4, 12, 1))
    blocks = x.reshape(4, 2, 4, 1, 4, 3, 1).mean((1, 3, 5))
    np.testing.assert_allclose(volume_values.resampled(x, 4), blocks, rtol=1e-5)

  def test_parts_of_voxels_count_by_their_part(self):
    x = np.array([0, 3, 30], np.float32).reshape(3, 1, 1, 1)
    out = volume_values.resampled(np.tile(x, (1, 2, 2, 1)), 2)
    np.testing.assert_allclose(out[:, 0, 0, 0], [1, 21], rtol=1e-6)

  def test_growing_is_linear_between_centres(self):
    x = np.array([0, 4], np.float32).reshape(2, 1, 1, 1)
    out = volume_values.resampled(x, 4)
    np.testing.assert_allclose(out[:, 0, 0, 0], [0, 1, 3, 4], atol=1e-6)
    self.assertEqual(out.shape, (4, 4, 4, 1))

  @parameterized.parameters(2, 5, 10, 20)
  def test_a_ramp_stays_where_it_is(self, size):
    centres = (np.arange(10) + 0.5) / 10
    x = np.broadcast_to(centres[:, None, None, None], (10, 10, 10, 1))
    out = volume_values.resampled(x.astype(np.float32), size)
    expected = np.clip((np.arange(size) + 0.5) / size, 0.05, 0.95)
    np.testing.assert_allclose(out[:, 0, 0, 0], expected, atol=1e-6)

  @parameterized.parameters(np.uint8, np.int8, np.uint16, np.int16)
  def test_types_stay_and_the_extremes_fit(self, dtype):
    range_ = np.iinfo(dtype)
    for value in (range_.min, range_.max):
      x = np.full((5, 7, 2, 1), value, dtype)
      out = volume_values.resampled(x, 4)
      self.assertEqual(out.dtype, dtype)
      self.assertTrue((out == value).all())

  def test_the_argument_stays(self):
    x = _values((4, 4, 4, 1))
    before = x.copy()
    out = volume_values.resampled(x, 4)
    np.testing.assert_array_equal(out, before)
    volume_values.resampled(x, 2)
    np.testing.assert_array_equal(x, before)


class ClassesTest(parameterized.TestCase):
  def test_nearest_takes_centres(self):
    x = np.arange(6, dtype=np.uint8).reshape(6, 1, 1, 1)
    self.assertEqual(
      volume_values.nearest(x, 3)[:, 0, 0, 0].tolist(), [1, 3, 5]
    )
    found = volume_values.nearest(x, 12)[:, 0, 0, 0].tolist()
    self.assertEqual(found, [i // 2 for i in range(12)])

  def test_one_hot(self):
    x = np.array([0, 2, 1, 2], np.int16).reshape(4, 1, 1, 1)
    out = volume_values.one_hot(x, 3)
    self.assertEqual((out.shape, out.dtype), ((4, 1, 1, 3), 'u1'))
    np.testing.assert_array_equal(out[:, 0, 0], 255 * np.eye(3)[[0, 2, 1, 2]])

  @parameterized.parameters(
    ([0, 1, 3], np.uint8, 'the class 3; legal are whole numbers from 0 to 2'),
    ([0, -1], np.int8, 'the class -1;'),
    ([0, 1.5], np.float32, 'the class 1.5;'),
  )
  def test_other_values(self, values, dtype, reason):
    x = np.array(values, dtype).reshape(-1, 1, 1, 1)
    with self.assertRaisesRegex(image_files.NotReadError, reason):
      volume_values.check_classes(x, 3)

  def test_several_channels(self):
    with self.assertRaisesRegex(image_files.NotReadError, '2 channels'):
      volume_values.check_classes(np.zeros((1, 1, 1, 2)), 3)

  def test_legal(self):
    for dtype in (np.uint8, np.int16, np.float32):
      volume_values.check_classes(np.ones((1, 2, 1, 1), dtype), 2)


if __name__ == '__main__':
  absltest.main()
