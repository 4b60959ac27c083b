"""Tests of experiments.studies.calibration.dependence_page."""

import dataclasses

from absl.testing import absltest

from experiments.studies.calibration import cells, dependence, dependence_page

CELL = dependence.Cell('lda', 300, 5, dependence.FEW, dependence.NOISE)


def _result(cell=CELL, *, enough=1.10, runs=500, fewest=150.0):
  """A cell whose gains are covered from the factor `enough` on."""
  tallies = {'fewest': cells.Tally(runs, fewest * runs)}
  tallies['squared_z'] = cells.Tally(runs, 1.44 * runs)
  for factor in dependence.FACTORS:
    good = factor >= enough
    tallies |= {
      f'covered@{factor:.2f}': cells.Tally(
        runs, runs * (0.96 if good else 0.8)
      ),
      f'superior@{factor:.2f}': cells.Tally(runs, 0),
      f'single_covered@{factor:.2f}': cells.Tally(runs, 0.9 * runs),
      f'arm_covered@{factor:.2f}': cells.Tally(runs, 0.9 * runs),
    }
  return {'cell': cell, 'seconds': 1.0, 'tallies': tallies}


class JudgeTest(absltest.TestCase):
  def _of(self, *results):
    return dependence_page.judge({str(i): r for i, r in enumerate(results)})

  def test_smallest_factor_at_which_no_cell_fails(self):
    self.assertEqual(self._of(_result(), _result(enough=1.2))['factor'], 1.2)
    self.assertEqual(self._of(_result(enough=1.0))['factor'], 1.0)
    self.assertIsNone(self._of(_result(enough=2.0))['factor'])

  def test_close_cells_fail_one_step_below(self):
    worst = dataclasses.replace(CELL, n=1000)
    found = self._of(_result(), _result(worst, enough=1.2))
    self.assertEqual(dependence_page.close(found), [worst.name])
    self.assertEmpty(dependence_page.close(self._of(_result(enough=1.0))))
    self.assertEmpty(dependence_page.close(self._of(_result(enough=2.0))))

  def test_other_learners_and_few_patients_are_only_shown(self):
    trees = dependence.Cell('trees', 300, 5, dependence.FEW, dependence.NOISE)
    found = self._of(
      _result(enough=1.05),
      _result(trees, enough=1.4),
      _result(enough=1.3, fewest=40.0),
    )
    self.assertEqual(found['factor'], 1.05)
    self.assertEqual(
      [r['judged'] for r in found['cells']], [True, False, False]
    )

  def test_page(self):
    text = dependence_page.page(self._of(_result()), command='python -m x')
    self.assertIn('python -m x', text)
    self.assertIn('**The factor is 1.10**', text)
    self.assertIn('- 1.00: 1 of 1 judged cells fail (lda-n300-f5-p12', text)
    self.assertIn('- 1.10: 0 of 1 judged cells fail.', text)
    self.assertIn('## LDA', text)
    self.assertIn('| noise | 12 | 300 | 5 | 500 | 1.20 |', text)
    self.assertIn('FAIL (gains covered)', text)
    self.assertIn('n/a', text)
    for block in text.split('\n\n'):
      if block.startswith('|'):
        self.assertLen({line.count('|') for line in block.splitlines()}, 1)


if __name__ == '__main__':
  absltest.main()
