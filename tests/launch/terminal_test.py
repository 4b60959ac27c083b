import contextlib
import io

import rich.table
from absl.testing import absltest

from fusion_jax.launch import terminal


class ConsoleTest(absltest.TestCase):
  def _printed(self, *objects) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
      for item in objects:
        terminal.Console().print(item)
    return out.getvalue()

  def test_markup_and_emoji_stay_text(self):
    self.assertEqual(
      self._printed('[bold]x[/nope] :+1:'), '[bold]x[/nope] :+1:\n'
    )
    table = rich.table.Table('[red]a long title', title='[bold]x[/nope]')
    table.add_row('[/b]')
    shown = self._printed(table)
    for text in ('[red]a long title', '[bold]x[/nope]', '[/b]'):
      self.assertIn(text, shown)

  def test_control_characters_are_taken_away(self):
    table = rich.table.Table('a')
    table.add_row('\x1b[2Jb')
    shown = self._printed('\x1b]0;title\x07c', table)
    self.assertNotIn('\x1b', shown)
    self.assertNotIn('\x07', shown)
    self.assertIn(']0;titlec', shown)
    self.assertIn('[2Jb', shown)


class ComplainTest(absltest.TestCase):
  def test_long_lines_are_cut_and_controls_taken_away(self):
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
      terminal.complain('first\x1b\n' + 'x' * 10_000 + 'end')
    first, second, _ = err.getvalue().split('\n')
    self.assertEqual(first, 'first')
    self.assertLess(len(second), 2100)
    self.assertIn('[... 8003 characters ...]', second)
    self.assertEndsWith(second, 'end')


if __name__ == '__main__':
  absltest.main()
