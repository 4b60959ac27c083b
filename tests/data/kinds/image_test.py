import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import modality as modality_lib
from fusion_jax.data.kinds import image

KIND = image.Image()


def make(images, mask=None, **fields):
  mask = np.ones(images.shape[:2], bool) if mask is None else mask
  data = image.Data(images, mask, **fields)
  return modality_lib.Modality.of('image', modality_lib.IMAGING, data)


def noise(*shape, dtype=np.uint8, seed=0):
  info = np.iinfo(dtype)
  rng = np.random.default_rng(seed)
  return rng.integers(info.min, info.max, shape, endpoint=True).astype(dtype)


class ImageTest(parameterized.TestCase):
  @parameterized.parameters(np.uint8, np.int8, np.uint16, np.int16)
  def test_standardised_by_channel(self, dtype):
    shown = make(noise(12, 2, 6, 6, 3, dtype=dtype))
    fitted = KIND.fit(shown, np.arange(12), None)
    inputs = KIND.inputs(KIND.constants(fitted), KIND.held(shown.data))
    flat = np.asarray(inputs['pixels']).reshape(-1, 3)
    np.testing.assert_allclose(flat.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(flat.std(0), 1, atol=1e-4)

  def test_noise_looks_like_training_pixels(self):
    rng = np.random.default_rng(0)
    x = np.clip(rng.normal(90, 20, (30, 2, 8, 8, 1)), 0, 255).astype(np.uint8)
    mask = rng.random((30, 2)) < 0.7
    shown = make(x, mask)
    data = KIND.noise(shown, np.arange(20, 30), np.arange(20), rng)
    seen = data.images[mask[20:]]
    self.assertAlmostEqual(seen.mean(), x[:20][mask[:20]].mean(), delta=2)
    self.assertAlmostEqual(seen.std(), x[:20][mask[:20]].std(), delta=2)
    np.testing.assert_array_equal(data.mask, mask[20:])
    self.assertFalse(data.images[~mask[20:]].any())

  def test_facts_of_files_are_acquisition_or_names(self):
    shown = make(
      noise(4, 1, 4, 4, 1),
      facts={'width': np.arange(4.0), f'{image.PATH}length': np.ones(4)},
    ).take(np.array([3, 1]))
    self.assertEqual(KIND.acquisition(shown)['width'].tolist(), [3, 1])
    self.assertEqual(list(KIND.names(shown)), ['path length'])

  @parameterized.parameters(
    ({'images': np.zeros((2, 3, 3, 1), np.uint8)}, 'images have shape'),
    ({'images': np.zeros((2, 1, 3, 3, 1))}, 'images are float64'),
    ({'views': ('a', 'b')}, '2 views for 1 images'),
    ({'facts': {'width': np.ones(3)}}, 'width has shape'),
  )
  def test_wrong_data_are_named(self, changes, message):
    data = make(noise(2, 1, 3, 3, 1)).data
    with self.assertRaisesRegex(errors.UserError, message):
      dataclasses.replace(data, **changes).check('cxr', 2)


if __name__ == '__main__':
  absltest.main()
