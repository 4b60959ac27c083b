"""Everything a reader gets: page, figures, tables and model cards."""

import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

from fusion_jax.core import errors, files
from fusion_jax.report import (
  beside,
  cards,
  examples,
  html,
  page,
  pictures,
  pictures_time,
  sections,
  tables,
)

PAGE = 'report.html'
# Lists what was written, so that a later report takes away what it no longer
# has, and nothing else.
LIST = 'report_files.txt'
FIGURES = beside.FIGURES
TABLES = beside.TABLES
CARDS = beside.CARDS


def write(
  summary: Mapping[str, Any],
  curves: Mapping[str, Any] | None,
  folder: str | os.PathLike,
  shown: Mapping[str, Any] | None = None,
) -> pathlib.Path:
  """Writes the report of a run into its folder.

  report.html, figures/*.svg and *.pdf, tables/*.csv and *.tex,
  model_cards/*.md, and report_files.txt, which lists them. All is made before
  the first file is written; each file appears complete or not at all, the page
  after what it stands beside. Files of an earlier report that this one does not
  have are removed; none is forgotten if this is interrupted.

  Args:
    summary: what `summary.json` holds.
    curves: what `curves.json` holds; None if there is none.
    folder: where to; it has to exist.
    shown: what `examples.json` holds, None if it is not to be shown; the page
      and what shows single patients are then readable by their owner alone.

  Returns:
    The page's path.

  Raises:
    UserError: if something cannot be written.
  """
  folder = pathlib.Path(folder)
  files_made = contents(summary, curves, shown)
  for name in (FIGURES, TABLES, CARDS):
    if (folder / name).is_symlink():
      raise errors.UserError(
        f"'{folder / name}' is a link: a report stays in its folder. Remove "
        'it, and run this again.'
      )
  for name in (FIGURES, TABLES, CARDS):
    try:
      (folder / name).mkdir(exist_ok=True)
    except OSError as e:
      raise errors.UserError(
        f"Could not make the folder '{folder / name}': {e.strerror or e}."
      ) from None
  older = _listed(folder)
  _list(folder, older | set(files_made))
  for name in sorted(files_made, key=lambda x: x == PAGE):
    private = name == PAGE or name.partition('/')[2].startswith(
      examples.PRIVATE
    )
    mode = files.PRIVATE if shown and private else 0o666
    _write(folder / name, files_made[name], mode)
  for name in older - set(files_made):
    (folder / name).unlink(missing_ok=True)
  _list(folder, files_made)
  return folder / PAGE


def contents(
  summary: Mapping[str, Any],
  curves: Mapping[str, Any] | None = None,
  shown: Mapping[str, Any] | None = None,
) -> dict[str, bytes]:
  """By path in the folder, what the files hold."""
  built = page.build(summary, curves, shown)
  made = {}
  for drawn in built.figures():
    made[f'{FIGURES}/{drawn.name}.svg'] = drawn.svg.encode()
    made[f'{FIGURES}/{drawn.name}.pdf'] = drawn.pdf()
  for table in (
    *built.tables(),
    *sections.curve_tables(curves or {}),
    *pictures.files(summary, curves or {}),
    *pictures_time.files(summary, curves or {}),
  ):
    made[f'{TABLES}/{table.name}.csv'] = tables.to_csv(table).encode()
    if table.printed:
      made[f'{TABLES}/{table.name}.tex'] = tables.to_tex(table).encode()
  for arm, path in beside.cards(summary).items():
    made[path] = cards.render(summary, arm).encode()
  made[PAGE] = html.render_page(built).encode()
  return made


def _write(path: pathlib.Path, data: bytes, mode: int = 0o666) -> None:
  with files.saving(path, mode=mode) as part:
    part.write_bytes(data)


def _list(folder: pathlib.Path, names: Iterable[str]) -> None:
  _write(folder / LIST, '\n'.join([*sorted(names), '']).encode())


def _listed(folder: pathlib.Path) -> set[str]:
  """Files of an earlier report, of the kinds that are written here."""
  try:
    lines = (folder / LIST).read_text(encoding='utf-8').splitlines()
  except (OSError, ValueError):
    return set()
  kinds = {FIGURES: ('svg', 'pdf'), TABLES: ('csv', 'tex'), CARDS: ('md',)}
  earlier = set()
  for line in lines:
    room, _, name = line.partition('/')
    stem, _, kind = name.rpartition('.')
    if stem == beside.slug(stem) + '_' * (len(stem) - len(beside.slug(stem))):
      if kind in kinds.get(room, ()):
        earlier.add(line)
  return earlier
