"""Makes the page, the tables and the figures of a finished folder again.

  fusion-jax report --run=DIR

DIR is the folder of a run, of `evaluate` or of `predict`. Nothing is trained or
computed: the numbers are those of its summary. Examples stay as they are.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from absl import flags

from fusion_jax.ablation import examples, external, own_files, store
from fusion_jax.core import errors
from fusion_jax.evaluation import pilot
from fusion_jax.launch import loudness, output, terminal
from fusion_jax.report import console as report_console

_RUN = flags.DEFINE_string('run', '', 'The folder of a finished run.')


def _summary(folder: pathlib.Path) -> Mapping[str, Any]:
  if (folder / store.CONFIG).is_file():
    # Only a run has checksums, and may be unfinished.
    external.check_finished(folder)
  return pilot.summary_of(folder)


def _examples(folder: pathlib.Path) -> Mapping[str, Any] | None:
  path = folder / examples.EXAMPLES
  return own_files.read_object(path) if path.exists() else None


def run() -> int:
  """Does it; returns the exit code."""
  level = loudness.chosen(report_console.SHORT)
  if not _RUN.value:
    raise errors.UserError('Give --run=DIR (see --help).')
  folder = pathlib.Path(_RUN.value)
  summary, shown = _summary(folder), _examples(folder)
  page = output.write(summary, folder, shown)
  output.show(summary, page, terminal.Console(), level=level)
  return 0
