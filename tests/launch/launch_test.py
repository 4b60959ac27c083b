"""Tests of fusion_jax.launch.launch: what a user sees when all goes wrong."""

import os
import pathlib
import subprocess
import sys

from absl.testing import absltest, parameterized

ROOT = pathlib.Path(__file__).resolve().parents[2]

PROGRAM = '''"""Does one thing.

  python -m it --what=WORD
"""

import errno
import logging

from absl import flags

from fusion_jax.launch import interrupts, launch
from fusion_jax.core import errors

_WHAT = flags.DEFINE_string('what', 'fine', 'What to do.')
_COUNT = flags.DEFINE_integer('count', 0, 'How often.')
_SET = flags.DEFINE_multi_string('set', [], 'A setting; comes last.')


def run():
  if _WHAT.value == 'bad':
    raise errors.UserError('That is wrong.')
  if _WHAT.value == 'many':
    raise errors.ProblemsError('Two faults:', ['one', 'two'])
  if _WHAT.value == 'full':
    raise OSError(errno.ENOSPC, 'No space left on device', 'a/file')
  if _WHAT.value == 'stop':
    raise KeyboardInterrupt
  if _WHAT.value == 'kept':
    with launch.resumable('there'):
      raise interrupts.Terminated
  if _WHAT.value == 'bug':
    raise KeyError('unforeseen\\nthing')
  if _WHAT.value == 'bug in a run':
    with launch.resumable('run'):
      raise RecursionError('deep')
  if _WHAT.value == 'memory':
    raise MemoryError
  if _WHAT.value == 'read only':
    raise OSError(errno.EROFS, 'Read-only file system', 'a/file')
  if _WHAT.value == 'files':
    raise OSError(errno.EMFILE, 'Too many open files', 'a/file')
  if _WHAT.value == 'odd':
    print('\\udcff')
  if _WHAT.value == 'warned':
    logging.getLogger('fusion_jax.data.x').warning('%s is\\x1b odd.', 'This')
  if _WHAT.value == 'one':
    return 1
  print('fine')


if __name__ == '__main__':
  launch.main(run)
'''


class LaunchTest(parameterized.TestCase):
  def _program(self) -> str:
    path = pathlib.Path(self.create_tempdir().full_path) / 'program.py'
    path.write_text(PROGRAM, encoding='utf-8')
    return str(path)

  def _run(self, *flags, cwd=None, stdout=subprocess.PIPE, **environment):
    return subprocess.run(
      [sys.executable, self._program(), *flags],
      env={**os.environ, 'PYTHONPATH': str(ROOT), **environment},
      cwd=cwd,
      stdout=stdout,
      stderr=subprocess.PIPE,
      text=True,
      check=False,
    )

  @parameterized.parameters(
    (['--what=fine'], 0, ''),
    (['--what=one'], 1, ''),
    (['--what=bad'], 2, 'That is wrong.\n'),
    (['--what=many'], 2, 'Two faults:\n  one\n  two\n'),
    (['--what=stop'], 130, 'Interrupted.\n'),
    (['--what=kept'], 143, "Terminated. What is finished is kept in 'there';"),
    (['--whit=x'], 2, "Unknown flag '--whit'. Did you mean '--what'? Flags: "),
    (['--count=x'], 2, 'flag --count=x: invalid literal'),
    (['fine'], 2, "Unexpected argument 'fine'"),
    (['--what=full'], 2, "The disk is full while writing 'a/file'"),
    (['--what=read only'], 2, "'a/file': Read-only file system.\n"),
    (['--what=files'], 2, 'Too many open files (at most '),
    (['--what=odd'], 0, ''),
    (['--what=warned'], 0, 'This is odd.\n'),
    (['--what=\x1b[2J'], 0, ''),
    (['--whit=\x1b[2J'], 2, "Unknown flag '--whit'."),
  )
  def test_exit_code_and_message(self, flags, code, message):
    done = self._run(*flags)
    self.assertEqual(done.returncode, code, done.stderr)
    self.assertStartsWith(done.stderr, message)
    self.assertNotIn('Traceback', done.stderr)

  @parameterized.parameters(
    ('bug', "Unforeseen KeyError: 'unforeseen"),
    ('bug in a run', 'Unforeseen RecursionError: deep'),
    ('memory', 'Not enough memory'),
  )
  def test_what_nobody_foresaw_is_one_line_and_a_report(self, what, message):
    place = pathlib.Path(self.create_tempdir().full_path)
    run = place / 'run'
    run.mkdir()
    (run / 'config.json').write_text('{}')
    done = self._run(f'--what={what}', cwd=place, TMPDIR=str(place))
    self.assertEqual(done.returncode, 1)
    self.assertStartsWith(done.stderr, message)
    self.assertLen(done.stderr.splitlines(), 1)
    self.assertNotIn('Traceback', done.stderr)
    folder = run if what == 'bug in a run' else place
    (report,) = folder.glob('fault-*.txt')
    self.assertIn(report.name, done.stderr)
    self.assertIn('Traceback', report.read_text())

  def test_a_fault_while_modules_are_imported(self):
    place = pathlib.Path(self.create_tempdir().full_path)
    (place / 'rich').mkdir()
    (place / 'rich/__init__.py').write_text('raise MemoryError')
    done = subprocess.run(
      [sys.executable, '-m', 'experiments.arms'],
      env={
        **os.environ,
        'PYTHONPATH': f'{place}{os.pathsep}{ROOT}',
        'TMPDIR': str(place),
      },
      capture_output=True,
      text=True,
      check=False,
    )
    self.assertEqual(done.returncode, 1)
    self.assertStartsWith(done.stderr, 'Not enough memory. The report is in ')
    self.assertLen(done.stderr.splitlines(), 1)

  @parameterized.parameters('>&-', '2>&-', '>&- 2>&-', '<&- >&- 2>&-')
  def test_closed_streams(self, closed):
    program = self._program()
    for flag, code in (('--what=fine', 0), ('--what=bad', 2), ('--help', 0)):
      done = subprocess.run(
        f'"{sys.executable}" "{program}" {flag} {closed}',
        shell=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        check=False,
      )
      self.assertEqual(done.returncode, code)

  def test_a_full_standard_output(self):
    with open('/dev/full', 'w') as full:
      done = self._run('--what=fine', stdout=full)
    self.assertEqual(done.returncode, 2)
    self.assertStartsWith(done.stderr, 'The disk is full')
    self.assertLen(done.stderr.splitlines(), 1)

  @parameterized.parameters('--help', '--what=fine')
  def test_a_reader_that_stops_reading(self, flag):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
      [sys.executable, self._program(), flag],
      env={**os.environ, 'PYTHONPATH': str(ROOT)},
      stdout=writer,
      stderr=subprocess.PIPE,
      text=True,
      check=False,
    )
    os.close(writer)
    self.assertEqual((done.returncode, done.stderr), (141, ''))

  def test_help_is_short(self):
    done = self._run('--help')
    self.assertEqual(done.returncode, 0)
    self.assertEqual(
      done.stdout.splitlines(),
      [
        'Does one thing.',
        '',
        '  python -m it --what=WORD',
        '',
        'Flags:',
        "  --what: What to do. (default 'fine')",
        '  --count: How often.',
        '  --set: A setting; comes last; repeat this option to specify a list '
        'of values.',
      ],
    )


if __name__ == '__main__':
  absltest.main()
