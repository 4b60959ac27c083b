"""Tests of fusion_jax.launch.league, as a user runs it."""

import json

from absl.testing import absltest

from tests import league_samples
from tests.launch import launched


class LeagueTest(launched.LaunchedTestCase):
  module = 'league'

  def write(self, name, **options):
    league_samples.write(self.work / name, name=name, ids=name, **options)

  def test_pools_and_writes(self):
    for name, gain in (('a', 0.02), ('b', 0.03)):
      self.write(name, gains={'joint': gain, 'late_mean': gain})
    done = self.run_launcher('--runs=a,b', '--out=out', '--estimator=dl')
    self.assertEqual(done.returncode, 0, done.stderr)
    shown = ' '.join(done.stdout.split())
    self.assertIn('Does fusion help, where, and by which strategy?', shown)
    self.assertIn('+.025', shown)
    self.assertIn('Wrote out/league.html', shown)
    found = json.loads((self.work / 'out/league.json').read_text())
    self.assertEqual((found['version'], found['estimator']), (1, 'dl'))
    for file in (
      'league.html',
      'tables/strategies.csv',
      'tables/methods.csv',
      'tables/runs.csv',
      'tables/gains.csv',
      'figures/forest.svg',
      'figures/methods.pdf',
    ):
      self.assertTrue((self.work / 'out' / file).is_file(), file)

  def test_without_out_nothing_is_written(self):
    self.write('a')
    self.write('b')
    done = self.run_launcher('--runs=a, b')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertNotIn('Wrote', done.stdout)
    self.assertSameElements([x.name for x in self.work.iterdir()], ['a', 'b'])


if __name__ == '__main__':
  absltest.main()
