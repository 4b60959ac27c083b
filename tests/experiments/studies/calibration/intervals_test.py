"""Tests of experiments.studies.calibration.intervals."""

import numpy as np
from absl.testing import absltest

from experiments.studies.calibration import cells, intervals

SETTINGS = cells.Settings(replicates=200)


class CoverageTest(absltest.TestCase):
  def _mean(self, cell, runs=60):
    outcomes = [intervals.coverage(cell, SETTINGS, run) for run in range(runs)]
    return {k: np.mean([x[k] for x in outcomes]) for k in outcomes[0]}

  def test_percentiles_cover_too_little_near_1(self):
    cell = cells.Cell('intervals', 1, 75, 1, singles=(0.97, 0.97), events=15)
    rates = self._mean(cell)
    self.assertEqual(rates['fewest'], 15)
    self.assertGreater(rates['logit'], 0.85)
    self.assertLess(rates['percentile'], rates['logit'])

  def test_all_agree_on_many_studies(self):
    cell = cells.Cell('intervals', 1, 1000, 1, events=400)
    rates = self._mean(cell, runs=40)
    for name in ('logit', 'percentile', 'logit_delong'):
      self.assertBetween(rates[name], 0.88, 1.0)
    self.assertEqual((rates['undefined'], rates['gain_undefined']), (0, 0))


if __name__ == '__main__':
  absltest.main()
