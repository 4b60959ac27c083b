"""Reads a page as a browser would, refusing what it would mend; and tables."""

import csv
import html.parser
import io

from fusion_jax.report import tables

VOID = ('meta', 'line', 'rect', 'path', 'circle', 'br', 'link', 'img', 'use')
_HEADINGS = ('h1', 'h2', 'h3', 'h4')


class Reader(html.parser.HTMLParser):
  """Collects tags, attributes and text, and holds tags against each other.

  Attributes:
    tags: names, in order.
    elements: (tag, attributes) in order.
    attributes: (name, value) of all of them.
    headings: their levels, in order.
    text: all that is said.
    open_text: the same without what is folded, scripts and descriptions.
  """

  def __init__(self):
    super().__init__()
    self.tags, self.attributes, self.open = [], [], []
    self.elements, self.headings = [], []
    self.text = self.open_text = ''
    self._folded: list[bool] = []

  def handle_starttag(self, tag, attrs):
    self._add(tag, attrs)
    if tag not in VOID:
      self.open.append(tag)
      self._folded.append(tag == 'details' and 'open' not in dict(attrs))

  def handle_startendtag(self, tag, attrs):
    self._add(tag, attrs)

  def _add(self, tag, attrs):
    names = [name for name, _ in attrs]
    assert len(set(names)) == len(names), (tag, attrs)
    self.tags.append(tag)
    self.attributes += attrs
    self.elements.append((tag, dict(attrs)))
    if tag in _HEADINGS:
      self.headings.append(int(tag[1]))

  def handle_endtag(self, tag):
    if tag not in VOID:
      assert self.open.pop() == tag, tag
      self._folded.pop()

  def handle_data(self, data):
    if {'script', 'style'} & set(self.open):
      return
    self.text += data
    if not self._hidden():
      self.open_text += data

  def _hidden(self) -> bool:
    """Whether this is folded; the summary of what is folded is not."""
    if {'head', 'title', 'desc'} & set(self.open):
      return True
    for k, folded in enumerate(self._folded):
      if folded and self.open[k + 1 : k + 2] != ['summary']:
        return True
    return False

  def values(self, name: str) -> list[str]:
    return [value for key, value in self.attributes if key == name]


def read(text: str) -> Reader:
  """The page, if every tag is closed where it should be."""
  reader = Reader()
  reader.feed(text)
  reader.close()
  assert not reader.open, reader.open
  return reader


def rows(table) -> dict[tuple[str, ...], list]:
  """By the texts of the word columns, the other cells."""
  return {
    tuple(c.text for c, k in zip(row, table.columns, strict=True) if k.word): [
      c for c, k in zip(row, table.columns, strict=True) if not k.word
    ]
    for row in table.rows()
  }


def unexplained(table) -> list[dict[str, str]]:
  """Rows of a table's file that have an empty number and no reason for it."""
  numbers = [x.title for x in table.columns if not x.word]
  return [
    row
    for row in csv.DictReader(io.StringIO(tables.to_csv(table)))
    if '' in [row[x] for x in numbers] and not row['reason']
  ]
