"""Tests of how files of the kind 'volume' are read."""

import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors
from tests.data.readers import folder


class ReaderTest(folder.TestCase):
  def test_volumes(self):
    (self.root / 'ct').mkdir()
    rng = np.random.default_rng(1)
    volumes = rng.integers(-1000, 1000, (folder.N, 5, 6, 7)).astype(np.int16)
    for i in range(1, folder.N):
      np.savez(self.root / f'ct/s{i}.npz', volume=volumes[i])
    text = """
      [modalities.ct]
      kind = "volume"
      path = "ct/{study}.npz"
      missing = "absent"
      window = [-500, 400]
    """
    cohort = self.open(text)
    ct = cohort.modalities['ct']
    self.assertEqual(ct.present.tolist(), [False] + [True] * 11)
    np.testing.assert_array_equal(ct.data.volumes[1:, ..., 0], volumes[1:])
    self.assertEqual(ct.data.window, (-500, 400))
    again = self.open(text)
    self.assertEqual(again.digest, cohort.digest)
    np.savez(self.root / 'ct/s3.npz', volume=volumes[3] + 1)
    self.assertNotEqual(self.open(text).digest, cohort.digest)
    small = self.open(text + 'size = 4\n').modalities['ct'].data
    self.assertEqual(small.volumes.shape, (folder.N, 4, 4, 4, 1))
    (self.root / 'ct/s3.npz').write_text('no array')
    with self.assertRaisesRegex(errors.ProblemsError, 's3.npz'):
      self.open(text)


if __name__ == '__main__':
  absltest.main()
