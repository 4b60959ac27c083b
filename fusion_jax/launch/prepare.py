"""Checks a cohort and decodes its images once, or drafts its description.

  fusion-jax prepare --cohort=DIR_OR_TOML [--data_root=DIR]
  fusion-jax prepare --cohort=... --export_tfds=DIR
  fusion-jax prepare --draft=DIR [--out=FILE] [--force]

All problems are listed with file, row and column; any error exits with 1.
"""

import pathlib

import rich.console
import rich.progress
import rich.table
import rich.text
from absl import flags

from fusion_jax.core import commands, errors, words
from fusion_jax.data import (
  checks,
  config,
  distributions,
  draft,
  facts,
  kind,
  reader,
  tfds_files,
)
from fusion_jax.evaluation import caveats
from fusion_jax.launch import terminal

_COHORT = flags.DEFINE_string(
  'cohort',
  '',
  'A built-in world, a shipped descriptor, a folder with cohort.toml, or a '
  '.toml file.',
)
_DATA_ROOT = flags.DEFINE_string(
  'data_root', '', "Where a descriptor's table and images are."
)
_IMAGE_SIZE = flags.DEFINE_integer(
  'image_size', 0, 'Side of the images in pixels; 0 for what the cohort says.'
)
_CACHE_DIR = flags.DEFINE_string(
  'cache_dir', '', "Where decoded images go; empty for the user's cache."
)
_EXPORT_TFDS = flags.DEFINE_string(
  'export_tfds', '', 'Folder to write the cohort to as a TFDS data set.'
)
_DRAFT = flags.DEFINE_string(
  'draft', '', 'Folder of a table and images to write a first cohort.toml for.'
)
_OUT = flags.DEFINE_string('out', '', 'Where to write the draft.')
_FORCE = flags.DEFINE_bool('force', False, 'Overwrite an existing draft.')


def _write_draft(console: rich.console.Console) -> int:
  out = pathlib.Path(_OUT.value or 'cohort.toml')
  inside = out.resolve().is_relative_to(pathlib.Path(_DRAFT.value).resolve())
  if inside and not _OUT.value:
    raise errors.UserError(
      f"The draft would land in the data folder '{_DRAFT.value}': say where "
      'it should go with --out=FILE.'
    )
  out = draft.write(_DRAFT.value, out, force=_FORCE.value)
  console.print(f"Wrote '{out}'. Read and correct it, then check it with:")
  command = commands.line(
    'prepare', f'--cohort={out}', f'--data_root={_DRAFT.value}'
  )
  console.print(command, soft_wrap=True)
  return 0


def _check(console: rich.console.Console) -> int:
  settings = config.CohortConfig(
    name=_COHORT.value,
    data_root=_DATA_ROOT.value,
    image_size=_IMAGE_SIZE.value,
    cache_dir=_CACHE_DIR.value,
  )
  with rich.progress.Progress(
    console=console, transient=True, disable=not console.is_terminal
  ) as progress:
    bar = progress.add_task('Decoding images', total=None, visible=False)
    opened = reader.inspect(
      settings,
      on_progress=lambda done, total: progress.update(
        bar, completed=done, total=total, visible=True
      ),
    )
  styles = {True: 'bold red', False: 'yellow'}
  for problem in opened.problems:
    line = rich.text.Text(f'{problem.severity}: ', styles[problem.is_error])
    console.print(
      line + rich.text.Text(terminal.cut(str(problem))), soft_wrap=True
    )
  failed = sum(x.is_error for x in opened.problems)
  if opened.cohort is not None:
    table = rich.table.Table(title=opened.cohort.name, show_header=False)
    for name, value in checks.summarise(opened.cohort).items():
      table.add_row(name, rich.text.Text(value))
    console.print(table)
    _print_numbers(console, opened.cohort)
    reason = opened.cohort.patient_note
    for note in (*caveats.of_no_patients(reason), *opened.cohort.notes):
      console.print(rich.text.Text(f'Note: {note}'))
  warnings = len(opened.problems) - failed
  console.print(
    f'{words.counted(failed, "error")}, {words.counted(warnings, "warning")}.'
  )
  if opened.cohort is not None and _EXPORT_TFDS.value:
    folder = tfds_files.export(opened.cohort, _EXPORT_TFDS.value)
    console.print(f"Exported to '{folder}'.", soft_wrap=True)
  return 1 if failed else 0


def _print_numbers(console: rich.console.Console, cohort) -> None:
  """Range, quartiles and repeated extremes of every numeric column."""
  shown = {
    name: values
    for modality, x in cohort.modalities.items()
    for name, values in facts.named(
      cohort, modality, kind.of(x).described(x)
    ).items()
    if values.dtype.kind == 'f'
  }
  if not shown:
    return
  table = rich.table.Table(title='Numeric columns')
  for at, name in enumerate(distributions.HEADER):
    last = len(distributions.HEADER) - 1
    justify = 'right' if 0 < at < last else 'left'
    table.add_column(name, justify=justify, overflow='fold')
  for name, values in shown.items():
    row = distributions.row(name, values)
    table.add_row(*(rich.text.Text(x) for x in row))
  console.print(table)


def run() -> int:
  """Does it; returns the exit code."""
  console = terminal.Console()
  if bool(_DRAFT.value) == bool(_COHORT.value):
    raise errors.UserError(
      'Give either --cohort=... to check a cohort or --draft=DIR to describe '
      'one.'
    )
  return _write_draft(console) if _DRAFT.value else _check(console)
