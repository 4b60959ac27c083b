"""Tests of fusion_jax.launch.interrupts: signals to launchers, at any time."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest
from absl.testing import absltest, parameterized

from tests import imports
from tests.launch import ablate_test

# A process that is started in the background may be deaf to SIGINT, and so
# would be what it starts.
LISTEN = (
  'import os, signal, sys; '
  'signal.signal(signal.SIGINT, signal.default_int_handler); '
  'os.execv(sys.executable, [sys.executable, *sys.argv[1:]])'
)


def start(*arguments, **options):
  return subprocess.Popen(
    [sys.executable, '-c', LISTEN, *arguments],
    cwd=imports.ROOT,
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
    **options,
  )


def rest(process):
  """What a process still says, and its exit code."""
  out, err = process.communicate(timeout=120)
  return out, err, process.returncode


class ImportsTest(parameterized.TestCase):
  @parameterized.product(
    launched=(
      ('experiments.ablate',),
      ('fusion_jax.launch.command', 'ablate'),
    ),
    imported=('absl.flags', 'numpy', 'jax'),
    ending=(
      (signal.SIGINT, 130, 'Interrupted.'),
      (signal.SIGTERM, 143, 'Terminated.'),
    ),
  )
  def test_a_signal_while_modules_are_imported(
    self, launched, imported, ending
  ):
    number, code, line = ending
    # Python tells what it has imported, line by line.
    process = start('-X', 'importtime', '-m', *launched)
    said = []
    for text in process.stderr:
      said.append(text)
      if text.rpartition('|')[2].strip() == imported:
        process.send_signal(number)
        break
    _, err, found = rest(process)
    self.assertEqual(found, code, err)
    self.assertEqual(err.splitlines()[-1], line)
    self.assertNotIn('Traceback', ''.join(said) + err)

  def test_importing_the_package_changes_no_signal(self):
    code = (
      'import signal; before = signal.getsignal(signal.SIGINT); '
      'import experiments; '
      'assert signal.getsignal(signal.SIGINT) is before'
    )
    _, err, found = rest(start('-c', code))
    self.assertEqual(found, 0, err)

  def test_nor_in_the_workers_of_another_program(self):
    program = pathlib.Path(self.create_tempdir().full_path) / 'program.py'
    program.write_text(
      'import multiprocessing, signal\n'
      'import experiments\n'
      'if __name__ == "__main__":\n'
      '  with multiprocessing.get_context("spawn").Pool(1) as pool:\n'
      '    print(pool.apply(signal.getsignal, (signal.SIGINT,)).__name__)\n'
    )
    out, err, found = rest(
      start(program, env={**os.environ, 'PYTHONPATH': str(imports.ROOT)})
    )
    self.assertEqual((out, found), ('default_int_handler\n', 0), err)

  def test_what_is_deaf_stays_so(self):
    code = (
      'import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); '
      'from fusion_jax.launch import interrupts; interrupts.end_process(); '
      'signal.raise_signal(signal.SIGINT); print("alive")'
    )
    out, err, found = rest(start('-c', code))
    self.assertEqual((out, found), ('alive\n', 0), err)

  def test_the_second_signal_ends_what_the_first_does_not(self):
    code = (
      'import signal\n'
      'from fusion_jax.launch import interrupts\n'
      'interrupts.raise_exception()\n'
      'try:\n'
      '  signal.raise_signal(signal.SIGTERM)\n'
      'except interrupts.Terminated:\n'
      '  signal.raise_signal(signal.SIGTERM)\n'
      'print("alive")'
    )
    out, err, found = rest(start('-c', code))
    self.assertEqual((out, err, found), ('', 'Terminated.\n', 143))


@pytest.mark.slow
class RunTest(parameterized.TestCase):
  @parameterized.parameters(
    (signal.SIGINT, 130, 'Interrupted.'), (signal.SIGTERM, 143, 'Terminated.')
  )
  def test_what_is_finished_is_kept(self, number, code, line):
    out = pathlib.Path(self.create_tempdir().full_path) / 'run'
    flags = (*ablate_test.SMALL, f'--out={out}')
    process = start('-m', 'experiments.ablate', *flags)
    for text in process.stdout:
      if text.startswith('ehr_linear: done'):
        process.send_signal(number)
        break
    _, err, found = rest(process)
    self.assertEqual(found, code, err)
    self.assertEqual(
      err,
      f"{line} What is finished is kept in '{out}'; the same command goes on "
      'from there.\n',
    )
    again = start('-m', 'experiments.ablate', *flags)
    for text in again.stdout:
      if text.endswith(' finished before\n'):
        break
    again.terminate()
    rest(again)
    self.assertRegex(text, 'arms, [2-9] of them finished before')

  def test_workers_end_with_their_parent(self):
    out = pathlib.Path(self.create_tempdir().full_path)
    process = start(
      '-m',
      'experiments.studies.calibrate_verdict',
      '--part=naive',
      '--max_n=100',
      '--workers=2',
      f'--out={out}',
      start_new_session=True,
    )
    for text in process.stderr:
      self.assertIn(' chunks: ', text)
      process.send_signal(signal.SIGTERM)
      break
    # Pipes are closed when the last of the processes has ended.
    _, err, found = rest(process)
    self.assertEqual(found, 143, err)
    self.assertNotIn('Traceback', err)
    self.assertIn(f"Terminated. What is finished is kept in '{out}'", err)


if __name__ == '__main__':
  absltest.main()
