"""A table of published studies, and what can be computed from it.

A cell is 'found' (read in the stated source), 'derived' (follows from found
cells), 'memory' (not checked against a source: shown as such and used in no
computation) or 'unknown' (blank).
"""

import csv
import dataclasses
import io
import math
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from experiments.studies.published import reported
from fusion_jax.core import errors, files, text_tables

FOUND, DERIVED, MEMORY, UNKNOWN = 'found', 'derived', 'memory', 'unknown'
CONFIDENCES = (FOUND, MEMORY, UNKNOWN)
AUROC = 'AUROC'
ROLES = ('fusion', 'image', 'ehr')

_TEXT = ('id', 'study', 'doi', 'task', 'image', 'ehr', 'image_model')
_TEXT += ('strategy', 'group_rates', 'metric', 'source', 'confidence')
_TEXT += ('unverified', 'derived', 'note')
_WHOLE = ('year', 'n', 'n_test', 'events', 'non_events', 'successes', 'trials')
_SHARE = ('fusion', 'fusion_low', 'fusion_high', 'external_fusion')
_SHARE += ('single_image', 'image_low', 'image_high')
_SHARE += ('single_ehr', 'ehr_low', 'ehr_high')
_YES_NO = ('in_review', 'held_out', 'external', 'use_interval')
COLUMNS = (*_TEXT, *_WHOLE, *_SHARE, *_YES_NO)
# What a row says of itself rather than of the study.
_ABOUT_ROW = ('id', 'in_review', 'confidence', 'unverified', 'derived', 'note')
_FEW_EVENTS = 100


@dataclasses.dataclass(frozen=True)
class Study:
  """One row of the table.

  Attributes:
    row: its number in the file, the header being 1.
    text: every cell as written, by column.
    state: by column, how sure the cell is.
    values: established cells only (found or derived), as str, int, float or
      bool by column.
  """

  row: int
  text: Mapping[str, str]
  state: Mapping[str, str]
  values: Mapping[str, Any]

  @property
  def name(self) -> str:
    """What figures call it."""
    label = self.text['study'] or self.text['doi'] or self.text['id']
    return ' '.join(x for x in (label, self.text['year']) if x)

  def get(self, column: str) -> Any:
    """The established value, or None."""
    return self.values.get(column)


def read(path: str | os.PathLike) -> list[Study]:
  """Reads and checks a table of studies.

  Raises:
    UserError: if the file cannot be read or has other columns.
    ProblemsError: listing every bad cell with its row and column.
  """
  path = pathlib.Path(path)
  try:
    text = text_tables.decode(files.regular(path), what='The table of studies')
    text, delimiter, skipped = text_tables.delimited(text)
    lines = io.StringIO(text, newline='')
    table = list(csv.reader(lines, delimiter=delimiter, strict=True))
  except csv.Error as e:
    raise errors.UserError(
      f"The table of studies '{path}' cannot be read: {e}."
    ) from None
  if len(table) < 2:
    raise errors.UserError(f"The table of studies '{path}' has no rows.")
  header = table[0]
  for column in header:
    if column not in COLUMNS:
      raise errors.unknown_name('column', column, COLUMNS, where=f"'{path}'")
  for column in COLUMNS:
    if header.count(column) != 1:
      raise errors.UserError(
        f"'{path}': expected the column '{column}' once, found it "
        f'{header.count(column)} times.'
      )
  problems: list[str] = []
  studies = []
  for number, cells in enumerate(table[1:], 2 + skipped):
    if len(cells) != len(header):
      problems.append(
        f'row {number}: {len(cells)} cells, expected {len(header)}.'
      )
      continue
    row = {k: v.strip() for k, v in zip(header, cells, strict=True)}
    study, found = _study(number, row)
    problems += [f'row {number}, {x}' for x in found]
    studies.append(study)
  ids = [s.text['id'] for s in studies]
  for study in studies:
    first = ids.index(study.text['id'])
    if studies[first].row != study.row:
      problems.append(
        f"row {study.row}, column 'id': '{study.text['id']}' is also the id "
        f'of row {studies[first].row}.'
      )
  if len(problems) == 1:
    raise errors.UserError(f"'{path}': {problems[0]}")
  if problems:
    raise errors.ProblemsError(f"'{path}' has bad cells:", problems)
  return studies


def gain(study: Study) -> dict[str, Any]:
  """Fusion minus the best single modality that the paper reports.

  {'estimate', 'single', 'both'} where 'both' says that both single modalities
  are reported: only then is it a gain over the best of them. With one of them
  it is a gain over that one, which the gain over the best cannot exceed.
  Or {'estimate': None, 'reason'}.
  """
  fusion = study.get('fusion')
  singles = {
    role: study.get(f'single_{role}')
    for role in ('image', 'ehr')
    if study.get(f'single_{role}') is not None
  }
  if fusion is None:
    return {'estimate': None, 'reason': 'no established value of fusion'}
  if not singles:
    return {'estimate': None, 'reason': 'no established single modality'}
  best = max(singles, key=singles.get)
  return {
    'estimate': round(fusion - singles[best], 12),
    'single': best,
    'both': len(singles) == 2,
  }


def standard_error(
  study: Study, role: str, *, source: str
) -> tuple[float, str]:
  """Standard error of one AUROC, and why it is NaN.

  Args:
    study: a row.
    role: 'fusion', 'image' or 'ehr'.
    source: 'counts' (Hanley and McNeil from the class sizes) or 'interval'
      (the published one).
  """
  value = study.get('fusion' if role == 'fusion' else f'single_{role}')
  if study.get('metric') != AUROC or value is None:
    return math.nan, 'no established AUROC'
  if source == 'counts':
    events, others = study.get('events'), study.get('non_events')
    if events is None or others is None:
      return math.nan, 'the number of events is unknown'
    return reported.auroc_se(value, events, others), ''
  low, high = study.get(f'{role}_low'), study.get(f'{role}_high')
  if low is None or high is None:
    return math.nan, 'no interval was published'
  if not study.get('use_interval'):
    return math.nan, 'the published interval is not believed'
  return reported.se_from_interval(low, high), ''


def risk_of_bias(study: Study) -> dict[str, bool | None]:
  """What speaks for a study, item by item; None where it is unknown.

  The items are those of the analysis domain that a table can answer (compare
  PROBAST, Wolff et al. 2019, Ann. Intern. Med. 170, 51-58).
  """

  def known(column):
    return None if study.get(column) is None else True

  events = study.get('events')
  enough = None
  if events is not None:
    enough = min(events, study.get('non_events') or events) >= _FEW_EVENTS
  both = known('single_image') and known('single_ehr')
  return {
    'held_out': study.get('held_out'),
    'external': study.get('external'),
    'interval': study.get('use_interval'),
    'both_singles': both,
    'events_known': known('events'),
    'enough_events': enough,
  }


def exact_interval(study: Study) -> dict[str, Any]:
  """Clopper-Pearson interval where the counts are known."""
  x, n = study.get('successes'), study.get('trials')
  if x is None or n is None:
    return {'low': None, 'high': None, 'reason': 'the counts are unknown'}
  low, high = reported.clopper_pearson(x, n)
  return {'estimate': x / n, 'low': low, 'high': high}


def _study(number: int, row: dict[str, str]) -> tuple[Study, list[str]]:
  problems = []
  confidence = row['confidence']
  if confidence not in CONFIDENCES:
    error = errors.unknown_name('confidence', confidence, CONFIDENCES)
    problems.append(f"column 'confidence': {error}")
  marked = {}
  for mark in ('unverified', 'derived'):
    names = [x.strip() for x in row[mark].split(';') if x.strip()]
    for name in names:
      if not row.get(name) or name in _ABOUT_ROW:
        problems.append(f"column '{mark}': '{name}' is no filled column.")
    marked[mark] = names
  state, values = {}, {}
  for column in COLUMNS:
    if not row[column]:
      state[column] = UNKNOWN
    elif column in _ABOUT_ROW:
      state[column] = FOUND
    elif confidence == MEMORY or column in marked['unverified']:
      state[column] = MEMORY
    else:
      state[column] = DERIVED if column in marked['derived'] else FOUND
    if state[column] == UNKNOWN:
      continue
    try:
      value = _value(column, row[column])
    except ValueError as e:
      problems.append(f"column '{column}': {e}, got '{row[column]}'.")
      continue
    if state[column] != MEMORY:
      values[column] = value
  if not row['id']:
    problems.append("column 'id': it is blank.")
  facts = [c for c in COLUMNS if row[c] and c not in _ABOUT_ROW]
  if confidence == UNKNOWN and facts:
    problems.append(
      f"column '{facts[0]}': a row of confidence 'unknown' has no facts."
    )
  if confidence == FOUND and not row['source']:
    problems.append("column 'source': a found row names its source.")
  study = Study(number, row, state, values)
  if not problems:
    problems += _consistency(study)
  return study, problems


def _value(column: str, text: str) -> Any:
  if column in _WHOLE:
    try:
      value = int(text)
    except ValueError:
      raise ValueError('expected a whole number') from None
    if value < 0:
      raise ValueError('expected 0 or more')
    return value
  if column in _SHARE:
    try:
      value = float(text)
    except ValueError:
      raise ValueError('expected a number') from None
    if not 0 <= value <= 1:
      raise ValueError('expected a number from 0 to 1')
    return value
  if column in _YES_NO:
    if text not in ('yes', 'no'):
      raise ValueError("expected 'yes' or 'no'")
    return text == 'yes'
  if column == 'group_rates':
    return _rates(text)
  return text


def _rates(text: str) -> list[tuple[float, float, float]]:
  rates = []
  for part in text.split(';'):
    try:
      rate, low, high = (float(x) for x in part.split())
    except ValueError:
      raise ValueError(
        "expected 'rate low high' of a group, several divided by ';'"
      ) from None
    rates.append((rate, low, high))
  return rates


def _consistency(study: Study) -> list[str]:
  problems = []
  for role in ROLES:
    value = study.get('fusion' if role == 'fusion' else f'single_{role}')
    low, high = study.get(f'{role}_low'), study.get(f'{role}_high')
    if (low is None) != (high is None):
      problems.append(f"column '{role}_low': an interval has two ends.")
    elif low is not None and not low <= (value or low) <= high:
      problems.append(
        f"column '{role}_low': {low} to {high} leaves out {value}."
      )
  x, n = study.get('successes'), study.get('trials')
  if (x is None) != (n is None) or (x is not None and x > n):
    problems.append(f"column 'successes': {x} of {n} is no proportion.")
  events, others = study.get('events'), study.get('non_events')
  total = study.get('n_test')
  if None not in (events, others, total) and events + others != total:
    problems.append(
      f"column 'events': {events} events and {others} others are not the "
      f'{total} of n_test.'
    )
  if study.state['events'] == DERIVED:
    rates = study.get('group_rates')
    sizes = reported.group_sizes(rates, total) if rates and total else []
    if sizes not in ([events], [others]):
      problems.append(
        f"column 'events': derived from group_rates, which {len(sizes)} sizes "
        f'explain: {", ".join(map(str, sizes[:5])) or "none"}.'
      )
  return problems
