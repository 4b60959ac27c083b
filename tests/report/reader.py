"""Reads a page as a browser would, and refuses what one would mend."""

import html.parser

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
  """

  def __init__(self):
    super().__init__()
    self.tags, self.attributes, self.open = [], [], []
    self.elements, self.headings = [], []
    self.text = ''

  def handle_starttag(self, tag, attrs):
    self._add(tag, attrs)
    if tag not in VOID:
      self.open.append(tag)

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

  def handle_data(self, data):
    self.text += data

  def values(self, name: str) -> list[str]:
    return [value for key, value in self.attributes if key == name]


def read(text: str) -> Reader:
  """The page, if every tag is closed where it should be."""
  reader = Reader()
  reader.feed(text)
  reader.close()
  assert not reader.open, reader.open
  return reader
