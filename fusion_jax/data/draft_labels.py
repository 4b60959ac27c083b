"""Which column a first cohort.toml proposes to predict, and which others."""

import collections
import re

import numpy as np

from fusion_jax.core import spellings, types
from fusion_jax.data import drafting

_MAX_CLASSES = 20
# The rank of names that are as often features.
_UNSURE = len(drafting.LABELS) - 1
_SHOWN = 4
# A cell of several findings: how often, and how many there are in all.
_SEPARATOR = '|'
_SEVERAL_SHARE = 0.02
_MOST_FINDINGS = 50
_UNITS = ('days', 'months', 'years')

_DEATH = re.compile(r'(^|_)(died|death|dead|mortality|surviv\w*)($|_)')
_POSITIVE = re.compile(
  r'malig|positiv|abnormal|cancer|disease|dead|died|deceas|^case|tumou?r|covid|'
  r'pneumon|melanoma|^(mel|pos|mal|dement\w*)$'
)
_NEGATIVE = re.compile(
  r'benign|^neg|^normal|healthy|alive|living|^control|^ctr?l|^none|^non|'
  r'no[ _-]finding|^no[ _-]|^absent|^nevus$|^nv$|^without|^lived'
)
_NO_FINDING = re.compile(r'^(no[ _-]?finding\w*|normal|none|healthy)$', re.I)


def propose(draft: drafting.Draft) -> np.ndarray | None:
  """Adds task and label; (r,) 0/1 label, or None if it is not binary."""
  candidates = _candidates(draft)
  times, events = _survival(draft)
  sure = candidates and candidates[0][0] < 2
  target, chosen = None, ()
  if times and events and not sure:
    chosen = _propose_survival(draft, times, events)
  elif candidates:
    label = candidates[0][1]
    chosen = (label,)
    target = _propose_label(draft, *candidates[0])
  else:
    draft.set('task', types.BINARY, 'NOT KNOWN: no column is called label')
    draft.set('label', '', 'name the column to predict')
  if times and events and len(chosen) == 1:
    draft.lines.append(
      f'# or task = "survival" with time = {drafting.toml(times[0])} and event '
      f'= {drafting.toml(events[0])}'
    )
  _others(draft, candidates, chosen)
  for column in times if events else ():
    if column not in chosen:
      draft.leave(column, f'{drafting.LOOK}a time to an event?')
  for column in chosen:
    _exclude_blank(draft, column)
  return target


def _others(draft, candidates, chosen) -> None:
  """Names the candidates that were not chosen; they are no features."""
  best = min((rank for rank, x, _ in candidates if x in chosen), default=0)
  for rank, column, reason in candidates:
    # With a surer label at hand, 'type' and the like are features.
    if column in chosen or best < _UNSURE == rank:
      continue
    draft.lines.append(
      f'# or label = {drafting.toml(column)}: {reason}, '
      f'{_shown(draft.values(column))}'
    )
    later = drafting.is_later(column)
    made = f'{drafting.LOOK}made after the prediction? ' if later else ''
    draft.leave(column, f'{made}It may be a label too')


def _candidates(draft) -> list[tuple[int, str, str]]:
  """Columns that may be labels, the likeliest first: rank, name, reason."""
  found = []
  for column in draft.table.columns:
    if column in draft.used or len(draft.values(column)) < 2:
      continue
    name = drafting.plain(column)
    rank = next(
      (i for i, x in enumerate(drafting.LABELS) if re.search(x, name)), None
    )
    values = draft.values(column)
    if rank is not None:
      if _fits(draft, column, values):
        found.append((rank, column, 'by its name'))
    elif len(values) == 2 and drafting.is_later(column):
      death = re.search(drafting.EVENT, name) or _DEATH.search(name)
      rank = len(drafting.LABELS) + (0 if death else 2)
      found.append((rank, column, 'an outcome by its name'))
  # Two values make the plainer question.
  return sorted(
    found, key=lambda x: (x[0] // 2, len(draft.values(x[1])) != 2, x[0])
  )


def _fits(draft, column, values) -> bool:
  """Whether values repeat or are numbers, unlike names and free text."""
  rows = len(draft.table) - draft.blanks(column)
  few = len(values) <= max(_MAX_CLASSES, rows / 10)
  return few or drafting.is_number(values) or bool(_findings(draft, column))


def _survival(draft) -> tuple[list[str], list[str]]:
  times = [
    x
    for x in draft.find(drafting.TIME)
    if drafting.is_number(draft.values(x)) and len(draft.values(x)) > 2
  ]
  events = [x for x in draft.find(drafting.EVENT) if len(draft.values(x)) == 2]
  # The most complete column of times comes first.
  return sorted(times, key=draft.blanks), events


def _propose_survival(draft, times, events) -> tuple[str, ...]:
  time, event = times[0], events[0]
  draft.set('task', types.SURVIVAL, 'there are a time and an event column')
  draft.set('time', time, 'by its name', time)
  for unit in _UNITS:
    if unit in drafting.plain(time):
      draft.set('time_unit', unit, "by the column's name")
  values = draft.values(event)
  draft.set('event', event, f'by its name, values {values}', event)
  _positive(draft, values)
  if times[1:]:
    draft.lines.append(
      f'# {drafting.LOOK}is the time of the event in {times[1]!r}? Then write '
      'one column: that time where the event happened, else the last contact.'
    )
  _exclude_not_positive(draft, time)
  return time, event


def _exclude_not_positive(draft, time) -> None:
  """Times to an event are above 0."""
  cells = [x for x in draft.table.columns[time] if x is not None]
  bad = sum(float(x) <= 0 for x in cells)
  least = min((float(x) for x in cells if float(x) > 0), default=0.0)
  if bad and least:
    draft.tail += [
      '',
      f'[[exclude]]  # {bad} of {len(draft.table)} rows',
      f'column = {drafting.toml(time)}',
      f'below = {least:.10g}',
      f'reason = {drafting.toml(f"{time} is not above 0")}',
    ]


def _propose_label(draft, rank, label, reason) -> np.ndarray | None:
  values = draft.values(label)
  if findings := _findings(draft, label):
    several = f'cells such as {_several(draft, label)!r}'
    draft.set('task', types.MULTILABEL, several)
    draft.set('label', label, f'{reason}; {len(findings)} findings', label)
    draft.set('label_separator', _SEPARATOR, 'stands between findings')
    none = [x for x in findings if _NO_FINDING.match(x)]
    if none:
      draft.set('negative', none[0], 'means that there is no finding')
    return None
  if drafting.plain(label) == 'cdr' and drafting.is_number(values):
    draft.set('task', types.BINARY, f'ratings {_shown(values)}')
    draft.set('label', label, 'clinical dementia rating', label)
    draft.set('positive_above', 0, 'any dementia; or make it a regression')
    column = draft.table.columns[label]
    return np.array([np.nan if x is None else float(x) > 0 for x in column])
  if len(values) == 2:
    draft.set('task', types.BINARY, f'the label has values {values}')
    draft.set('label', label, reason, label)
    positive = _positive(draft, values)
    column = draft.table.columns[label]
    return np.array([np.nan if x is None else x == positive for x in column])
  if drafting.is_number(values) and len(values) > _MAX_CLASSES:
    draft.set('task', types.REGRESSION, f'{len(values)} different numbers')
  else:
    draft.set('task', types.MULTICLASS, f'{len(values)} values')
  draft.set('label', label, reason, label)
  return None


def _positive(draft, values) -> str:
  """Which of two values means 1, with a key where it does not go by itself."""
  true = spellings.truths(spellings.TRUE_VALUES)
  false = spellings.truths(spellings.FALSE_VALUES)
  if spellings.truths(values) <= true | false:
    return max(values, key=lambda x: spellings.truth(x) in true)
  said = [x for x in values if _POSITIVE.search(x.lower())]
  other = [x for x in values if not _NEGATIVE.search(x.lower())]
  for some in (other, said):
    if len(some) == 1:
      draft.set('positive', some[0], 'means 1, by its name')
      return some[0]
  draft.set('positive', values[1], 'which of the two means 1? A guess')
  return values[1]


def _findings(draft, column) -> list[str]:
  """The distinct findings, the most frequent first, of cells A|B|C; or []."""
  cells = [x for x in draft.table.columns[column] if x is not None]
  several = sum(_SEPARATOR in x for x in cells)
  if not several or several < _SEVERAL_SHARE * len(cells):
    return []
  counts = collections.Counter(
    part.strip() for x in cells for part in x.split(_SEPARATOR)
  )
  if len(counts) > _MOST_FINDINGS:
    return []
  return [x for x, _ in counts.most_common()]


def _several(draft, column) -> str:
  return min(x for x in draft.values(column) if _SEPARATOR in x)


def _shown(values) -> str:
  shown = ', '.join(repr(x) for x in values[:_SHOWN])
  return f'{len(values)} values ({shown}{", ..." * (len(values) > _SHOWN)})'


def _exclude_blank(draft, column) -> None:
  """Rows without a label cannot be used, unless the label is multilabel."""
  count = draft.blanks(column)
  several = any(x.startswith('label_separator') for x in draft.lines)
  if not count or several:
    return
  draft.tail += [
    '',
    f'[[exclude]]  # {count} of {len(draft.table)} rows',
    f'column = {drafting.toml(column)}',
    'values = [""]',
    f'reason = {drafting.toml(f"{column} is not known")}',
  ]
