"""Tables of README and docs/ that are made from the code.

A table stands below a line `<!-- made of: NAME -->` and ends with the first
empty line. Flags and docstrings are read, not imported: commands share names of
flags.
"""

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterator

from experiments.studies.zoo import page
from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import families, roster
from fusion_jax.core import types
from fusion_jax.encoders import protocol
from fusion_jax.fusion import late
from fusion_jax.fusion import protocol as fusion_protocol
from fusion_jax.launch import command
from fusion_jax.training import pretrained
from fusion_jax.training import protocol as training_protocol
from tests import imports

COMMANDS = imports.ROOT / 'docs/commands.md'
_TABLE = re.compile(r'(<!-- made of: ([\w ]+) -->\n\n)((?:\|.*\n)*)')
_LAUNCH = imports.ROOT / 'fusion_jax/launch'
_REVIEW = {
  arm_lib.SINGLE: 'single modality',
  arm_lib.EARLY: 'early',
  arm_lib.JOINT: 'joint',
  arm_lib.LATE: 'late',
}


def pages() -> list:
  docs = imports.ROOT / 'docs'
  return [imports.ROOT / 'README.md', *sorted(docs.glob('*.md'))]


def remade(text: str) -> str:
  """A page with its tables as the code has them."""
  return _TABLE.sub(lambda m: m[1] + _made(m[2], m[3]), text)


def names(text: str) -> list[str]:
  """Of the tables of a page that are made from the code."""
  return [m[2] for m in _TABLE.finditer(text)]


def _made(name: str, old: str) -> str:
  kind, _, of = name.partition(' ')
  rows = {
    'flags': lambda: _flags(of),
    'arms': _arms,
    'family': lambda: _family(of),
    'layouts': _layouts,
    'tasks': _tasks,
    'encoders': lambda: _encoders(of),
    'settings': lambda: _settings(of, old),
    'parts': lambda: _parts(of),
    'measured': _measured,
  }[kind]()
  head, *rows = rows
  rule = ['---'] * len(head)
  lines = (f'| {" | ".join(row)} |\n' for row in (head, rule, *rows))
  return ''.join(re.sub(r'\|  (?=\|)', '| ', x) for x in lines)


def _tree(name: str) -> ast.Module:
  return ast.parse((_LAUNCH / f'{name}.py').read_text(encoding='utf-8'))


def flags_of(name: str) -> Iterator[tuple[str, str]]:
  """Name and help of each flag that a module of the launchers defines."""
  tree = _tree(name)
  for node in ast.walk(tree):
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
      if node.func.attr.startswith('DEFINE_'):
        flag, _, text = node.args[:3]
        yield ast.literal_eval(flag), ast.literal_eval(text).rstrip('.')
  for item in imports.parse(ast.unparse(tree), path=f'{name}.py'):
    if item.name == 'fusion_jax.launch.loudness' and item.top:
      yield from flags_of('loudness')


def _flags(name):
  yield 'flag', 'meaning'
  for flag, text in flags_of(name):
    yield f'`--{flag}`', text


def _listed():
  for strategy in _REVIEW:
    for name, arm in families.review(families.USUAL).items():
      if arm.strategy == strategy:
        yield name, arm


def _class(arm) -> str:
  kind = f', type {arm.type}' if arm.type else ''
  return f'{_REVIEW[arm.strategy]}{kind}'


def _arms():
  yield 'arm', 'review', 'what it is'
  for name, arm in _listed():
    yield f'`{name}`', _class(arm), arm.summary


def _family(name):
  yield 'arm', 'review', 'what it is'
  for arm, parts in families.FAMILIES[name](families.USUAL).items():
    # Those of the review have a table of their own.
    if arm not in dict(_listed()) and not parts.extracts:
      yield f'`{arm}`', _class(parts), parts.summary


def _layouts():
  yield 'layout', 'encoder', 'file'
  known = pretrained.LAYOUTS
  for name in known.names():
    layout = known.build(name)
    encoders = ' or '.join(f'`{layout.with_needs(x)}`' for x in layout.encoders)
    file = known.get(name).summary
    if layout.package:
      file += f'; also as `{pretrained.PACKAGE}`'
    yield f'`{name}`', encoders, file


def _tasks():
  yield 'arm', *types.TASK_KINDS, 'interactions', 'an absent modality'
  for name, arm in _listed():
    claims = roster.claims(arm)
    tasks = ('yes' if x in claims.tasks else '' for x in types.TASK_KINDS)
    several = len(arm.modalities) > 1
    interacts = 'yes' if several and claims.interactions else ''
    yield f'`{name}`', *tasks, interacts, claims.absent


_PARTS = {
  'combiners': fusion_protocol.COMBINERS,
  'exchanges': fusion_protocol.EXCHANGES,
  'methods': training_protocol.METHODS,
  'rules': late.RULES,
}
# Of the library: other packages' parts are theirs to document.
_OURS = 'fusion_jax.'


def told(entry) -> tuple[str, str]:
  """Where a part is from and what differs, as its module's docstring says."""
  text = inspect.getmodule(entry.build).__doc__ or ''
  _, *blocks = [' '.join(x.split()) for x in text.split('\n\n')]
  start = 'What differs: '
  differs = [x.removeprefix(start) for x in blocks if x.startswith(start)]
  source = [x for x in blocks if not x.startswith(start)]
  return ' '.join(source), ' '.join(x[0].upper() + x[1:] for x in differs)


def parts(kind: str) -> list:
  """Entries of the library's own combiners, exchanges, methods or rules."""
  known = _PARTS[kind]
  entries = [known.get(name) for name in known.names()]
  return [x for x in entries if x.build.__module__.startswith(_OURS)]


def _parts(kind):
  if kind == 'methods':
    yield from _methods()
    return
  if kind == 'rules':
    yield from _rules()
    return
  yield 'part', 'what it is', 'interactions', 'from', 'what differs'
  for entry in parts(kind):
    interacts = 'yes' if entry.claims.get('interactions', True) else ''
    yield f'`{entry}`', entry.summary, interacts, *told(entry)


def _methods():
  yield 'method', 'does', 'tasks', 'absence', 'from', 'what differs'
  for entry in parts('methods'):
    tasks = ', '.join(entry.claims.get('tasks', ())) or 'all'
    missing = entry.claims.get('missing', ())
    # In all places, or in those that are named.
    absence = 'yes' if missing is True else ', '.join(missing)
    yield f'`{entry}`', entry.summary, tasks, absence, *told(entry)


def _rules():
  yield 'rule', 'what it is', 'tasks', 'interactions', 'from', 'what differs'
  for entry in parts('rules'):
    rule = late.create(entry.name)
    every = set(rule.tasks) == set(types.TASK_KINDS)
    tasks = 'all' if every else ', '.join(rule.tasks)
    interacts = 'yes' if rule.interactions else ''
    yield f'`{entry}`', entry.summary, tasks, interacts, *told(entry)


def _measured():
  """Of every part what was measured of it, if anything was."""
  measured = page.read()
  return page.table(measured, page.everything(measured))


def _encoders(kind):
  yield 'encoder, with its defaults', 'what it is'
  known = protocol.encoders(kind)
  for entry in map(known.get, known.names()):
    # Not those that tests have registered.
    if entry.build.__module__.startswith('fusion_jax.'):
      default = ' (the default)' if entry.claims.get('default') else ''
      yield f'`{entry}`', f'{entry.summary}{default}'


def groups() -> list[str]:
  """Groups of settings; 'run' stands for those in no group."""
  base = config_lib.ExperimentConfig()
  fields = [x.name for x in dataclasses.fields(base)]
  return [
    'run',
    *(x for x in fields if dataclasses.is_dataclass(getattr(base, x))),
  ]


def _settings(group, old):
  there = dict(re.findall(r'^\| `([\w.]+)` \|[^|]*\| (.*) \|$', old, re.M))
  yield 'name', 'default', 'meaning'
  for name, (value, meaning) in _leaves(group).items():
    text = written(value)
    # What a page says in its own words stays.
    meaning = there.get(name, meaning)
    yield f'`{name}`', f'`{text}`' if text else '', meaning


def _leaves(group: str) -> dict[str, tuple]:
  """By name, default and docstring of each setting of a group."""
  base = config_lib.ExperimentConfig()
  if group == 'run':
    waiting, found = {'': base}, {}
  else:
    waiting, found = {f'{group}.': getattr(base, group)}, {}
  while waiting:
    prefix, owner = waiting.popitem()
    meanings = _meanings(type(owner))
    for field in dataclasses.fields(owner):
      value = getattr(owner, field.name)
      if dataclasses.is_dataclass(value) and group != 'run':
        waiting[f'{prefix}{field.name}.'] = value
      elif not _is_group(value):
        found[prefix + field.name] = value, meanings.get(field.name, '')
  return found


def _is_group(value) -> bool:
  """Whether a setting is more than one value that --set could read."""
  if isinstance(value, tuple):
    return any(map(dataclasses.is_dataclass, value))
  return dataclasses.is_dataclass(value) or isinstance(value, dict)


def written(value) -> str:
  """A default as `--set` would read it."""
  if isinstance(value, bool):
    return str(value).lower()
  return ','.join(map(str, value)) if isinstance(value, tuple) else str(value)


def _meanings(kind) -> dict[str, str]:
  """What the docstring of a dataclass says of its attributes."""
  text = (kind.__doc__ or '').partition('Attributes:')[2]
  found = re.findall(r'^    (\w+): (.*(?:\n {6,}.*)*)', text, re.M)
  return {k: ' '.join(v.split()).rstrip('.') for k, v in found}


def commands_page() -> str:
  """docs/commands.md, all of it."""
  blocks = [
    '# Commands',
    'Written by `python tests/docs_test.py --write`: edit the docstrings and '
    'flags in\n`fusion_jax/launch/`, not this page. In a checkout,\n'
    '`python -m experiments.NAME` is the same as `fusion-jax NAME`.',
  ]
  for name in command.COMMANDS:
    first, *rest = ast.get_docstring(_tree(name)).split('\n\n')
    rest = [
      f'```sh\n{_dedented(x)}\n```' if x.startswith('  ') else x for x in rest
    ]
    blocks += [f'## {name}', first, *rest]
    blocks += [f'<!-- made of: flags {name} -->', _made(f'flags {name}', '')]
  return '\n\n'.join(x.rstrip('\n') for x in blocks) + '\n'


def _dedented(block: str) -> str:
  return '\n'.join(x.strip() for x in block.splitlines())
