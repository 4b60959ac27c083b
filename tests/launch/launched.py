"""Runs a command in a process and a folder of its own, as a user does."""

import pathlib
import subprocess
import tempfile

from absl.testing import parameterized

from tests.launch import server

# In seconds: what takes longer hangs.
_LIMIT = 600.0


def launch(work, module, *flags, report=True, **environment):
  """The finished process of a command (or a study) in the folder `work`.

  It is forked from a process that has imported the library (tests/launch/
  server.py), so that it starts at once. Without `report`, the page it makes is
  empty, and there are no figures and tables.
  """
  with tempfile.TemporaryDirectory() as aside:
    code, out, err = server.started().run(
      module,
      flags,
      folder=pathlib.Path(work),
      aside=pathlib.Path(aside),
      limit=_LIMIT,
      environment=environment,
      report=report,
    )
  assert code is not None, f'{module} {flags} hangs: {err}'
  return subprocess.CompletedProcess([module, *flags], code, out, err)


class LaunchedTestCase(parameterized.TestCase):
  """Tests of `module`: a command, or the dotted name of a study."""

  module = ''

  def setUp(self):
    super().setUp()
    self.work = pathlib.Path(self.create_tempdir('work').full_path)

  def run_launcher(self, *flags) -> subprocess.CompletedProcess[str]:
    """Runs it in `self.work`."""
    return launch(self.work, self.module, *flags)
