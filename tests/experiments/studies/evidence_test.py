"""Tests of experiments.studies.evidence, as a user runs it."""

import json

from absl.testing import absltest

from fusion_jax.report import text as text_lib
from tests.launch import launched


class EvidenceTest(launched.LaunchedTestCase):
  module = 'experiments.studies.evidence'

  def test_own_table(self):
    done = self.run_launcher('--out=found', '--docs=pages')
    self.assertEqual(done.returncode, 0, done.stderr)
    result = json.loads((self.work / 'found/evidence.json').read_text())
    self.assertEqual(result['counts']['in_review'], 17)
    self.assertTrue((self.work / 'pages/figures/evidence_funnel.svg').is_file())
    first = result['pooled'][0]
    (row,) = [
      x for x in done.stdout.splitlines() if x.startswith('events known  ')
    ]
    main = next(
      p
      for p in result['pooled']
      if all(p[x] == first[x] for x in ('rows', 'errors'))
      and p['correlation'] == result['primary']['correlation']
      and p['estimator'] == result['primary']['estimator']
    )
    reasons = text_lib.Reasons()
    number = text_lib.Number(main['estimate'], main['low'], main['high'])
    self.assertIn(text_lib.interval(number, reasons, signed=True), row)
    self.assertLess(main['k'], 5)
    self.assertIn(main['prediction_reason'], done.stdout.replace('\n', ' '))
    self.assertStartsWith(done.stdout, f'{result["counts"]["studies"]} studies')
    reason = result['egger']['reason']
    self.assertIn(f"Egger's test was not done: {reason}.", done.stdout)
    self.assertIn('Wrote found/evidence.json', done.stdout)

  def test_bad_input_is_one_line(self):
    (self.work / 'bad.csv').write_text('id,stduy\na,b\n')
    for flags, message in (
      ([], '--out=DIR'),
      (['--out=o', '--studies=none.csv'], "'none.csv' cannot be read"),
      (['--out=o', '--studies=bad.csv'], "Did you mean 'study'"),
    ):
      done = self.run_launcher(*flags)
      self.assertEqual(done.returncode, 2, done.stderr)
      (line,) = done.stderr.strip().splitlines()
      self.assertIn(message, line)


if __name__ == '__main__':
  absltest.main()
