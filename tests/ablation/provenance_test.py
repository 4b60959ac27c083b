"""Tests of which library made a run."""

import pathlib
import subprocess
import sys
from unittest import mock

import jax
import numpy as np
from absl.testing import absltest

import fusion_jax
from fusion_jax.ablation import provenance


def _git(folder, *arguments):
  identity = ('-c', 'user.name=a', '-c', 'user.email=a@b')
  return subprocess.run(
    ['git', '-C', str(folder), *identity, *arguments],
    check=True,
    capture_output=True,
    encoding='utf-8',
  ).stdout.strip()


class ProvenanceTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path) / 'checkout'
    self.package = self.root / 'fusion_jax'
    self.package.mkdir(parents=True)
    (self.package / '__init__.py').write_text('')

  def _commit(self, name='fusion_jax'):
    setup = self.root / 'setup.cfg'
    setup.write_text(f'[metadata]\nname = {name}\nversion = 1\n')
    _git(self.root, 'init', '-q')
    _git(self.root, 'add', '.')
    _git(self.root, 'commit', '-qm', 'x')
    return _git(self.root, 'rev-parse', 'HEAD')

  def test_versions(self):
    versions = provenance.versions()
    self.assertEqual(next(iter(versions.items()))[0], 'fusion_jax')
    self.assertEqual(versions['fusion_jax'], fusion_jax.__version__)
    self.assertEqual(versions['jax'], jax.__version__)
    self.assertEqual(versions['numpy'], np.__version__)
    self.assertContainsSubset({'flax', 'optax', 'scikit-learn'}, versions)

  def test_a_checkout_of_its_own(self):
    expected = self._commit()
    self.assertEqual(
      provenance.commit(self.package), {'commit': expected, 'changed': False}
    )
    (self.package / '__init__.py').write_text('changed = True')
    self.assertEqual(
      provenance.commit(self.package), {'commit': expected, 'changed': True}
    )

  def test_no_checkout(self):
    self.assertEqual(provenance.commit(self.package), {})

  def test_a_checkout_of_something_else(self):
    self._commit('other')
    self.assertEqual(provenance.commit(self.package), {})

  def test_a_copy_inside_another_checkout(self):
    self._commit()
    copy = self.root / 'third_party' / 'fusion_jax'
    copy.mkdir(parents=True)
    setup = copy.parent / 'setup.cfg'
    setup.write_text('[metadata]\nname = fusion_jax\n')
    self.assertEqual(provenance.commit(copy), {})
    (copy.parent / '.git').write_text('nothing that git can read')
    self.assertEqual(provenance.commit(copy), {})

  def test_no_git_or_a_slow_one(self):
    self._commit()
    for error in (
      FileNotFoundError('git'),
      subprocess.TimeoutExpired('git', 1),
      subprocess.CalledProcessError(128, 'git'),
    ):
      with mock.patch.object(subprocess, 'run', side_effect=error):
        self.assertEqual(provenance.commit(self.package), {})

  def test_the_command_is_told_as_it_can_be_given_again(self):
    script, module = mock.Mock(__spec__=None), mock.Mock()
    module.__spec__ = mock.Mock()
    module.__spec__.name = 'experiments.ablate'
    for main, program, told in (
      (script, '/venv/bin/fusion-jax', 'fusion-jax'),
      (
        module,
        '/x/experiments/ablate.py',
        'python -m experiments.ablate',
      ),
    ):
      with (
        mock.patch.dict(sys.modules, {'__main__': main}),
        mock.patch.object(sys, 'argv', [program, 'ablate', '--out=a b']),
      ):
        self.assertEqual(provenance.command(), f"{told} ablate '--out=a b'")


if __name__ == '__main__':
  absltest.main()
