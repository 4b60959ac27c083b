"""Tests of fusion_jax.core.commands."""

import ast
import pathlib
import shlex

from absl.testing import absltest

from fusion_jax.core import commands
from fusion_jax.launch import command
from tests import imports


class CommandsTest(absltest.TestCase):
  def test_a_shell_takes_it_apart_again(self):
    path = pathlib.Path("a folder/it's")
    line = commands.line('report', f'--run={path}')
    self.assertEqual(
      shlex.split(line), ['fusion-jax', 'report', f'--run={path}']
    )
    self.assertEqual(
      commands.line('prepare', '--cohort=x.toml'),
      'fusion-jax prepare --cohort=x.toml',
    )

  def test_messages_name_commands_that_there_are(self):
    named = set()
    for path in imports.python_files(*imports.PRODUCT):
      for node in ast.walk(ast.parse((imports.ROOT / path).read_text())):
        if isinstance(node, ast.Call):
          if ast.unparse(node.func) == 'commands.line':
            named.add(ast.unparse(node.args[0]))
    self.assertNotEmpty(named)
    self.assertContainsSubset(named, {repr(x) for x in command.COMMANDS})


if __name__ == '__main__':
  absltest.main()
