"""The table of rows, and curves over rates."""

import json
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.studies.zoo import scores, subjects
from fusion_jax.ablation import roster
from fusion_jax.core import errors, files

# What has been measured, which the page of the documentation shows.
MEASURED = pathlib.Path(__file__).with_name('measured.json')
# Above the table of that page.
MARK = 'made of: measured methods'
_TABLE = re.compile(rf'(<!-- {MARK} -->\n\n)((?:\|.*\n)*)')
_WORDS = {subjects.RULE: 'late rule', subjects.SINGLE: 'single modality'}
NOT_RUN = 'not run'
HEAD = (
  'part',
  'is a',
  'synergy: share of the best lift (AUROC)',
  *(f'missing at {x}: lowest bound' for x in subjects.WHERE),
  'five modalities: AUROC (best possible)',
  'parameters',
  'processor seconds',
  'measured',
)


def read(path: pathlib.Path = MEASURED) -> dict[str, dict[str, Any]]:
  """By key of a subject, what was measured; {} where nothing was."""
  if not path.is_file():
    return {}
  return json.loads(path.read_text(encoding='utf-8'))['rows']


def record(
  rows: Mapping[str, Mapping[str, Any]],
  page: pathlib.Path,
  *,
  kept: pathlib.Path = MEASURED,
) -> None:
  """Adds rows to those that were measured, and to the table of a page.

  Raises:
    UserError: if the page has no such table, or cannot be written.
  """
  try:
    text = page.read_text(encoding='utf-8')
  except OSError as e:
    raise errors.UserError(f'{page}: {e.strerror}.') from None
  if not _TABLE.search(text):
    raise errors.UserError(f'{page} has no table below <!-- {MARK} -->.')
  before = read(kept)
  found = before | {k: {**before.get(k, {}), **x} for k, x in rows.items()}
  content = json.dumps({'rows': found}, indent=1, sort_keys=True)
  made = markdown(table(found, everything(found)))
  for path, new in (
    (kept, content + '\n'),
    (page, _TABLE.sub(lambda m: m[1] + made, text)),
  ):
    with files.saving(path) as part:
      part.write_text(new, encoding='utf-8')


def everything(
  measured: Mapping[str, Mapping[str, Any]],
) -> list[subjects.Subject]:
  """Single modalities that were measured, and all parts of the library."""
  keys = [x.split(':') for x in measured]
  alone = [name for kind, name in keys if kind == subjects.SINGLE]
  return [
    *(subjects.Subject(subjects.SINGLE, x) for x in sorted(alone)),
    *filter(is_ours, subjects.every()),
  ]


def is_ours(subject: subjects.Subject) -> bool:
  """Whether a part is the library's own: others' are theirs to document."""
  known = {x.kind: x for x in roster.registries()}
  entry = known[_WORDS.get(subject.kind, subject.kind)].get(subject.name)
  return entry.build.__module__.startswith('fusion_jax.')


def table(
  measured: Mapping[str, Mapping[str, Any]],
  known: Sequence[subjects.Subject],
) -> list[tuple[str, ...]]:
  """The head and a row for each subject, measured or not.

  A cell is bold where the part claims what it does not reach.
  """
  return [HEAD, *(_row(x, measured.get(x.key, {})) for x in known)]


def _row(subject, found) -> tuple[str, ...]:
  return (
    f'`{subject.name}`',
    _WORDS.get(subject.kind, subject.kind),
    _synergy(subject, found.get('synergy')),
    *(_missing(subject, found.get('gained'), x) for x in subjects.WHERE),
    _five(found.get('five')),
    f'{found["parameters"]:,}' if found.get('parameters') else '',
    f'{found["processor_seconds"]:.0f}' if found else '',
    _when(found),
  )


def _synergy(subject, found) -> str:
  if not found:
    return NOT_RUN
  low, high = min(found['by_seed']), max(found['by_seed'])
  text = f'{number(found["share"], 2)} ({number(found["auroc"], 3)}, seeds '
  text += f'{number(low, 2)} to {number(high, 2)})'
  return _marked(text, not reaches(subject, found))


def reaches(subject: subjects.Subject, found: Mapping[str, Any]) -> bool:
  """Whether what was measured of interactions is what a subject claims."""
  if subject.interactions is None:
    return True
  if subject.interactions:
    return found['share'] >= scores.LEAST_SHARE
  return abs(found['auroc'] - scores.CHANCE) <= scores.MOST_FROM_CHANCE


def _missing(subject, found, where) -> str:
  if subject.kind == subjects.SINGLE:
    return ''
  claimed = ' (claimed)' if where in subject.missing else ''
  if not found:
    return NOT_RUN + claimed
  low = min(x['low'] for x in found if x['where'] == where)
  short = where in subject.missing and low <= -scores.LOSS_ALLOWED
  sign = '+' if low > 0 else ''
  text = sign + number(low, 3)
  return _marked(
    text + (' (claimed)' if where in subject.missing else ''), short
  )


def _five(found) -> str:
  if not found:
    return NOT_RUN
  return f'{number(found["auroc"], 3)} ({number(found["oracle"], 3)})'


def _when(found) -> str:
  if not found:
    return ''
  versions = found['versions']
  told = ', '.join(f'{x} {versions[x]}' for x in ('jax', 'flax'))
  form = 'in small, ' if found.get('small') else ''
  return f'{form}{found["date"]}, {told}'


def _marked(text: str, short: bool) -> str:
  return f'**{text}**' if short else text


def number(value: float, decimals: int) -> str:
  """Without a zero before the point."""
  text = f'{value:.{decimals}f}'
  # A zero has no sign.
  text = text.lstrip('-') if float(text) == 0 else text
  return text.replace('0.', '.', 1) if abs(value) < 1 else text


def markdown(rows: Sequence[Sequence[str]]) -> str:
  """A table whose first row is its head."""
  head, *rest = rows
  lines = [head, ['---'] * len(head), *rest]
  text = ''.join(f'| {" | ".join(x)} |\n' for x in lines)
  return re.sub(r'\|  (?=\|)', '| ', text)
