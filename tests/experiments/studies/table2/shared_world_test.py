"""Tests of experiments.studies.table2.shared_world."""

import pathlib

import numpy as np
from absl.testing import absltest

from experiments.studies.table2 import shared_world
from fusion_jax.core import errors
from fusion_jax.data import config as data_config
from fusion_jax.data import reader
from tests import tiny


class SharedWorldTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.work = pathlib.Path(self.create_tempdir('work').full_path)

  def _open(self, shuffled):
    folder = shared_world.write(
      self.work / f'{shuffled}', n=300, size=16, seed=0, shuffled=shuffled
    )
    config = data_config.CohortConfig(
      name=str(folder), cache_dir=str(self.work / 'cache')
    )
    return reader.open_cohort(config), shared_world.own_latent(folder)

  def test_only_the_records_are_exchanged(self):
    (true, own), (shuffled, same) = self._open(False), self._open(True)
    self.assertEqual(own, same)
    self.assertLen(own, 300)
    np.testing.assert_array_equal(tiny.images(true), tiny.images(shuffled))
    np.testing.assert_array_equal(true.labels, shuffled.labels)
    np.testing.assert_array_equal(true.patient, shuffled.patient)
    np.testing.assert_array_equal(
      np.sort(tiny.numeric(true), axis=0),
      np.sort(tiny.numeric(shuffled), axis=0),
    )
    crp = tiny.numeric_names(true).index('crp')

    def difference(cohort):
      x, y = tiny.numeric(cohort)[:, crp], cohort.labels[:, 0]
      return np.nanmedian(x[y == 1]) - np.nanmedian(x[y == 0])

    self.assertGreater(difference(true), 3 * abs(difference(shuffled)))

  def test_the_own_latent_is_in_the_second_channel(self):
    cohort, own = self._open(False)
    latent = np.array([own[s] for s in cohort.study.tolist()])
    bright = tiny.images(cohort)[:, 0].astype(float).mean(axis=(1, 2))
    first, second = (np.corrcoef(latent, bright[:, c])[0, 1] for c in (0, 1))
    self.assertLess(abs(first), 0.2)
    self.assertGreater(second, 0.4)

  def test_what_is_there_is_kept(self):
    self._open(False)
    path = self.work / 'False' / shared_world.DESCRIPTOR
    before = path.stat().st_mtime_ns
    self._open(False)
    self.assertEqual(path.stat().st_mtime_ns, before)

  def test_a_file_in_the_way_is_a_user_error(self):
    (self.work / 'file').write_text('')
    with self.assertRaisesRegex(errors.UserError, 'cannot be written'):
      shared_world.write(
        self.work / 'file', n=20, size=16, seed=0, shuffled=False
      )


if __name__ == '__main__':
  absltest.main()
