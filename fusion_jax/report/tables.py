"""One kind of table for the page, CSV files and LaTeX."""

import csv
import dataclasses
import io
import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fusion_jax.core import plain as plain_lib
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

  def bare(self, reasons: text_lib.Reasons | None = None) -> str:
    """As `shown`, but counts are exact; without marks where None."""
    if reasons is None:
      number = self.number and dataclasses.replace(self.number, reason='')
      plain = dataclasses.replace(self, number=number, reason='')
      return plain.bare(text_lib.Reasons())
    if self.number is None and isinstance(self.value, int):
      return reasons.mark(f'{self.value:,}', self.reason)
    return self.shown(reasons)

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
    meaning: what it holds, where the glossary does not say.
  """

  title: str
  word: bool = False
  interval: bool = False
  meaning: str = ''


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
    shown: whether the page shows it without asking.
    printed: whether it is short enough for LaTeX.
  """

  name: str
  title: str
  columns: Sequence[Column]
  groups: Sequence[tuple[str, Sequence[Sequence[Cell]]]]
  note: str = ''
  wide: bool = False
  shown: bool = False
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


def sentences(
  name: str, title: str, column: str, lines: Sequence[str]
) -> Table:
  """A table of one column, a sentence a row."""
  rows = [[word(x)] for x in lines]
  return plain_table(name, title, of_words(column), rows)


def word(text: object, **options) -> Cell:
  """Text as it stands."""
  return Cell(str(text), **options)


def count(value: int | None) -> Cell:
  """A count, short on the page and exact in a file."""
  return Cell(text_lib.count(value), value='' if value is None else value)


def of_words(*titles: str) -> list[Column]:
  """Columns of words."""
  return [Column(x, word=True) for x in titles]


def entry(
  value: Mapping[str, Any] | None, key: str = 'estimate', **options: Any
) -> Cell:
  """A summary's {estimate, low, high, reason}; empty where there is none.

  Args:
    value: that.
    key: of its estimate.
    **options: see `number`.
  """
  return number(text_lib.number(value, key), **options)


def p_value(value: float | None, reason: str = '') -> Cell:
  """A p-value; undefined where None and there is a reason."""
  if value is None:
    text = text_lib.UNDEFINED if reason else ''
    return Cell(text, value='', reason=reason)
  return Cell(text_lib.p_value(value), value=value)


def number(
  value: text_lib.Number | None, otherwise: str = '', *, signed: bool = False
) -> Cell:
  """A number, or the reason why there is none."""
  if value is None:
    return Cell(value='', reason=otherwise)
  return Cell(number=value, signed=signed)


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
  writer.writerow(map(_in_sheet, [*header, 'reason']))
  for heading, rows in table.groups:
    for row in rows:
      line = [heading] if grouped else []
      for column, cell in zip(table.columns, row, strict=True):
        line += _values(cell, column.interval)
      reasons = dict.fromkeys(x.why() for x in row if x.why())
      writer.writerow(map(_in_sheet, [*line, '; '.join(reasons)]))
  return out.getvalue()


def _in_sheet(value: object) -> object:
  return plain_lib.in_sheet(value) if isinstance(value, str) else value


def _values(cell: Cell, interval: bool) -> list[object]:
  number = cell.number
  if number is None:
    value = cell.text if cell.value is None else cell.value
    return [value, '', ''] if interval else [value]
  numbers = [number.estimate, number.low, number.high]
  numbers = ['' if x is None else x for x in numbers]
  return numbers if interval else numbers[:1]


# How LaTeX's Latin fonts print what is no letter, digit or accent.
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
  '|': r'\textbar{}',
  '`': r'\textasciigrave{}',
  '±': r'$\pm$',
  '×': r'$\times$',
  '≥': r'$\geq$',
  '≤': r'$\leq$',
  '≠': r'$\neq$',
  '≈': r'$\approx$',
  '−': r'$-$',
  '→': r'$\rightarrow$',
  '∞': r'$\infty$',
}
_GREEK = (
  'alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi '
  'omicron pi rho varsigma sigma tau upsilon phi chi psi omega'
).split()
_TEX |= {
  chr(ord('α') + k): rf'$\{name}$'
  for k, name in enumerate(_GREEK)
  if name != 'omicron'
} | {
  name[0]: rf'$\{name[1:]}$'
  for name in (
    'ΓGamma ΔDelta ΘTheta ΛLambda ΞXi ΠPi ΣSigma ΦPhi ΨPsi ΩOmega'.split()
  )
}
# A `table` floats and has to fit a page; what has more lines breaks.
_FLOATING = 40
# Sizes with the width of a character, and the width of a line, in points: those
# of `article` at 10 points on upright paper.
_SIZES = (
  (r'\normalsize', 4.8),
  (r'\small', 4.4),
  (r'\footnotesize', 4.1),
  (r'\scriptsize', 3.8),
)
_LINE = 345.0
_GAP = 6.0
# Columns of words are broken into lines where they have more characters than
# the first and keep those of the second; of sentences, those of the third. The
# later ones are for tables that do not fit otherwise.
_BROKEN = ((30, 14, 28), (14, 14, 28), (14, 14, 14))
_SENTENCE = 60


def tex_escape(text: str) -> str:
  """Text on one line that LaTeX prints as it stands.

  Ligatures of hyphens are kept apart. Letters of other scripts than Latin and
  Greek stay as they are, for engines that have fonts for them.
  """
  line = ''.join(c for c in ' '.join(text.split()) if c.isprintable())
  while '--' in line:
    line = line.replace('--', '-\0-')
  return ''.join(_TEX.get(c, c) for c in line).replace('\0', '{}')


def to_tex(table: Table) -> str:
  r"""A `table`, or a `longtable` where a page is too short for it.

  Needs \usepackage{array,booktabs,longtable}. Its size is such that it fits
  the width of a page; a comment says where none does.
  """
  reasons = text_lib.Reasons()
  groups = [
    (heading, [[_tex_cell(x, reasons) for x in row] for row in rows])
    for heading, rows in table.groups
    if rows
  ]
  layout = _layout(table)
  titles = [
    r'\shortstack[{}]{{{}}}'.format(place, r'\\'.join(map(tex_escape, title)))
    if len(title) > 1
    else tex_escape(title[0])
    for title, place in zip(layout.titles, layout.places, strict=True)
  ]
  head = [r'\toprule', _tex_row(titles), r'\midrule']
  body = []
  for k, (heading, rows) in enumerate(groups):
    if k:
      body.append(r'\midrule')
    if heading:
      text = rf'\textit{{{tex_escape(heading)}}}'
      body.append(rf'\multicolumn{{{len(titles)}}}{{l}}{{{text}}} \\*')
    # Cells of several lines stand apart.
    gap = [r'\addlinespace'] if layout.broken else []
    body += [y for x in rows for y in (*gap, _tex_row(x))][len(gap) :]
  caption = rf'\caption{{{tex_escape(table.title)}}}\label{{tab:{table.name}}}'
  size = rf'{layout.size}\setlength{{\tabcolsep}}{{{_GAP / 2:g}pt}}'
  align = ''.join(layout.align)
  notes = [
    rf'\par\smallskip {tex_escape(line)}'
    for line in (table.note, *reasons.lines())
    if line
  ]
  lines = [] if layout.fits else ['% Wider than upright paper.']
  if layout.lines > _FLOATING:
    lines += [
      *(rf'\begingroup{size}', rf'\begin{{longtable}}{{{align}}}'),
      *(rf'{caption} \\', *head, r'\endfirsthead'),
      *(*head, r'\endhead', r'\bottomrule', r'\endfoot', *body),
      *(r'\end{longtable}', *notes, r'\endgroup'),
    ]
  else:
    lines += [
      *(r'\begin{table}', caption, rf'\centering{size}'),
      *(rf'\begin{{tabular}}{{{align}}}', *head, *body, r'\bottomrule'),
      *(r'\end{tabular}', *notes, r'\end{table}'),
    ]
  return '\n'.join([*lines, ''])


@dataclasses.dataclass(frozen=True)
class _Layout:
  """How a table is set.

  Attributes:
    size: of its type.
    titles: of its columns, in lines.
    places: 'l' or 'r' of each column.
    align: columns as `tabular` takes them.
    broken: whether sentences are broken into lines.
    lines: how many it has, about.
    fits: whether the width of a page is enough.
  """

  size: str
  titles: list[list[str]]
  places: list[str]
  align: list[str]
  broken: bool
  lines: int
  fits: bool


def _layout(table) -> _Layout:
  unmarked = text_lib.Reasons()
  texts = [[cell.bare(unmarked) for cell in row] for row in table.rows()]
  body = [max(map(len, column)) for column in zip(*texts, strict=True)]
  titles = [
    textwrap.wrap(
      x.title, max(n, math.ceil(len(x.title) / 2)), break_long_words=False
    )
    for x, n in zip(table.columns, body, strict=True)
  ]
  natural = [
    max(n, *map(len, title)) for n, title in zip(body, titles, strict=True)
  ]
  longest = [
    max(len(x) for text in (*title, *column) for x in text.split())
    for title, column in zip(titles, zip(*texts, strict=True), strict=True)
  ]

  def needed(long, word, sentence):
    widths = []
    for column, n, least in zip(table.columns, natural, longest, strict=True):
      kept = max(least, sentence if n > _SENTENCE else word)
      widths.append(min(n, kept) if column.word and n > long else n)
    return widths

  room = _LINE - _GAP * len(body)
  ways = [(needed(*broken), x) for broken in _BROKEN for x in _SIZES]
  fitting = [x for x in ways if x[1][1] * sum(x[0]) <= room]
  widths, (size, point) = fitting[0] if fitting else ways[-1]
  # What is left goes to the columns that were narrowed.
  lacking = [a - b for a, b in zip(natural, widths, strict=True)]
  spare = max(room / point - sum(widths), 0)
  given = min(1.0, spare / max(sum(lacking), 1))
  widths = [n + given * more for n, more in zip(widths, lacking, strict=True)]
  places = [
    'l' if k == 0 or x.word else 'r' for k, x in enumerate(table.columns)
  ]
  align = [
    r'>{\raggedright\arraybackslash}'
    rf'p{{{point * n / _LINE:.2f}\linewidth}}'
    if more
    else place
    for place, n, more in zip(places, widths, lacking, strict=True)
  ]
  count = len(table.groups) + sum(
    max(math.ceil(len(x) / n) for x, n in zip(row, widths, strict=True))
    for row in texts
  )
  broken = any(
    n > _SENTENCE and more for n, more in zip(natural, lacking, strict=True)
  )
  return _Layout(size, titles, places, align, broken, count, bool(fitting))


def _tex_cell(cell, reasons) -> str:
  text = tex_escape(cell.bare(reasons))
  if cell.number is None and not isinstance(cell.value, int | float):
    return text
  return re.sub(r'(?<!\w)-(?=[.\d])', '$-$', text)


def _tex_row(texts) -> str:
  # A row that begins with a bracket is no option of the \\ before it.
  return ' & '.join(f'{{}}{x}' if x.startswith('[') else x for x in texts) + (
    r' \\'
  )
