"""Table 1: who is in a cohort, by outcome and by site.

Values are those that were declared, before anything is standardised or filled
in. Studies are counted, each once and with equal weight. What is too small to
be a subgroup (`groups.too_few`) is not told here either: see `table1`.
"""

import dataclasses
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import facts
from fusion_jax.data import kind as kinds
from fusion_jax.data import modality as modality_lib
from fusion_jax.evaluation import groups as groups_lib

NUMERIC = 'numeric'
CATEGORICAL = 'categorical'
BOOLEAN = 'boolean'

ALL = 'all'
OUTCOME = 'outcome'
SITE = 'site'
# What levels, outcomes and sites are called that are told as one.
OTHERS = '(others)'

_TRUE = 'true'
_FALSE = 'false'
_TRUTHS = {_TRUE, _FALSE}
_STATISTICS = ('mean', 'sd', 'median', 'q1', 'q3')
# Rows that readers look for first.
_FIRST = ({'age'}, {'sex', 'gender'})
# More columns than a page has room for; the largest sites come first.
_MOST_SITES = 12


@dataclasses.dataclass(frozen=True)
class _Least:
  """What is too small to be told: `evaluation.min_group` and `min_events`."""

  group: int
  events: int


@dataclasses.dataclass(frozen=True, eq=False)
class _Column:
  """Studies `rows` (n,) bool of the cohort."""

  name: str
  by: str
  rows: np.ndarray


def table1(
  cohort: cohort_lib.Cohort, *, min_group: int, min_events: int
) -> dict[str, Any]:
  """Characteristics of a cohort: all, by outcome, and by site if it has one.

  By outcome: event and no event; classes; for several labels, those who have
  each; event and censored. A regression has no such columns, as any cut of
  its outcome would be ours: the outcome is a row. Survival has a row of the
  follow-up.

  Nothing is told of a cohort of fewer than `min_group` patients. Outcomes of
  fewer than `min_group` patients or `min_events` studies, and sites and levels
  that `groups.too_few` finds too small, are told as one, with the next
  larger ones if they are too small even so. Numbers of fewer than `min_group`
  patients and counts of 1 to `min_events` - 1 studies are not told, nor what
  they could be worked out from.

  Args:
    cohort: n studies, as read.
    min_group: fewest patients of a group that is told.
    min_events: fewest studies.

  Returns:
    {columns, rows, notes}. A column is {name, by, studies, patients}. A row is
    {feature, kind, level, cells, missing, reason}: `level` None for numbers;
    cells {mean, sd, median, q1, q3} or {count, share}, the share of those whose
    value is known, None where not told; `missing` the number of studies without
    the value, by column. `notes` are sentences.
  """
  least = _Least(min_group, min_events)
  if _patients(cohort, np.ones(len(cohort), bool)) < least.group:
    note = f'Fewer than {least.group} patients: nothing is told of them.'
    return {'columns': [], 'rows': [], 'notes': [note]}
  columns, notes = _columns(cohort, least)
  return {
    'columns': [
      {
        'name': column.name,
        'by': column.by,
        'studies': int(column.rows.sum()),
        'patients': _patients(cohort, column.rows),
      }
      for column in columns
    ],
    'rows': _rows(cohort, columns, least),
    'notes': notes,
  }


def _columns(cohort, least) -> tuple[list[_Column], list[str]]:
  """All studies, by outcome, by site; and what could not be told apart."""
  result = [_Column(ALL, ALL, np.ones(len(cohort), bool))]
  notes = []

  def small(rows):
    few = _patients(cohort, rows) < least.group
    return few or rows.sum() < least.events

  def add(by, groups, too_small, kept):
    shown = _pooled(groups, too_small, kept)
    if OTHERS in shown:
      count = len(groups) - len(shown) + 1
      notes.append(
        f'{count} of {len(groups)} {by}s are told as one: too few patients, or '
        'no room.'
        if len(shown) > 1
        else f'Nothing is told by {by}: too few patients.'
      )
    if len(shown) > 1:
      result.extend(_Column(x, by, rows) for x, rows in shown.items())

  outcomes = _outcomes(cohort)
  if cohort.task.kind == types.MULTILABEL:
    # A study may have several labels: none is told with others.
    sound = {x: rows for x, rows in outcomes.items() if not small(rows)}
    result.extend(_Column(x, OUTCOME, rows) for x, rows in sound.items())
    if len(sound) < len(outcomes):
      notes.append(
        f'{len(outcomes) - len(sound)} of {len(outcomes)} labels have no '
        'column: too few patients.'
      )
  elif outcomes:
    add(OUTCOME, outcomes, small, list(outcomes))
  if cohort.site is not None:
    names, counts = np.unique(cohort.site, return_counts=True)
    largest = names[np.argsort(-counts, kind='stable')][:_MOST_SITES]
    add(
      SITE,
      {str(x): cohort.site == x for x in names},
      lambda rows: _too_few(cohort, rows, least),
      [str(x) for x in largest],
    )
  return result, notes


def _outcomes(cohort) -> dict[str, np.ndarray]:
  """By name, (n,) bool; empty for a regression."""
  task, labels = cohort.task, cohort.labels
  if task.kind == types.BINARY:
    words = ('no', 'yes')
    return {
      f'{task.names[0]}: {w}': labels[:, 0] == k for k, w in enumerate(words)
    }
  if task.kind == types.MULTICLASS:
    return {name: labels[:, 0] == k for k, name in enumerate(task.names)}
  if task.kind == types.MULTILABEL:
    return {f'{x}: yes': labels[:, k] == 1 for k, x in enumerate(task.names)}
  if task.kind == types.SURVIVAL:
    return {'event': labels[:, 1] == 1, 'censored': labels[:, 1] == 0}
  return {}


def _too_few(cohort, rows, least) -> bool:
  reason = groups_lib.too_few_of(
    cohort.task,
    cohort.labels[rows],
    cohort.patient[rows],
    least.group,
    least.events,
  )
  return reason is not None


def _pooled(
  groups: Mapping[str, np.ndarray],
  too_small: Callable[[np.ndarray], bool],
  kept: Collection[str],
) -> dict[str, np.ndarray]:
  """Groups with those that are too small, or not in `kept`, as one.

  The next larger ones join them until they are not too small.
  """
  small = [x for x, rows in groups.items() if x not in kept or too_small(rows)]
  if not small:
    return dict(groups)
  # Of true, false and unknown, who says true is worth a row.
  rest = sorted(
    (x for x in groups if x not in small),
    key=lambda x: (x == _TRUE, groups[x].sum()),
  )

  def pooled():
    return np.any([groups[x] for x in small], axis=0)

  while rest and too_small(pooled()):
    small.append(rest.pop(0))
  result = {x: rows for x, rows in groups.items() if x not in small}
  return {**result, OTHERS: pooled()}


def _patients(cohort, rows) -> int:
  return len(np.unique(cohort.patient[rows]))


def _rows(cohort, columns, least) -> list[dict[str, Any]]:
  result = []
  for name, values in sorted(_features(cohort), key=lambda x: _place(x[0])):
    make = _numbers if values.dtype.kind == 'f' else _levels
    result += make(cohort, name, values, columns, least)
  return result


def _rest(cohort, columns) -> list[_Column]:
  """Of columns that divide nothing: all other studies, which follow from them.

  They are shown nowhere, and have to be as large as what is.
  """
  if cohort.task.kind != types.MULTILABEL:
    return []
  return [_Column(c.name, OUTCOME, ~c.rows) for c in columns if c.by == OUTCOME]


def _place(name: str) -> int:
  """0 for age, 1 for sex, 2 for all others."""
  words = set(re.split('[^a-z]+', name.lower()))
  return next((k for k, x in enumerate(_FIRST) if words & x), len(_FIRST))


def _features(cohort) -> Iterator[tuple[str, np.ndarray]]:
  """Names and (n,) float64 numbers or (n,) str or None levels."""
  if cohort.task.kind == types.SURVIVAL:
    yield f'follow-up ({cohort.task.names[0]})', cohort.labels[:, 0]
  elif cohort.task.kind == types.REGRESSION:
    yield f'outcome ({cohort.task.names[0]})', cohort.labels[:, 0]
  features: dict[str, np.ndarray] = {}
  counts: dict[str, np.ndarray] = {}
  for name, modality in cohort.modalities.items():
    own = kinds.of(modality).described(modality)
    of_record = modality.side == modality_lib.RECORD
    found = features if of_record else counts
    found |= facts.named(cohort, name, own)
  for name, levels in cohort.groups.items():
    # The site has columns of its own.
    if name not in features and not np.array_equal(levels, cohort.site):
      yield name, levels.astype(object)
  yield from features.items()
  for modality, there in cohort.present.items():
    levels = np.where(there, _TRUE, _FALSE).astype(object)
    yield f'{types.called(modality)} present', levels
  yield from counts.items()


def _row(name, kind, level, cells, missing, reason='') -> dict[str, Any]:
  return {
    'feature': name,
    'kind': kind,
    'level': level,
    'cells': cells,
    'missing': missing,
    **({'reason': reason} if reason else {}),
  }


def _missing(columns, unknown) -> list[int]:
  return [int(unknown[c.rows].sum()) for c in columns]


def _numbers(cohort, name, values, columns, least) -> Iterator[dict[str, Any]]:
  unknown = np.isnan(values)
  known = [c.rows & ~unknown for c in columns]
  # A mean follows from that of all and those of the others.
  few_by = {
    c.by
    for c in (*columns, *_rest(cohort, columns))
    if 0 < _patients(cohort, c.rows & ~unknown) < least.group
  }
  cells = [
    None
    if c.by in few_by or ALL in few_by or not rows.any()
    else _statistics(values[rows])
    for c, rows in zip(columns, known, strict=True)
  ]
  reason = ''
  if None in cells:
    reason = f'known of fewer than {least.group} patients'
  yield _row(name, NUMERIC, None, cells, _missing(columns, unknown), reason)


def _statistics(x: np.ndarray) -> dict[str, float | None]:
  q1, median, q3 = np.percentile(x, (25, 50, 75))
  sd = float(x.std(ddof=1)) if len(x) > 1 else None
  numbers = (float(x.mean()), sd, float(median), float(q1), float(q3))
  return dict(zip(_STATISTICS, numbers, strict=True))


def _levels(cohort, name, values, columns, least) -> Iterator[dict[str, Any]]:
  unknown = np.equal(values, None)
  seen = sorted(set(values[~unknown]))
  boolean = set(seen) <= _TRUTHS
  groups = {x: values == x for x in (sorted(_TRUTHS) if boolean else seen)}
  if not boolean:
    groups = _pooled(groups, lambda rows: _too_few(cohort, rows, least), seen)
  every = [*columns, *_rest(cohort, columns)]
  counts = np.array(
    [[int((rows & c.rows).sum()) for c in every] for rows in groups.values()]
  )
  hidden = hide(counts, _partitions(columns, len(every)), least.events)
  missing = _missing(columns, unknown)
  known = counts.sum(axis=0)
  small = f'fewer than {least.events} studies, or would tell such a count'
  for i, level in enumerate(groups):
    if boolean and level != _TRUE:
      continue
    cells = [
      None
      if hidden[i, j]
      else {
        'count': int(counts[i, j]),
        'share': float(counts[i, j] / known[j]) if known[j] else None,
      }
      for j in range(len(columns))
    ]
    reason = small if None in cells else ''
    kind = BOOLEAN if boolean else CATEGORICAL
    yield _row(name, kind, level, cells, missing, reason)


def _partitions(columns, count: int) -> list[list[int]]:
  """Columns of which each study is in one: their counts add up to all.

  The last of `count` columns are the rest of each column by outcome.
  """
  by_outcome = [j for j, c in enumerate(columns) if c.by == OUTCOME]
  by_site = [j for j, c in enumerate(columns) if c.by == SITE]
  rest = range(len(columns), count)
  pairs = (
    [[*pair] for pair in zip(by_outcome, rest, strict=True)]
    if rest
    else [by_outcome]
  )
  return [x for x in (*pairs, by_site) if x]


def hide(
  counts: np.ndarray, partitions: Sequence[Sequence[int]], least: int
) -> np.ndarray:
  """Which counts of a table are not told.

  Those from 1 to `least` - 1, and then others until none of these follows by
  subtraction: a column adds up to its known studies, and the columns of a
  partition add up to all studies of the level. What is hidden besides is the
  smallest count of its line that is not 0, else the smallest.

  Args:
    counts: (k, c) of k levels in c columns, that of all studies first.
    partitions: sets of columns that divide all studies.
    least: the smallest count that is told.

  Returns:
    (k, c) bool.
  """
  hidden = (counts > 0) & (counts < least)
  lines = [(np.arange(len(counts)), j) for j in range(counts.shape[1])]
  lines += [
    (i, np.array([0, *columns]))
    for i in range(len(counts))
    for columns in partitions
  ]
  changed = True
  while changed:
    changed = False
    for line in lines:
      if hidden[line].sum() == 1 and hidden[line].size > 1:
        values = np.where(
          hidden[line] | (counts[line] == 0), np.inf, counts[line]
        )
        if np.isinf(values).all():
          values = np.where(hidden[line], np.inf, counts[line])
        flags = hidden[line]
        flags[int(np.argmin(values))] = True
        hidden[line] = flags
        changed = True
  return hidden
