"""What can be wrong with a cohort, found before anything is trained on it.

Errors make a cohort unusable; warnings are for a person to judge.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from fusion_jax.core import errors, types, words
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import column_checks, id_spellings, keys, shortcuts, tables
from fusion_jax.data import descriptor as descriptor_lib
from fusion_jax.data import images as images_lib
from fusion_jax.data import kind as kind_lib
from fusion_jax.data import modality as modality_lib
from fusion_jax.data import records as records_lib

# A feature that orders (AUROC) or determines (balanced accuracy) the label this
# well is taken to be the label under another name.
DISGUISE = 0.995
DISGUISE_RANK = 0.999  # The same for the rank correlation with a number.
_FEWEST = 10  # Studies of each class below which neither is judged.
_FEW_LEVELS = 20  # Numbers with so few values are also tried as codes.


@dataclasses.dataclass(frozen=True, eq=False)
class Examination:
  """What `examine` found; the rest is None as far as errors prevented it.

  Attributes:
    problems: errors first; `str()` of each is one line.
    records: the columns of the table.
    data: by modality, what could be read.
  """

  problems: list[tables.Problem]
  records: records_lib.Records
  data: Mapping[str, modality_lib.Data]

  @property
  def failed(self) -> bool:
    return any(x.is_error for x in self.problems)


def examine(
  descriptor: descriptor_lib.Descriptor,
  root: str | os.PathLike,
  *,
  image_size: int = 0,
  cache_dir: str = '',
  on_progress: Callable[[int, int], None] | None = None,
) -> Examination:
  """Reads a cohort and checks all of it, decoding images into the cache.

  Raises:
    UserError: where there is nothing to check (no table, no such column) or
      no room for decoded images.
  """
  records = records_lib.read(descriptor, root)
  check(records)
  problems = records.findings.finished()
  data: dict[str, modality_lib.Data] = {}
  for section in descriptor.sections.values():
    try:
      found, more = section.read(
        records,
        image_size=image_size,
        cache_dir=cache_dir,
        on_progress=on_progress,
      )
    except images_lib.UnreadableError as e:
      problems += e.problems
    else:
      problems += more
      if found is not None:
        data[section.name] = found
  problems.sort(key=lambda x: not x.is_error)
  return Examination(problems, records, data)


def check(records: records_lib.Records) -> None:
  """Adds to `records.findings` what is wrong across its columns."""
  _check_classes(records)
  id_spellings.check(records)
  _check_patients(records)
  _check_folds(records)
  column_checks.check(records)
  _check_disguises(records)
  _check_missingness(records)
  shortcuts.check(records, list(_targets(records)))


def _check_classes(records) -> None:
  d, findings = records.descriptor, records.findings
  if d.task == types.REGRESSION:
    known = records.labels[np.isfinite(records.labels)]
    if len(known) and (known == known[0]).all():
      findings.add(f'every label is {known[0]:g}.', column=d.label[0])
    return
  if d.task == types.MULTICLASS or d.label_separator:
    column_checks.check_levels(findings, d.label[0], records.task.names)
  columns = list(enumerate(d.label))
  if d.task == types.SURVIVAL:
    columns = [(1, d.event)]
  elif d.label_separator:
    columns = [(at, d.label[0]) for at in range(len(records.task.names))]
  for at, column in columns:
    which = f" of '{records.task.names[at]}'" if d.label_separator else ''
    values = records.labels[:, at]
    values = np.unique(values[np.isfinite(values)])
    if len(values) == 1 and d.task == types.MULTICLASS:
      only = records.task.names[int(values[0])]
      findings.add(f"only one class: every label is '{only}'.", column=column)
    elif len(values) == 1:
      findings.add(
        f'only one class: every known label{which} is {values[0]:g}.',
        column=column,
      )
    elif not len(values):
      findings.add(f'no label{which} is known.', column=column)


def _check_patients(records) -> None:
  """Values that cannot differ within a patient."""
  d, table = records.descriptor, records.table
  if d.patient:
    for column in d.patient_constants:
      _check_constant(
        records,
        table.columns[column],
        column,
        'patient contradicts itself',
      )


def _check_folds(records) -> None:
  d = records.descriptor
  if not d.fold:
    return
  # Those that could not be read are -1, and faults of their own.
  if len(np.unique(records.fold)) == 1 and records.fold[0] >= 0:
    records.findings.add(
      f'every study is in fold {records.fold[0]}.', column=d.fold
    )
  folds = np.array([str(x) for x in records.fold], object)
  if d.patient:
    _check_constant(records, folds, d.fold, 'patient in several folds')


def _check_constant(records, values, column, kind) -> None:
  """Faults rows that differ from the first observed value of their patient."""
  table = records.table
  observed = np.flatnonzero(np.not_equal(values, None))
  if not len(observed):
    return
  _, first, inverse = np.unique(
    records.patient[observed], return_index=True, return_inverse=True
  )
  base = observed[first][inverse]
  for at in np.flatnonzero(values[observed] != values[base]):
    row, other = observed[at], base[at]
    records.findings.add(
      f"patient '{records.patient[row]}' has '{values[row]}' here but "
      f"'{values[other]}' on {table.unit} {table.lines[other]}.",
      line=table.lines[row],
      column=column,
      kind=kind,
    )


def _targets(records) -> Iterator[tuple[str, np.ndarray]]:
  """What a label asks about: its text, and (n,) 0/1 with NaN for unknown."""
  task, labels = records.task, records.labels
  if task.kind == types.BINARY:
    yield f"the label '{task.names[0]}'", labels[:, 0]
  elif task.kind == types.MULTILABEL:
    for at, name in enumerate(task.names):
      yield f"the label '{name}'", labels[:, at]
  elif task.kind == types.MULTICLASS:
    for code, name in enumerate(task.names):
      is_class = np.where(np.isnan(labels[:, 0]), np.nan, labels[:, 0] == code)
      yield f"class '{name}'", is_class
  elif task.kind == types.SURVIVAL:
    yield f"the event '{task.names[1]}'", labels[:, 1]


def _check_disguises(records) -> None:
  for column, values in column_checks.features(records):
    reason = _disguise(records, column, values)
    if not reason:
      continue
    accepted = column in records.descriptor.accept
    message = f'looks like the label in disguise: {reason}.'
    if accepted:
      records.findings.warn(message + ' It is accepted.', column=column)
      records.notes += (f"Column '{column}' {message}",)
    else:
      records.findings.add(
        f'{message} Take it out of the features, or, if it is known before '
        f'the label is, set accept = [{keys.text(column)}].',
        column=column,
      )
  for column in records.descriptor.groups:
    values = records.table.columns[column]
    reason = _disguise(records, column, values)
    if reason and column not in {*records.numeric, *records.categorical}:
      records.findings.warn(
        f'this group looks like the label in disguise: {reason}.',
        column=column,
      )


def _disguise(records, column, values) -> str:
  """Why `values` is a label under another name; empty if it is not."""
  observed = ~column_checks.missing(values)
  if records.task.kind in (types.REGRESSION, types.SURVIVAL):
    number = records.labels[:, 0]
    both = observed & np.isfinite(number)
    if not column_checks.is_text(values) and both.sum() >= 2 * _FEWEST:
      r = _rank_correlation(values[both], number[both])
      if abs(r) >= DISGUISE_RANK:
        name = records.task.names[0]
        return f"its rank correlation with '{name}' is {r:.4f}"
  for name, target in _targets(records):
    reason = disguise(values, target, name)
    if reason:
      return reason
  return ''


def disguise(values: np.ndarray, target: np.ndarray, name: str) -> str:
  """Why `values` seem to be `target`; empty if they do not.

  Args:
    values: (n,) float64 with NaN or object array of str with None.
    target: (n,) of 0 and 1, NaN where unknown.
    name: what the target is called.
  """
  both = ~column_checks.missing(values) & np.isfinite(target)
  y = target[both] == 1
  if min(y.sum(), (~y).sum()) < _FEWEST:
    return ''
  x = values[both]
  if not column_checks.is_text(values):
    auroc = _auroc(x, y)
    if max(auroc, 1 - auroc) >= DISGUISE:
      return f'alone it orders {name} with an AUROC of {auroc:.4f}'
    if len(np.unique(x)) > _FEW_LEVELS:
      return ''
  accuracy = _level_accuracy(x.astype(str), y)
  if accuracy >= DISGUISE:
    return f'its values determine {name} (balanced accuracy {accuracy:.4f})'
  return ''


def missingness_auroc(values: np.ndarray, target: np.ndarray) -> float:
  """AUROC (above .5) of being missing if it predicts `target`, else 0."""
  return shortcuts.indicator_auroc(column_checks.missing(values), target)


def _check_missingness(records) -> None:
  """Columns whose being missing says much about a label."""
  together = {}
  for column, values in column_checks.features(records):
    missing = column_checks.missing(values)
    together.setdefault(missing.tobytes(), (values, []))[1].append(column)
  for values, columns in together.values():
    for name, target in _targets(records):
      auroc = missingness_auroc(values, target)
      if not auroc:
        continue
      listed = ', '.join(columns)
      message = (
        f'whether a value is missing predicts {name}: AUROC {auroc:.3f} from '
        'that alone; a model that sees missingness may use how records were '
        'kept.'
      )
      records.findings.warn(message, column=listed)
      records.notes += (f'Columns {listed}: {message}',)


def _ranks(x: np.ndarray) -> np.ndarray:
  """Average ranks, from 1, of (n,) numbers."""
  _, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
  return (np.cumsum(counts) - (counts - 1) / 2)[inverse]


def _auroc(x: np.ndarray, y: np.ndarray) -> float:
  """P(x of a positive > x of a negative), ties half (Mann-Whitney)."""
  a, b = y.sum(), (~y).sum()
  return float((_ranks(x)[y].sum() - a * (a + 1) / 2) / (a * b))


def _rank_correlation(x: np.ndarray, y: np.ndarray) -> float:
  """Spearman's correlation, 0 where one side is constant."""
  x, y = _ranks(x), _ranks(y)
  x, y = x - x.mean(), y - y.mean()
  scale = np.sqrt((x @ x) * (y @ y))
  return float(x @ y / scale) if scale > 0 else 0.0


def _level_accuracy(x: np.ndarray, y: np.ndarray) -> float:
  """How well levels tell a 0/1 label: balanced accuracy, leave-one-out.

  A study is predicted by the majority of the *other* studies of its level,
  so that a level of one study, as in an identifier, predicts nothing.
  """
  _, codes = np.unique(x, return_inverse=True)
  positive = np.bincount(codes, weights=y)
  negative = np.bincount(codes, weights=~y)
  recalls = (
    positive[positive - 1 > negative].sum() / y.sum(),
    negative[negative - 1 > positive].sum() / (~y).sum(),
  )
  return float(np.mean(recalls))


def raise_errors(examination: Examination) -> None:
  """Raises ProblemsError with all errors, if there are any."""
  lines = [str(x) for x in examination.problems if x.is_error]
  if lines:
    name = examination.records.descriptor.path
    count = f'{len(lines)} problem{"s" if len(lines) > 1 else ""}'
    raise errors.ProblemsError(f"Cohort '{name}' has {count}:", lines)


def summarise(cohort: cohort_lib.Cohort) -> dict[str, str]:
  """What a person wants to know first, by its name."""
  n = len(cohort)
  sizes = np.unique(cohort.patient, return_counts=True)[1]
  rows = {
    'task': f'{cohort.task.kind} ({", ".join(cohort.task.names)})',
    'studies': f'{n}',
    'patients': (
      'no patient column'
      if cohort.patient_note
      else f'{len(sizes)} (at most {words.counted(sizes.max(), "study")} each)'
    ),
  }
  rows.update(_label_rows(cohort))
  for name, modality in cohort.modalities.items():
    alone = len(cohort.of_kind(modality.kind)) == 1
    for what, text in kind_lib.of(modality).summary(modality).items():
      rows[what if alone else f'{name}: {what}'] = text
  if cohort.fold is not None:
    folds, sizes = np.unique(cohort.fold, return_counts=True)
    rows['supplied folds'] = ', '.join(
      f'{a}: {b}' for a, b in zip(folds, sizes, strict=True)
    )
  if cohort.site is not None:
    rows['sites'] = f'{len(np.unique(cohort.site))}'
  if cohort.licence:
    rows['licence'] = cohort.licence
  return rows


def _label_rows(cohort) -> dict[str, str]:
  task, labels, n = cohort.task, cohort.labels, len(cohort)
  if task.kind == types.REGRESSION:
    return {
      'label': f'mean {labels.mean():.4g}, sd {labels.std():.4g}, '
      f'{labels.min():.4g} to {labels.max():.4g}'
    }
  if task.kind == types.MULTICLASS:
    counts = [int((labels[:, 0] == i).sum()) for i in range(len(task.names))]
    pairs = zip(task.names, counts, strict=True)
    return {'classes': ', '.join(f'{a}: {b}' for a, b in pairs)}
  if task.kind == types.MULTILABEL:
    return {
      f'events of {name}': f'{int(np.nansum(labels[:, at]))} '
      f'({int(np.isnan(labels[:, at]).sum())} unknown)'
      for at, name in enumerate(task.names)
    }
  events = int(labels[:, -1].sum())
  return {'events': f'{events} ({events / n:.1%})'}
