"""What every launcher that makes a summary leaves behind and prints."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

import rich.console

from fusion_jax.ablation import store
from fusion_jax.report import bundle
from fusion_jax.report import console as report_console


def show(
  summary: Mapping[str, Any],
  folder: pathlib.Path,
  console: rich.console.Console,
) -> None:
  """Writes the report of a finished folder and prints its table.

  Raises:
    UserError: if something cannot be written.
  """
  path = folder / store.CURVES
  drawn = json.loads(path.read_text('utf-8')) if path.is_file() else None
  bundle.write(summary, drawn, folder)
  report_console.print_summary(summary, console)
