"""Tests of experiments.studies.calibration.former."""

from absl.testing import absltest

from experiments.studies.calibration import cells, former, scores
from fusion_jax.evaluation import comparison

SETTINGS = cells.Settings(replicates=200)


class FormerTest(absltest.TestCase):
  def _of(self, valid, singles=(0.84, 0.78), gain=-0.04):
    cell = cells.Cell('power', 1, 6000, 1, gain=gain, singles=singles)
    test, _ = scores.parts(cell, SETTINGS, 0)
    values, _, families = scores.assess(cell, SETTINGS, 0, test)
    common = {
      'arms': list(scores.truth(cell)),
      'values': values,
      'margin': scores.MARGIN,
      'families': families,
    }
    names = scores.singles(cell), scores.fusions(cell)
    gains = comparison.compare(
      **common, singles=names[0], fusions=names[1]
    ).gains
    return gains[0], former.outcomes(
      common, *names, valid, gains, scores.gain_of(cell)
    )

  def test_the_weaker_single_was_picked(self):
    """.80 against .78 is no equivalence with the best single, of .84."""
    gain, outcomes = self._of([0.6, 0.7])
    self.assertEqual(gain.verdict, 'inferior')
    self.assertEqual(outcomes['former_covered'], 0)

  def test_the_best_was_picked(self):
    gain, outcomes = self._of([0.7, 0.6])
    self.assertEqual(gain.verdict, 'inferior')
    self.assertEqual(
      (outcomes['former_found'], outcomes['former_covered']), (0, 1)
    )

  def test_equivalent_is_wrong_beyond_the_margin(self):
    _, outcomes = self._of([0.6, 0.7], singles=(0.84, 0.80))
    self.assertEqual(
      (outcomes['former_same'], outcomes['former_equivalent']), (1, 1)
    )


if __name__ == '__main__':
  absltest.main()
