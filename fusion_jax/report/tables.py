"""One kind of table for the page, CSV files and LaTeX."""

import csv
import dataclasses
import io
from collections.abc import Iterator, Sequence

from fusion_jax.report import text as text_lib


@dataclasses.dataclass(frozen=True)
class Cell:
  """What stands in one place of a table.

  Attributes:
    text: as a reader sees it, where `number` is None.
    value: the same for a CSV file, unrounded; `text` where None.
    number: an estimate with its interval, instead of text.
    signed: whether `number` is a difference.
    style: class of the page's style sheet ('superior', 'alarm').
    reason: why nothing or no more stands here.
  """

  text: str = ''
  value: float | str | None = None
  number: text_lib.Number | None = None
  signed: bool = False
  style: str = ''
  reason: str = ''

  def shown(self, reasons: text_lib.Reasons) -> str:
    """With the marks of what is explained below."""
    if self.number is not None:
      return text_lib.interval(self.number, reasons, signed=self.signed)
    return reasons.mark(self.text, self.reason)

  def bare(self) -> str:
    """Without marks; counts are exact."""
    if self.number is None:
      return f'{self.value:,}' if isinstance(self.value, int) else self.text
    number = dataclasses.replace(self.number, reason='')
    return text_lib.interval(number, text_lib.Reasons(), signed=self.signed)

  def why(self) -> str:
    return self.number.reason if self.number is not None else self.reason


@dataclasses.dataclass(frozen=True)
class Column:
  """A column.

  Attributes:
    title: heading.
    word: whether it holds words, which are set flush left.
    interval: whether its cells hold numbers with intervals; a CSV file has
      three columns for it.
  """

  title: str
  word: bool = False
  interval: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
  """A table whose first column names its rows.

  Attributes:
    name: of its files: lower case, no blanks.
    title: one line.
    columns: headings.
    groups: (heading or '', rows of cells), each row as long as `columns`.
    note: one line below.
    wide: whether a phone shows it as it is, to be scrolled, rather than one
      card per row.
    folded: whether the page shows it only on request.
    printed: whether it is short enough for LaTeX.
  """

  name: str
  title: str
  columns: Sequence[Column]
  groups: Sequence[tuple[str, Sequence[Sequence[Cell]]]]
  note: str = ''
  wide: bool = False
  folded: bool = False
  printed: bool = True

  def __post_init__(self):
    for row in self.rows():
      if len(row) != len(self.columns):
        raise ValueError(
          f"Table '{self.name}' has {len(self.columns)} columns and a row of "
          f'{len(row)}.'
        )

  def rows(self) -> Iterator[Sequence[Cell]]:
    for _, rows in self.groups:
      yield from rows

  def __bool__(self) -> bool:
    return any(rows for _, rows in self.groups)


def plain_table(name, title, columns, rows, **options) -> Table:
  """A table without groups."""
  return Table(name, title, columns, [('', rows)], **options)


def word(text: object, **options) -> Cell:
  """Text as it stands."""
  return Cell(str(text), **options)


def count(value: int | None) -> Cell:
  """A count, short on the page and exact in a file."""
  return Cell(text_lib.count(value), value='' if value is None else value)


def plain(value: float | None, reason: str = '') -> Cell:
  """A number without interval; undefined where None."""
  if value is None:
    return Cell(text_lib.UNDEFINED, value='', reason=reason)
  return Cell(text_lib.plain(value), value=value, reason=reason)


def to_csv(table: Table) -> str:
  """Unrounded values; reasons of undefined ones in the last column."""
  out = io.StringIO()
  writer = csv.writer(out, lineterminator='\n')
  grouped = any(heading for heading, _ in table.groups)
  header = ['group'] if grouped else []
  for column in table.columns:
    header.append(column.title)
    if column.interval:
      header += [f'{column.title} low', f'{column.title} high']
  writer.writerow([*header, 'reason'])
  for heading, rows in table.groups:
    for row in rows:
      line = [heading] if grouped else []
      for column, cell in zip(table.columns, row, strict=True):
        line += _values(cell, column.interval)
      reasons = dict.fromkeys(x.why() for x in row if x.why())
      writer.writerow([*line, '; '.join(reasons)])
  return out.getvalue()


def _values(cell: Cell, interval: bool) -> list[object]:
  number = cell.number
  if number is None:
    value = cell.text if cell.value is None else cell.value
    return [value, '', ''] if interval else [value]
  found = [number.estimate, number.low, number.high]
  found = ['' if x is None else x for x in found]
  return found if interval else found[:1]


_TEX = {
  '\\': r'\textbackslash{}',
  '{': r'\{',
  '}': r'\}',
  '$': r'\$',
  '&': r'\&',
  '#': r'\#',
  '%': r'\%',
  '_': r'\_',
  '^': r'\textasciicircum{}',
  '~': r'\textasciitilde{}',
  '<': r'\textless{}',
  '>': r'\textgreater{}',
  '±': r'$\pm$',
  '×': r'$\times$',
  '≥': r'$\geq$',
  '≤': r'$\leq$',
}


def tex_escape(text: str) -> str:
  """Text that LaTeX prints as it stands."""
  return ''.join(_TEX.get(c, c) for c in text)


def to_tex(table: Table) -> str:
  r"""A `table` environment; needs \usepackage{booktabs}."""
  align = ''.join('l' if c.word else 'r' for c in table.columns[1:])
  width = len(table.columns)
  lines = [
    r'\begin{table}',
    rf'\caption{{{tex_escape(table.title)}}}',
    rf'\label{{tab:{table.name}}}',
    r'\centering',
    rf'\begin{{tabular}}{{l{align}}}',
    r'\toprule',
    _tex_row(c.title for c in table.columns),
  ]
  for heading, rows in table.groups:
    lines.append(r'\midrule')
    if heading:
      text = tex_escape(heading)
      lines.append(rf'\multicolumn{{{width}}}{{l}}{{\textit{{{text}}}}} \\')
    # A row that begins with a bracket is no option of the \\ before it.
    lines += [_tex_row(cell.bare() for cell in row) for row in rows]
  lines += [r'\bottomrule', r'\end{tabular}']
  if table.note:
    lines.append(rf'\par\smallskip {tex_escape(table.note)}')
  return '\n'.join([*lines, r'\end{table}', ''])


def _tex_row(cells) -> str:
  texts = [tex_escape(x) for x in cells]
  return ' & '.join(f'{{}}{x}' if x.startswith('[') else x for x in texts) + (
    r' \\'
  )
