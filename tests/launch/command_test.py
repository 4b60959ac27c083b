"""Tests of fusion_jax.launch.command, as a user runs it."""

import subprocess
import sys

from absl.testing import absltest, parameterized

import fusion_jax
from fusion_jax.launch import command
from tests import imports
from tests.launch import launched


class CommandTest(launched.LaunchedTestCase):
  @parameterized.parameters('--help', '-h', 'help')
  def test_help_tells_what_there_is(self, flag):
    done = self.run_launcher(flag)
    self.assertEqual((done.returncode, done.stderr), (0, ''))
    for name in command.COMMANDS:
      self.assertRegex(done.stdout, rf'(?m)^  {name} +[A-Z].*[.?]$')

  def test_without_a_command_it_tells_the_same_and_fails(self):
    done = self.run_launcher()
    self.assertEqual((done.returncode, done.stdout), (2, ''))
    self.assertEqual(done.stderr, f'{command.usage()}\n')

  def test_version(self):
    done = self.run_launcher('--version')
    self.assertEqual(done.returncode, 0)
    self.assertEqual(done.stdout, f'fusion-jax {fusion_jax.__version__}\n')

  @parameterized.parameters(
    (['abalte'], "Unknown command 'abalte'. Did you mean 'ablate'? Known"),
    (['--cohort=x'], "'--cohort=x' before the name of a command"),
    (['arms', '--confg=x'], "Unknown flag '--confg'. Did you mean '--config'?"),
    (['arms', 'joint'], "Unexpected argument 'joint'"),
    (['launch'], "Unknown command 'launch'"),
  )
  def test_what_is_unknown_is_one_line(self, arguments, message):
    done = self.run_launcher(*arguments)
    self.assertEqual((done.returncode, done.stdout), (2, ''))
    self.assertStartsWith(done.stderr, message)
    self.assertLen(done.stderr.splitlines(), 1)

  def test_flags_are_those_of_the_command(self):
    done = self.run_launcher('plan', '--help')
    self.assertEqual(done.returncode, 0, done.stderr)
    self.assertIn('fusion-jax plan --auroc_single', done.stdout)
    self.assertIn('--gain: ', done.stdout)
    self.assertNotIn('--arms: Comma-separated', done.stdout)
    self.assertNotIn('--cohort', done.stdout)

  @parameterized.parameters(*command.COMMANDS)
  def test_the_checkout_has_an_entry_of_the_same_help(self, name):
    of_entry, of_command = (
      launched.launch(self.work, x, '--help')
      for x in (f'experiments.{name}', name)
    )
    self.assertEqual(of_command.returncode, 0, of_command.stderr)
    self.assertIn(f'fusion-jax {name}', of_command.stdout)
    self.assertEqual(of_entry.stdout, of_command.stdout)

  def test_help_imports_nothing_that_takes_time(self):
    code = (
      'import sys; sys.argv = ["fusion-jax", "--help"]\n'
      'from fusion_jax.launch import command\n'
      'try:\n'
      '  command.main()\n'
      'finally:\n'
      '  print(*sys.modules)'
    )
    done = subprocess.run(
      [sys.executable, '-c', code],
      cwd=imports.ROOT,
      capture_output=True,
      text=True,
      check=True,
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    self.assertIn('fusion_jax.launch.command', loaded)
    self.assertEmpty(loaded & {'jax', 'numpy', 'pyarrow', 'sklearn'})


if __name__ == '__main__':
  absltest.main()
