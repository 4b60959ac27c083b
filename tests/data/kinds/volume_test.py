import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import config, kind
from fusion_jax.data import modality as modality_lib
from fusion_jax.data.kinds import volume

KIND = volume.Volume()
CONFIG = config.PreprocessConfig(pixel_components=3, volume_size=4)


def make(values, mask=None, **fields):
  n = len(values)
  mask = np.ones(n, bool) if mask is None else mask
  data = volume.Data(values, mask, **fields)
  return modality_lib.Modality.of('volume', modality_lib.IMAGING, data)


def noise(*shape, dtype=np.int16, low=-1000, high=1000, seed=0):
  rng = np.random.default_rng(seed)
  return rng.integers(low, high, shape).astype(dtype)


class VolumeTest(parameterized.TestCase):
  def test_windowed_and_standardised(self):
    x = noise(20, 5, 6, 7, 2)
    shown = make(x, window=(-500.0, 400.0))
    fitted = KIND.fit(shown, np.arange(12), CONFIG)
    held, constants = KIND.held(shown.data), KIND.constants(fitted)
    out = np.asarray(KIND.inputs(constants, held)['voxels'])
    train = out[:12].reshape(-1, 2)
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(train.std(0), 1, atol=1e-4)
    clipped = np.clip(x, -500, 400)
    clipped = make(clipped, window=(-500.0, 400.0)).data
    np.testing.assert_allclose(
      out, KIND.inputs(constants, KIND.held(clipped))['voxels'], atol=1e-6
    )

  @parameterized.parameters(np.uint8, np.int8, np.uint16, np.int16, np.float32)
  def test_every_type_is_on_the_same_scale(self, dtype):
    if dtype == np.float32:
      x = np.random.default_rng(0).random((8, 4, 4, 4, 1)).astype(dtype)
    else:
      info = np.iinfo(dtype)
      x = noise(8, 4, 4, 4, 1, dtype=dtype, low=info.min, high=info.max)
    fitted = KIND.fit(make(x), np.arange(8), CONFIG)
    self.assertAlmostEqual(float(fitted.mean[0]), 0.5, delta=0.05)
    self.assertAlmostEqual(float(fitted.std[0]), 12**-0.5, delta=0.03)

  def test_components_see_the_volume(self):
    rng = np.random.default_rng(0)
    signal = rng.normal(size=40)
    x = 128 + 20 * rng.normal(size=(40, 8, 8, 8, 1))
    x[:, 2:5, 2:5, 2:5] += 40 * signal[:, None, None, None, None]
    shown = make(np.clip(x, 0, 255).astype(np.uint8))
    reduction = KIND.fit_reduction(shown, np.arange(40), CONFIG)
    found = KIND.columns(None, reduction, shown, kind.LINEAR)
    first = abs(np.corrcoef(found.x[:, 0], signal)[0, 1])
    self.assertGreater(first, 0.95)
    self.assertEqual(found.names[0], 'component 1')

  @parameterized.parameters(
    ({'volumes': np.zeros((2, 3, 3, 3), np.uint8)}, 'volumes are uint8'),
    ({'volumes': np.zeros((2, 3, 3, 3, 1))}, 'volumes are float64'),
    ({'window': (4.0, 4.0)}, 'is no range'),
    ({'mask': np.ones(3, bool)}, 'mask has 3 rows'),
  )
  def test_wrong_data_are_named(self, changes, message):
    data = make(np.zeros((2, 3, 3, 3, 1), np.uint8)).data
    with self.assertRaisesRegex(errors.UserError, message):
      dataclasses.replace(data, **changes).check('ct', 2)


if __name__ == '__main__':
  absltest.main()
