"""What a terminal of any width shows of a summary: the answer, then tables."""

from collections.abc import Iterable, Mapping
from typing import Any

import rich.box
import rich.console
import rich.measure
import rich.table
import rich.text

from fusion_jax.report import audits, first, run_box
from fusion_jax.report import content as content_lib
from fusion_jax.report import side as side_lib
from fusion_jax.report import text as text_lib

# What stands beside each other in the tables, and the room between columns:
# the first that fits is taken, so that no interval is broken over two lines.
_ESTIMATE, _DIFFERENCE, _SIDE = 'estimate', 'difference', 'side'
_LAYOUTS = (
  (((_ESTIMATE, _DIFFERENCE, _SIDE),), 1),
  (((_ESTIMATE, _DIFFERENCE), (_SIDE,)), 1),
  (((_ESTIMATE, _DIFFERENCE), (_SIDE,)), 0),
  (((_ESTIMATE,), (_DIFFERENCE,), (_SIDE,)), 0),
)

_LAYOUTS_WITHOUT_SIDE = (
  (((_ESTIMATE, _DIFFERENCE),), 1),
  (((_ESTIMATE, _DIFFERENCE),), 0),
  (((_ESTIMATE,), (_DIFFERENCE,)), 0),
)

# How much is printed.
QUIET, SHORT, NORMAL, VERBOSE = 'quiet', 'short', 'normal', 'verbose'

_STYLES = {
  'superior': 'green',
  'inferior': 'red',
  'equivalent': 'cyan',
  'inconclusive': 'dim',
}


def print_summary(
  summary: Mapping[str, Any],
  console: rich.console.Console | None = None,
  level: str = NORMAL,
) -> None:
  """Prints the first screen of a summary and, as asked for, its tables.

  Args:
    summary: what `summary.json` holds.
    console: where to; standard output if None. Without a terminal behind it
      no colour codes are written.
    level: QUIET and SHORT print the first screen alone, NORMAL the table of
      arms and all warnings too, VERBOSE also the folds, what stands in the run
      box of the page, and what the numbers mean.
  """
  console = console or rich.console.Console()
  alone = level in (QUIET, SHORT)
  print_first(summary, console, warnings='in the report' if alone else 'below')
  if alone:
    return
  page = content_lib.build(summary)
  parts = []
  if level == VERBOSE:
    facts = [*page.about, *run_box.facts(summary)]
    parts.append(_lines(f'{name}: {text}' for name, text in facts))
  arms, reasons = _arm_tables(page, console, side=level == VERBOSE)
  parts += arms
  if level == VERBOSE:
    parts.append(_fold_table(page))
  alarms = audits.alarms(summary)
  warnings = audits.other_warnings(page.warnings, alarms)
  if warnings:
    parts.append(_lines((f'Warning: {x}' for x in warnings), 'yellow'))
  if alarms:
    parts.append(
      _lines((f'ALARM, {x.name}: {_in_words(x)}' for x in alarms), 'bold red')
    )
  marked = reasons.lines()
  if level == VERBOSE:
    marked += _explained(page)
  if marked:
    parts.append(_lines(marked, 'dim'))
  sentence = summary['question'].get('sentence')
  if level == VERBOSE and sentence:
    parts.append(_text(sentence))
  for part in parts:
    console.print()
    console.print(part)


def print_first(
  summary: Mapping[str, Any],
  console: rich.console.Console,
  *,
  warnings: str = 'below',
) -> None:
  """Prints the lines of the page's first screen; see `first.build`."""
  print_screen(first.build(summary, warnings=warnings), console)


def print_screen(screen: first.Screen, console: rich.console.Console) -> None:
  """Prints what is said before all else."""
  style = _STYLES.get(screen.verdict, '').replace('dim', '')
  answer = ' '.join(filter(None, (screen.answer, screen.aside)))
  console.print()
  console.print(_text(' · '.join(screen.cohort), 'dim'))
  console.print(
    _text(screen.question, 'bold') + _text(f'  {answer}', f'bold {style}')
  )
  if screen.gain:
    gain = screen.gain
    line = ' '.join(
      filter(None, (gain.number, gain.metric, gain.bounds, gain.over))
    )
    arrow = gain.arrow('->')
    console.print(_text(f'{line}   {arrow}'.rstrip()))
  else:
    console.print(_text(screen.sentence))
  if screen.added:
    for line in _wrapped('added', screen.added, console.width):
      console.print(_text(line, 'dim'))
  grid = rich.table.Table.grid(padding=(0, 2, 0, 0))
  grid.add_column(no_wrap=True)
  grid.add_column()
  for line in screen.lines:
    color = {'alarm': 'bold red', 'but': 'yellow'}.get(line.style, '')
    grid.add_row(_text(line.label, 'bold'), _text(line.text, color))
  console.print(grid)
  if screen.counts:
    counts = [_text(text, _STYLES.get(v, '')) for v, text in screen.counts]
    console.print(_text(' · ').join(counts))


def _wrapped(start, pieces, width) -> list[str]:
  """Pieces one after the other on lines, none of them broken."""
  lines = [start]
  for k, piece in enumerate(pieces):
    text = piece if k == len(pieces) - 1 else f'{piece} ·'
    if len(lines[-1]) + 1 + len(text) > width:
      lines.append(' ' * len(start))
    lines[-1] += f' {text}'
  return lines


def _explained(page) -> list[str]:
  """The footnotes of what these tables show; others are of the page.

  A footnote begins with the names that it explains.
  """
  rows = page.rows()
  shown = {page.facts.metric, '[95%]', *side_lib.names(page)}
  shown |= {r.arm for r in rows} | {r.mark for r in rows}
  if page.compared():
    shown |= {'gain', 'superior'}
  return [
    line
    for line in page.footnotes
    if not shown.isdisjoint(line.partition(':')[0].split(', '))
  ]


def _in_words(audit: audits.Audit) -> str:
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


def _arm_tables(page, console, *, side):
  """The tables of all arms as wide as the console allows, and their reasons."""
  for layout, gap in _LAYOUTS if side else _LAYOUTS_WITHOUT_SIDE:
    reasons = text_lib.Reasons()
    tables = [
      _arm_table(page, page.groups, kinds, reasons, gap) for kinds in layout
    ]
    parts = [x for x in tables if x.row_count]
    if page.complete_title:
      parts.append(_lines([page.complete_title], 'bold'))
    for kinds in layout if page.complete else ():
      kept = [x for x in kinds if x != _SIDE]
      table = _arm_table(page, page.complete, kept, reasons, gap)
      parts += [table] if kept and table.row_count else []
    if all(_natural(x, console) <= console.width for x in tables):
      break
  return parts, reasons


def _natural(table, console) -> int:
  """The width of a table none of whose cells is broken."""
  options = console.options.update(max_width=10_000)
  return rich.measure.Measurement.get(console, options, table).maximum


def _arm_table(page, groups, kinds, reasons, gap) -> rich.table.Table:
  """One heading line per strategy, then one for each of its arms."""
  kinds = [kind for kind in kinds if _columns(page, kind)]
  titles = {
    _DIFFERENCE: f'Gain over {page.reference}',
    _SIDE: side_lib.title(page),
  }
  table = _table(titles.get(kinds[0], '') if kinds else '', gap=gap)
  table.add_column('arm', overflow='fold')
  for kind in kinds:
    for name, justify in _columns(page, kind):
      table.add_column(name, justify=justify, no_wrap=True)
  for strategy, rows in groups:
    rows = [r for r in rows if any(_has(r, x) for x in kinds)]
    if rows:
      table.add_row(_text(strategy, 'italic'))
    for row in rows:
      cells = [x for kind in kinds for x in _cells(page, row, kind, reasons)]
      name = f' {row.arm} {row.mark}'.rstrip()
      table.add_row(_text(name), *map(_as_text, cells))
  return table


def _has(row, kind) -> bool:
  """Whether a row has something of a kind to show."""
  if kind == _DIFFERENCE:
    return row.difference is not None
  return kind == _ESTIMATE or row.arm != content_lib.PICKED


def _columns(page, kind) -> list[tuple[str, str]]:
  """Headings, and the side on which the cells below them end."""
  if kind == _ESTIMATE:
    return [(f'{page.facts.metric} [95%]', 'right')]
  if kind == _SIDE:
    return [(name, 'right') for name in side_lib.names(page)]
  if not page.compared():
    return []
  return [
    ('gain [95%]', 'right'),
    ('p adj', 'right'),
    ('verdict', 'left'),
  ]


def _cells(page, row, kind, reasons):
  """One arm's cells under `_columns`."""
  if kind == _ESTIMATE:
    return [text_lib.interval(row.primary, reasons)]
  if kind == _SIDE:
    return [x.shown(reasons) for x in side_lib.values(page, row)]
  return [
    text_lib.interval(row.difference, reasons, signed=True),
    text_lib.p_value(row.p_adjusted),
    _text(
      reasons.mark(_verdict(row, page.facts.margin), row.verdict_reason),
      _STYLES.get(row.verdict, ''),
    ),
  ]


def _verdict(row, margin) -> str:
  """With what speaks against it."""
  within = row.within_margin and f'by < {text_lib.short(margin)}'
  fragile = row.fragile and f'fragile: {row.fragile}'
  return ', '.join(filter(None, (row.verdict, within, fragile)))


def _as_text(cell) -> rich.text.Text:
  return _text(cell) if isinstance(cell, str) else cell


def _fold_table(page) -> rich.table.Table:
  table = _table('Test part of each fold')
  for k, name in enumerate(page.fold_names):
    counts = all(fold[k].isdigit() for fold in page.folds)
    table.add_column(name, justify='right' if k and counts else 'left')
  for fold in page.folds:
    table.add_row(*map(_text, fold))
  return table
