"""The table at the end of a run, for terminals of any width and for files."""

from collections.abc import Iterable, Mapping
from typing import Any

import rich.box
import rich.console
import rich.table
import rich.text

from fusion_jax.report import content as content_lib
from fusion_jax.report import findings
from fusion_jax.report import text as text_lib

# Below this width what an arm costs goes into a table of its own.
_WIDE = 138

# Below this width columns stand as close as can be, so that no interval is
# broken over two lines.
_ROOMY = 90

_STYLES = {
  'superior': 'green',
  'inferior': 'red',
  'equivalent': 'cyan',
  'inconclusive': 'dim',
}


def print_summary(
  summary: Mapping[str, Any], console: rich.console.Console | None = None
) -> None:
  """Prints a summary's comparison, cost, warnings and footnotes.

  Args:
    summary: what `summary.json` holds.
    console: where to; standard output if None. Without a terminal behind it
      no colour codes are written.
  """
  console = console or rich.console.Console()
  page = content_lib.build(summary)
  reasons = text_lib.Reasons()
  wide = console.width >= _WIDE
  gap = int(console.width >= _ROOMY)
  answer = _answer(summary)
  parts = [
    _lines([page.title], 'bold'),
    *answer,
    _lines(f'{name}: {text}' for name, text in page.facts),
    _main_table(page, page.groups, reasons, wide, gap),
  ]
  if not wide:
    parts.append(_side_table(page, reasons))
  if page.complete_title:
    parts.append(_lines([page.complete_title], 'bold'))
  if page.complete:
    parts.append(_main_table(page, page.complete, reasons, False, gap))
  parts.append(_fold_table(page))
  alarms = findings.alarms(summary)
  warnings = findings.not_said(page.warnings, alarms)
  if warnings:
    parts.append(_lines((f'Warning: {x}' for x in warnings), 'yellow'))
  if alarms:
    parts.append(
      _lines((f'ALARM, {x.name}: {_told(x)}' for x in alarms), 'bold red')
    )
  for part in parts:
    console.print()
    console.print(part)
  # Last, as the tables above hand out the marks of the reasons.
  console.print()
  console.print(_lines([*reasons.lines(), *page.footnotes], 'dim'))
  for part in answer:
    console.print()
    console.print(part)


def _answer(summary) -> list[rich.text.Text]:
  """Whether fusion helps, which stands first and last."""
  question = summary.get('question') or {}
  if not question.get('sentence'):
    return []
  verdict = question.get('verdict') or ''
  style = _STYLES.get(verdict, '').replace('dim', '')
  return [
    _text(f'Does fusion help? {verdict.capitalize()}. ', f'bold {style}')
    + _text(question['sentence'])
  ]


def _told(audit: findings.Audit) -> str:
  return audit.sentence or 'it predicts the label.'


def _lines(lines: Iterable[str], style: str = '') -> rich.text.Text:
  return _text('\n'.join(lines), style)


def _text(text: str, style: str = '') -> rich.text.Text:
  """Text as it stands: what looks like markup in a name stays a name."""
  return rich.text.Text(text, style=style)


def _table(title: str = '', *, gap: int = 1) -> rich.table.Table:
  return rich.table.Table(
    title=_text(title, 'bold') if title else None,
    title_justify='left',
    box=rich.box.SIMPLE_HEAD,
    show_edge=False,
    padding=(0, gap, 0, 0),
  )


def _add_groups(table, groups, cells) -> None:
  """One heading line per strategy, then `cells(row)` for each of its arms."""
  for strategy, rows in groups:
    table.add_row(_text(strategy, 'italic'))
    for row in rows:
      table.add_row(_text(f' {row.arm}'), *map(_as_text, cells(row)))


def _as_text(cell) -> rich.text.Text:
  return _text(cell) if isinstance(cell, str) else cell


def _main_table(page, groups, reasons, wide, gap) -> rich.table.Table:
  table = _table(gap=gap)
  table.add_column('arm', no_wrap=True)
  table.add_column(f'{page.metric} [95%]', justify='right')
  table.add_column('difference [95%]', justify='right')
  table.add_column('p adj', justify='right', no_wrap=True)
  table.add_column('verdict', no_wrap=True)
  if wide:
    _add_side_columns(table, page)

  def cells(row):
    found = [
      text_lib.interval(row.primary, reasons),
      text_lib.interval(row.difference, reasons, signed=True),
      text_lib.p_value(row.p_adjusted),
      _text(
        reasons.mark(row.verdict, row.verdict_reason),
        _STYLES.get(row.verdict, ''),
      ),
    ]
    return [*found, *page.side_cells(row, reasons)] if wide else found

  _add_groups(table, groups, cells)
  return table


def _add_side_columns(table, page) -> None:
  for name in page.side_names():
    table.add_column(name, justify='right')


def _side_table(page, reasons) -> rich.table.Table:
  names = page.side_names()
  table = _table('Calibration, spread and cost' if len(names) > 3 else 'Cost')
  table.add_column('arm', no_wrap=True)
  _add_side_columns(table, page)
  groups = [
    (strategy, [r for r in rows if r.arm != content_lib.REFERENCE])
    for strategy, rows in page.groups
  ]
  _add_groups(table, groups, lambda row: page.side_cells(row, reasons))
  return table


def _fold_table(page) -> rich.table.Table:
  table = _table('Reference and test part of each fold')
  table.add_column('fold', no_wrap=True)
  table.add_column('best single modality on validation')
  table.add_column('studies', justify='right')
  table.add_column('patients', justify='right')
  table.add_column('events', justify='right')
  for fold in page.folds:
    table.add_row(*map(_text, fold))
  return table
