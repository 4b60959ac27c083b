"""The words of reports, which stand in templates.

A document is `templates/NAME.txt`; a block of it is one passage: a text on one
line, for whichever renderer takes it. Nothing is escaped here: the page and the
cards escape what they are given.
"""

import dataclasses
import functools
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any

import jinja2

from fusion_jax.core import words
from fusion_jax.report import text as text_lib


def listed(names: Iterable[object]) -> str:
  """`a, b and c`; '' of nothing."""
  *first, last = list(map(str, names)) or ['']
  return f'{", ".join(first)} and {last}' if first else last


def many(number: int, noun: str = '') -> str:
  """'1,234 studies'; the number alone without a noun."""
  noun = noun and (noun if number == 1 else words.plural(noun))
  return f'{number:,} {noun}'.rstrip()


def _pieces(text: str, between: str = '; ') -> str:
  """Lines that say something, one after the other."""
  return between.join(filter(None, map(_on_one_line, text.splitlines())))


# A blank before these comes of a line break in a template.
_CLOSING = re.compile(r'\s+([,;:)]|\.(?=\s|$))')


def _on_one_line(text: str) -> str:
  return _CLOSING.sub(r'\1', ' '.join(text.split()))


# How templates may write what they are given.
_FILTERS = {
  'count': text_lib.count,
  'counted': words.counted,
  'duration': text_lib.duration,
  'interval': lambda x: text_lib.interval(x, text_lib.Reasons(), signed=True),
  'listed': listed,
  'many': many,
  'md': text_lib.markdown,
  'metric': words.metric,
  'p_value': text_lib.p_value,
  'percent': lambda x: f'{100 * x:.0f}%',
  'pieces': _pieces,
  'plain': text_lib.plain,
  'ratio': text_lib.ratio,
  'short': text_lib.short,
  'signed': lambda x: text_lib.plain(x, signed=True),
  'shortest': lambda x: f'{x:g}',
  'upper_first': lambda x: x[:1].upper() + x[1:],
  'without_stop': lambda x: str(x).rstrip('.'),
}


@functools.cache
def environment(*, escapes: bool, keeps_lines: bool) -> jinja2.Environment:
  """Of all templates of reports; a name that is not known is an error.

  Args:
    escapes: whether what a template is given is escaped for HTML.
    keeps_lines: whether line breaks mean something.
  """
  made = jinja2.Environment(
    loader=jinja2.PackageLoader(__package__),
    autoescape=escapes,
    undefined=jinja2.StrictUndefined,
    trim_blocks=keeps_lines,
    lstrip_blocks=keeps_lines,
    keep_trailing_newline=keeps_lines and not escapes,
  )
  made.filters |= _FILTERS
  made.globals['passage'] = _another
  return made


def passage(
  document: str, name: str, facts: Any = None, /, **context: Any
) -> str:
  """One passage of a document; '' where nothing applies.

  Args:
    document: name of the template, without its ending.
    name: of the block.
    facts: a dataclass, whose fields the passage may use by name.
    **context: further names.
  """
  return _render(_template(document), name, _context(facts, context))


def passages(
  document: str,
  facts: Any = None,
  /,
  *,
  only: Sequence[str] = (),
  **context: Any,
) -> dict[str, str]:
  """By name, the passages of a document in its order; see `passage`.

  Args:
    document: name of the template, without its ending.
    facts: a dataclass, whose fields the passages may use by name.
    only: those whose names begin with one of these; all if empty.
    **context: further names.
  """
  template, known = _template(document), _context(facts, context)
  return {
    name: _render(template, name, known)
    for name in template.blocks
    if not only or name.startswith(tuple(only))
  }


def line(source: str, facts: Any) -> str:
  """A text on one line from a template that is no document."""
  if '{' not in source:
    return source
  return _on_one_line(_compiled(source).render(_context(facts, {})))


@functools.cache
def _compiled(source: str) -> jinja2.Template:
  return environment(escapes=False, keeps_lines=False).from_string(source)


@functools.cache
def data(document: str) -> Mapping[str, Any]:
  """What `templates/DOCUMENT.toml` holds."""
  path = resources.files(__package__) / 'templates' / f'{document}.toml'
  return tomllib.loads(path.read_text(encoding='utf-8'))


def _template(document: str) -> jinja2.Template:
  made = environment(escapes=False, keeps_lines=False)
  return made.get_template(f'{document}.txt')


def _context(facts, context) -> dict[str, Any]:
  if facts is None:
    return context
  fields = dataclasses.fields(facts)
  return {x.name: getattr(facts, x.name) for x in fields} | context


def _render(
  template: jinja2.Template, name: str, known: Mapping[str, Any]
) -> str:
  context = template.new_context(dict(known))
  return _on_one_line(''.join(template.blocks[name](context)))


@jinja2.pass_context
def _another(context, name: str, document: str = '') -> str:
  """Another passage, of the same facts."""
  template = _template(document or context.name.removesuffix('.txt'))
  return _render(template, name, context.get_all())
