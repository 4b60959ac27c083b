"""Tests of what a running ablation shows."""

import io

import rich.console
from absl.testing import absltest

from fusion_jax.ablation import progress


def play(console):
  with progress.Progress(console) as shown:
    shown.plan({'image': (3, 0), 'ehr': (3, 3), 'late_mean': (2, 1)})
    shown.start('image')
    shown.epoch('image', 1, 5, 0.75)
    shown.epoch('image', 2, 5, float('nan'))
    for _ in range(3):
      shown.advance('image')
    shown.end('image')
    shown.start('late_mean')
    shown.end('late_mean', "Arm 'late_mean' failed: [a] reason")


class ProgressTest(absltest.TestCase):
  def test_plain_lines(self):
    file = io.StringIO()
    play(rich.console.Console(file=file, width=80))
    lines = file.getvalue().splitlines()
    self.assertEqual(lines[0], '8 nodes in 3 arms, 4 of them finished before')
    self.assertEqual(lines[1], 'image: started')
    self.assertRegex(lines[2], r'^image: done \(3/3 nodes, [0-9.]+ s\)$')
    self.assertRegex(lines[4], r'failed: \[a\] reason \(1/2 nodes')
    self.assertNotIn('\x1b', file.getvalue())

  def test_what_holds_for_many_arms_is_said_once(self):
    file = io.StringIO()
    shown = progress.Progress(rich.console.Console(file=file, width=80))
    for text in ('streamed', 'streamed', 'damaged'):
      shown.once(text)
    self.assertEqual(file.getvalue().splitlines(), ['streamed', 'damaged'])

  def test_a_terminal_keeps_the_last_state(self):
    file = io.StringIO()
    console = rich.console.Console(
      file=file, width=80, force_terminal=True, color_system=None
    )
    play(console)
    last = file.getvalue().split('arm  ')[-1]
    self.assertRegex(last, r'image +3/3 +2/5 .*done')
    self.assertRegex(last, r'ehr +3/3 .*done')
    self.assertRegex(last, r'late_mean +1/2 .*failed')


if __name__ == '__main__':
  absltest.main()
