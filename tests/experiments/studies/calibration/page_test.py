"""Tests of experiments.studies.calibration.page."""

import json
import pathlib

from absl.testing import absltest

from experiments.studies.calibration import cells, findings, page
from fusion_jax.core import errors
from tests.experiments.studies.calibration import findings_test

result = findings_test.result


def _results():
  interval = cells.Cell('intervals', 1, 75, 1, singles=(0.95, 0.95), events=15)
  twins = cells.Cell('scores', 7, 300, 1, twins=True)
  return findings.judge(
    {
      'a': result(superior=30, covered=1960, width=200.0),
      'b': result(cell=twins, superior=300, covered=1900, others_width=2300.0),
      'c': result(part='naive', best_of_k=600, against_weaker=900, one_arm=60),
      'd': result(
        cell=cells.Cell('power', 3, 300, 1, gain=0.03),
        found=900,
        former_found=800,
        covered=1950,
        former_covered=1500,
      ),
      'e': result(cell=interval, logit=1900, percentile=1700, fewest=15.0),
    }
  )


class PageTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path) / 'out'

  def test_page(self):
    text = page.page(_results(), command='python -m x', figures='figures')
    self.assertIn('python -m x', text)
    self.assertIn('**Result: FAIL.**', text)
    self.assertIn('- FAIL: scores, tied, twins', text)
    self.assertIn('](figures/calibration_of_the_verdict.svg)', text)
    for heading in ('From scores', 'Near 1', 'Power', 'Naive practice'):
      self.assertIn(f'## {heading}', text)
    self.assertNotIn('## End to end', text)
    self.assertIn("twins: others' width", text)
    self.assertIn('| 1.150 | FAIL |', text)
    self.assertIn('| 95.0% [94.0, 95.9] | 85.0% [', text)
    # Every row of a table has as many cells as its header.
    for block in text.split('\n\n'):
      if block.startswith('|'):
        self.assertLen({line.count('|') for line in block.splitlines()}, 1)

  def test_files(self):
    written = page.write(_results(), self.folder, command='x')
    self.assertSameElements(
      [p.relative_to(self.folder).as_posix() for p in written],
      [
        'results.json',
        'calibration_of_the_verdict.md',
        'figures/calibration_of_the_verdict.svg',
        'figures/calibration_of_the_verdict.pdf',
      ],
    )
    stored = json.loads((self.folder / 'results.json').read_text())
    self.assertEqual(stored['result'], 'FAIL')
    docs = page.write_docs(_results(), self.folder / 'docs', command='x')
    self.assertLen(docs, 2)

  def test_no_place_to_write(self):
    with self.assertRaisesRegex(errors.UserError, '/proc/nothing'):
      page.write(_results(), pathlib.Path('/proc/nothing'), command='x')


if __name__ == '__main__':
  absltest.main()
