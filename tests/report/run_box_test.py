"""Tests of the box of a run."""

from absl.testing import absltest

from fusion_jax.report import run_box
from tests.report import samples


class RunBoxTest(absltest.TestCase):
  def test_everything(self):
    summary = samples.sample()
    summary['run'] = {
      'started': '2026-11-26T21:04:05+00:00',
      'seconds': 200.0,
      'command': 'python -m experiments.ablate',
      'versions': {'fusion_jax': '0.1.0', 'jax': '0.9', 'numpy': '2.0'},
      'python': '3.12.1',
      'commit': '0123456789abcdef0123',
      'changed': True,
      'processor': 'Some CPU',
      'processors': 8,
      'platform': 'Linux x86_64',
      'device': 'Some GPU',
      'devices': 2,
      'folder': 'runs/x',
      'config_digest': 'c0ffee',
    }
    summary['cohort'] |= {'licence': 'CC BY 4.0', 'citation': 'Doe 2020'}
    self.assertEqual(
      run_box.facts(summary),
      [
        ('date', '2026-11-26 21:04 UTC'),
        ('took', '3.33 min'),
        ('command', 'python -m experiments.ablate'),
        ('library', 'fusion_jax 0.1.0, commit 0123456789ab, with changes'),
        ('versions', 'Python 3.12.1, jax 0.9, numpy 2.0'),
        (
          'hardware',
          'Some CPU (8 logical processors), Linux x86_64; networks on 2 x '
          'Some GPU',
        ),
        ('run folder', 'runs/x'),
        ('configuration', 'c0ffee'),
        ('cohort digest', 'abc123'),
        ('licence', 'CC BY 4.0'),
        ('citation', 'Doe 2020'),
      ],
    )

  def test_what_is_not_known_is_left_out(self):
    summary = samples.sample()
    summary['run'] = {'predictions': 'them.csv'}
    del summary['cohort']['digest']
    self.assertEqual(run_box.facts(summary), [('predictions', 'them.csv')])

  def test_summaries_of_earlier_versions(self):
    run = {'versions': {'jax': '0.9', 'backend': 'cpu'}, 'device': 'cpu'}
    self.assertEqual(run_box.library(run), '')
    self.assertEqual(run_box.software(run), 'jax 0.9')
    self.assertEqual(run_box.hardware(run), 'networks on cpu')


if __name__ == '__main__':
  absltest.main()
