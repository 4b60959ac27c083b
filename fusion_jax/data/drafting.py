"""The text of a cohort.toml as it grows, and what names of columns suggest."""

import dataclasses
import itertools
import json
import re

from fusion_jax.data import numbers, shortcuts, tables

LOOK = 'LOOK AT THIS: '

ID_ENDING = r'(id|ids|no|nr|num|number|identifier|code|key|uid|index|barcode)'
PATIENT = (
  r'^(\w+_)?(patient|subject|person|participant|pat|subj)(_?'
  + ID_ENDING
  + ')?$'
  r'|^(mrn|pid|ptid|rid|nhs_number|medical_record_number)$'
)
STUDY = (
  r'(^|_)(study|image|img|exam|accession|scan|series|case|record|lesion|slide)'
  r'(_?' + ID_ENDING + r')?$|^(id|uid)$'
)
# What may number the studies of one patient.
VISIT = (
  r'(^|_)(visit|session|scan|exam|study|follow_?up|lesion|slice|eye|side|view|'
  r'laterality|nodule|image|date|time|day|number|no|index|offset)($|_)'
)
FOLD = r'^(fold|cv_fold|split)$'
SITE = r'(^|_)(site|hospital|cent(re|er)|institution)($|_)'
TIME = (
  r'^(time|duration|survival|survival_time|follow_?up(_time)?|days|months|'
  r'os_time|time_to_\w+|days_to_\w+|\w+_(days|months|years)|'
  r'(time|survival|follow_?up|overall_survival|os)_(days|months|years))$'
)
EVENT = (
  r'^(event|status|vital_status|death|died|dead|deceased|mortality|os|dss|'
  r'os_(event|status)|\w+_event|event_\w+|\w*censor\w*)$'
)
# Names of labels, the surest first.
LABELS = (
  r'^(label|target|outcome|y)$',
  r'^(label|target|outcome)s?_|_(label|target|outcome)s?$',
  r'^(class|diagnos[ei]s|diagnostic|dx|malignan\w*|finding(_label)?s?|cdr)$'
  r'|^labels$|^(class|diagnosis|y)_',
  r'^(grade|severity|category|result|disease|condition|pathology|type)$',
)
_LATER = re.compile(
  r'(^|_)(died?|death|dead|deceased|mortality|survival|survived|survivor|alive|'
  r'vital|expired|discharged?|outcomes?|biops\w*|histo(log\w*|path\w*)?|patholog\w*|autopsy|'
  r'post_?op\w*|in_icu|went_icu|to_icu|icu_(admission|stay|transfer|days)|'
  r'intubat\w*|extubat\w*|ventilat\w*|readmi\w*|length_of_stay|los|'
  r'follow_?up\w*|recurr\w*|relapse|progression|complications?|treatment|'
  r'therapy|confirm\w*|dx_type|diagnos\w*|labels?|days_to_\w+)($|_)'
)
_BEFORE = re.compile(
  r'(^|_)(age|prior|previous|history|family|baseline|pre|preop)($|_)'
)
# How the data were collected, beside what `shortcuts.says_origin` knows.
_COLLECTED = re.compile(
  r'(^|_)(links?|database|origin|pmcid|journal|references?|credit|citation|'
  r'notes?|comments?|remarks?|split|partition|version|hash|md5|uploaded|'
  r'annotator|reader|file_?names?)($|_)'
)
_ROW_NUMBERS = re.compile(r'^(unnamed|column|index_level|index)?_*\d*$|^index$')


@dataclasses.dataclass
class Draft:
  """Keys with their values and reasons, in order; columns left out and why.

  Attributes:
    table: what is described.
    lines: of the text so far.
    left: by column that is no feature, why.
    used: columns that a key names.
    tail: lines after all keys, which begin tables of their own.
  """

  table: tables.Table
  lines: list[str] = dataclasses.field(default_factory=list)
  left: dict[str, str] = dataclasses.field(default_factory=dict)
  used: set[str] = dataclasses.field(default_factory=set)
  tail: list[str] = dataclasses.field(default_factory=list)

  def set(self, key: str, value, reason: str, *columns: str) -> None:
    """Adds a line for `key`, which uses up `columns`."""
    self.lines.append(f'{key} = {toml(value)}  # {reason}')
    self.used.update(columns)

  def leave(self, column: str, why: str) -> None:
    self.left[column] = why
    self.used.add(column)

  def find(self, pattern: str) -> list[str]:
    """Unused columns whose `plain` name matches, in the table's order."""
    return [
      x
      for x in self.table.columns
      if re.search(pattern, plain(x)) and x not in self.used
    ]

  def counts_rows(self, column: str) -> bool:
    """Whether a column without a name of its own numbers the rows."""
    if not _ROW_NUMBERS.match(plain(column)) or not self.is_distinct(column):
      return False
    found = [numbers.number(x) for x in self.table.columns[column]]
    return all(b - a == 1 for a, b in itertools.pairwise(found))

  def values(self, column: str) -> list[str]:
    """The distinct texts of a column, sorted."""
    return sorted({x for x in self.table.columns[column] if x is not None})

  def is_distinct(self, *columns: str) -> bool:
    """Whether these columns together name every row, without a gap."""
    rows = list(zip(*(self.table.columns[x] for x in columns), strict=True))
    return len(set(rows)) == len(rows) and not any(None in x for x in rows)

  def blanks(self, column: str) -> int:
    return sum(x is None for x in self.table.columns[column])


def plain(column: str) -> str:
  """A name as patterns expect it: 'Patient ID' and 'patientId': patient_id."""
  text = re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', column)
  return re.sub(r'[\W_]+', '_', text.lower()).strip('_')


def is_later(column: str) -> bool:
  """Whether, by its name, a column is known only after a prediction."""
  name = plain(column)
  return bool(_LATER.search(name)) and not _BEFORE.search(name)


def is_collected(column: str) -> bool:
  """Whether, by its name, a column says how the data were collected."""
  return shortcuts.says_origin(column) or bool(_COLLECTED.search(plain(column)))


def is_number(values) -> bool:
  """Whether there are values and all are numbers."""
  return bool(values) and all(
    numbers.number(x) == numbers.number(x) for x in values
  )


def toml(value) -> str:
  """A value as TOML writes it."""
  if isinstance(value, list | tuple):
    return '[' + ', '.join(toml(x) for x in value) + ']'
  if isinstance(value, dict):
    inside = ', '.join(f'{toml(k)} = {toml(v)}' for k, v in value.items())
    return '{' + inside + '}'
  return json.dumps(value, ensure_ascii=False)
