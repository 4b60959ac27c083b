"""What every launcher that makes a summary leaves behind and prints."""

import dataclasses
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import rich.box
import rich.console
import rich.table
import rich.text

from fusion_jax.ablation import examples, store
from fusion_jax.core import documents
from fusion_jax.evaluation import missing as missing_lib
from fusion_jax.report import (
  bundle,
  choices,
  facts,
  names,
  prose,
  robustness,
  tables,
)
from fusion_jax.report import console as report_console
from fusion_jax.report import controls as controls_report
from fusion_jax.report import page as page_lib
from fusion_jax.report import text as text_lib

# The shares of studies without a modality that a terminal has room for.
_SHARES = (0.0, 0.5, 1.0)
_GAIN = 'gain'
# Columns of words are wrapped at this width.
_WORDS = 22
# Blanks between columns.
_GAP = 2
# How studies lose a modality.
_MECHANISMS = {
  missing_lib.RANDOM: 'random: chance alone decides which studies lack it.',
  missing_lib.INFORMATIVE: 'informative: the higher the risk by the other '
  'modality, the sooner a study lacks it.',
}
# Tables of the page that `report.console` prints in its own form.
_SHOWN = ('arms', 'complete_cases', 'folds', 'costs')
_LOST = 'What each fusion arm loses in {} under each control'
_LOST_NOTE = (
  'gain: over {}, as above. Else: how much better the arm is as it is, '
  'each interval by itself; above 0 the control does harm, so that what it '
  'takes away was used.'
)
_ENSEMBLE_NOTE = (
  ' The ensemble, of two single models, takes nothing away: above 0 the arm is '
  'better than it.'
)


def write(
  summary: Mapping[str, Any],
  folder: pathlib.Path,
  shown: Mapping[str, Any] | None = None,
) -> pathlib.Path:
  """Writes the report of a finished folder; returns its page.

  Args:
    summary: what `summary.json` holds.
    folder: where it lies, or will.
    shown: what `examples.make` returned; None takes away what an earlier
      command left of it.

  Raises:
    UserError: if something cannot be written.
  """
  if shown is None:
    examples.remove(folder)
  return bundle.write(summary, _kept_curves(folder), folder, shown)


def _kept_curves(folder: pathlib.Path) -> dict[str, Any] | None:
  path = folder / store.CURVES
  if not path.is_file():
    return None
  return documents.parse(path.read_bytes(), documents.JSON, where=str(path))


def show(
  summary: Mapping[str, Any],
  page: pathlib.Path,
  console: rich.console.Console,
  details: Iterable[tables.Table] = (),
  *,
  level: str = report_console.NORMAL,
) -> None:
  """Prints a summary and where its report is.

  Args:
    summary: what `summary.json` holds.
    page: what `write` returned.
    console: where to print.
    details: tables to print after the answer, of what was asked for.
    level: one of report.console; SHORT is for a run that was finished before,
      QUIET prints no `details` either, VERBOSE every table of the page.
  """
  report_console.print_summary(summary, console, level)
  if level == report_console.QUIET:
    details = ()
  elif level == report_console.VERBOSE:
    details = list(details)
    titles = {x.title for x in details}
    details += [x for x in _of_page(summary, page) if x.title not in titles]
  show_details(page, console, details)


def _of_page(
  summary: Mapping[str, Any], page: pathlib.Path
) -> list[tables.Table]:
  """The tables of a page that the terminal has not shown yet."""
  built = page_lib.build(summary, _kept_curves(page.parent))
  return [x for x in built.tables() if x.name not in _SHOWN]


def show_details(
  page: pathlib.Path,
  console: rich.console.Console,
  details: Iterable[tables.Table],
) -> None:
  """Prints what was asked for of a run, and where its report is.

  Args:
    page: what `write` returned.
    console: where to print.
    details: tables; empty ones are left out.
  """
  console.print()
  for table in filter(None, details):
    print_table(table, console)
  console.print(
    rich.text.Text(
      f'Report: {page}; every number: {page.parent / bundle.TABLES}'
    ),
    soft_wrap=True,
  )


def controls(summary: Mapping[str, Any]) -> list[tables.Table]:
  """What each fusion arm loses under each control, and whether it is fusion."""
  gains = {x['arm']: x for x in summary['comparisons']}
  lost: dict[str, dict[str, tables.Cell]] = {}
  for arm, control, _, loss in controls_report.table(summary).rows():
    lost.setdefault(arm.text, {})[control.text] = loss
  found = list(dict.fromkeys(name for x in lost.values() for name in x))
  rows = [
    [
      tables.word(arm),
      _cell(text_lib.number(gains.get(arm), 'difference')),
      *(cells.get(name, tables.Cell()) for name in found),
    ]
    for arm, cells in lost.items()
  ]
  columns = [
    tables.Column('arm', word=True),
    *(tables.Column(x, interval=True) for x in (_GAIN, *found)),
  ]
  title = _LOST.format(f'{names.of_comparison(summary)} [95%]')
  note = _LOST_NOTE.format(_reference(summary))
  if controls_report.name_of('ensemble') in found:
    note += _ENSEMBLE_NOTE
  return [
    tables.plain_table('lost', title, columns, rows, note=note),
    controls_report.fusion_answers(summary),
  ]


def footprints(summary: Mapping[str, Any]) -> list[tables.Table]:
  """What each arm takes; the Pareto fronts are for the report."""
  found = robustness.tradeoffs(summary)
  rows = [row[:-1] for row in found.rows()]
  return [
    dataclasses.replace(found, columns=found.columns[:-1], groups=[('', rows)])
  ]


def curves(
  summary: Mapping[str, Any], arms: Sequence[str] = ()
) -> list[tables.Table]:
  """The metric by what studies lack and by size of the training part.

  Args:
    summary: what `summary.json` holds.
    arms: whose; those that the report draws if empty.
  """
  metric = names.of_comparison(summary)
  arms = arms or choices.shown(summary)
  missing = [
    (f'no {", ".join(panel)}', series)
    for panel, series in robustness.missing_series(summary, arms).items()
  ]
  entries = summary.get('learning_curve') or ()
  gains = {'learning_curve': [{**x, 'arms': x['gain']} for x in entries]}
  size, by_metric = robustness.learning_series(summary, arms)
  _, by_gain = robustness.learning_series(gains, arms)
  learning = [(metric, x) for x in by_metric.values()]
  learning += [(_GAIN, x) for x in by_gain.values()]
  mechanisms = {x.get('mechanism') for x in summary.get('missing') or ()}
  note = ' '.join(v for k, v in _MECHANISMS.items() if k in mechanisms)
  sizes = sorted({p.x for _, s in learning for x in s.values() for p in x})
  return [
    _curves(
      f'{metric} [95%] by share of test studies without a modality',
      missing,
      {x: f'{x:.0%}' for x in _SHARES},
      note,
    ),
    _curves(
      f'{metric}, {_GAIN} over {_reference(summary)}, [95%], '
      f'by {size} trained on',
      learning,
      {x: f'{x:.4g}' for x in sizes},
    ),
  ]


def _reference(summary) -> str:
  """What arms are compared with."""
  return prose.passage('phrases', 'reference_in_short', facts.of(summary))


def _curves(title, groups, columns, note='') -> tables.Table:
  """One row per arm and one column per place; `groups` are drawn series."""
  found = []
  for heading, series in groups:
    rows = []
    for arm, points in series.items():
      at = {p.x: p.number for p in points}
      if at:
        signed = heading == _GAIN
        cells = (_cell(at.get(x), signed=signed) for x in columns)
        rows.append([tables.word(arm), *cells])
    if rows:
      found.append((heading, rows))
  return tables.Table(
    'curves',
    title,
    [
      tables.Column('arm', word=True),
      *(tables.Column(x, interval=True) for x in columns.values()),
    ],
    found,
    note=note,
  )


def _cell(number, *, signed: bool = True) -> tables.Cell:
  if number is None:
    return tables.Cell()
  return tables.Cell(number=number, signed=signed)


def print_table(table: tables.Table, console: rich.console.Console) -> None:
  """Prints a report's table, its columns over several where they need it.

  No interval is broken over two lines in 60 columns or more.
  """
  reasons = text_lib.Reasons()
  groups = [
    (heading, [_texts(row, bool(heading), reasons) for row in rows])
    for heading, rows in table.groups
  ]
  widths = [
    max(
      [
        _longest(column.title),
        *(_width(heading, True) for heading, _ in groups if not i),
        *(_width(row[i], column.word) for _, rows in groups for row in rows),
      ]
    )
    for i, column in enumerate(table.columns)
  ]
  console.print(rich.text.Text(table.title, 'bold'))
  for chosen in _fitting(widths, console.width):
    part = rich.table.Table(
      box=rich.box.SIMPLE_HEAD,
      show_edge=False,
      pad_edge=False,
      padding=(0, _GAP - 1, 0, 0),
    )
    for i in chosen:
      column = table.columns[i]
      part.add_column(
        rich.text.Text(column.title),
        width=widths[i],
        justify='left' if column.word else 'right',
      )
    for heading, rows in groups:
      if heading:
        part.add_row(rich.text.Text(heading, 'italic'))
      for row in rows:
        part.add_row(*(rich.text.Text(row[i]) for i in chosen))
    console.print(part)
    console.print()
  for line in filter(None, [*reasons.lines(), table.note]):
    console.print(rich.text.Text(line, 'dim'))
    console.print()


def _texts(row, below: bool, reasons) -> list[str]:
  name, *others = (cell.shown(reasons) for cell in row)
  return [f' {name}' if below else name, *others]


def _longest(text: str) -> int:
  """Of the words of a text that can be wrapped."""
  return max(map(len, text.split()), default=0)


def _width(cell: str, word: bool) -> int:
  """How wide its column has to be."""
  return min(len(cell), max(_WORDS, _longest(cell))) if word else len(cell)


def _fitting(widths: Sequence[int], width: int) -> list[list[int]]:
  """The columns of each part, all of which begin with the first column."""
  parts: list[list[int]] = []
  room = -1
  for i in range(1, len(widths)):
    if widths[i] + _GAP > room:
      parts.append([0])
      room = width - widths[0]
    parts[-1].append(i)
    room -= widths[i] + _GAP
  return parts
