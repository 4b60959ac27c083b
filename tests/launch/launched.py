"""Runs a launcher in a process and a folder of its own, as a user does."""

import os
import pathlib
import subprocess
import sys

from absl.testing import parameterized

from tests import imports


class LaunchedTestCase(parameterized.TestCase):
  """Tests of the launcher `module`, a command perhaps after it."""

  module = ''

  def setUp(self):
    super().setUp()
    self.work = pathlib.Path(self.create_tempdir('work').full_path)

  def run_launcher(self, *flags) -> subprocess.CompletedProcess[str]:
    """Runs it in `self.work`."""
    return self._run('-m', *self.module.split(), *flags)

  def run_python(self, code: str) -> subprocess.CompletedProcess[str]:
    """Runs Python code in `self.work`."""
    return self._run('-c', code)

  def _run(self, *arguments):
    return subprocess.run(
      [sys.executable, *arguments],
      cwd=self.work,
      env={**os.environ, 'PYTHONPATH': str(imports.ROOT)},
      capture_output=True,
      text=True,
      check=False,
    )
