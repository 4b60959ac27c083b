"""Tests of experiments.launch: what a user sees when something is wrong."""

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

from absl import flags

from experiments import interrupts, launch
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
  if _WHAT.value == 'one':
    return 1
  print('fine')


if __name__ == '__main__':
  launch.main(run)
'''


class LaunchTest(parameterized.TestCase):
  def _run(self, *flags):
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / 'program.py').write_text(PROGRAM, encoding='utf-8')
    return subprocess.run(
      [sys.executable, str(folder / 'program.py'), *flags],
      env={**os.environ, 'PYTHONPATH': str(ROOT)},
      capture_output=True,
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
  )
  def test_exit_code_and_message(self, flags, code, message):
    done = self._run(*flags)
    self.assertEqual(done.returncode, code, done.stderr)
    self.assertStartsWith(done.stderr, message)
    self.assertNotIn('Traceback', done.stderr)

  @parameterized.parameters('--help', '--what=fine')
  def test_a_reader_that_stops_reading(self, flag):
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / 'program.py').write_text(PROGRAM, encoding='utf-8')
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
      [sys.executable, str(folder / 'program.py'), flag],
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
