"""What a reader of the table has to be told before believing it."""

import math
from collections.abc import Sequence

import numpy as np

from fusion_jax.core import identifiers, types, words
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib

# Below this the coverage of the patient bootstrap was not near 95%.
FEWEST_PATIENTS = 50

_IN_LABEL_UNITS = ('rmse', 'mae')


def of_table(
  task: types.Task,
  folds: Sequence[folds_lib.Fold],
  *,
  arms: Sequence[str],
  absent: Sequence[str],
) -> list[str]:
  """Warnings about the table itself.

  Args:
    task: what is predicted.
    folds: test parts.
    arms: arms with predictions.
    absent: arms that were expected and have none.
  """
  lines = []
  if all(np.array_equal(f.study, f.patient) for f in folds):
    lines.append(
      'Every study is its own patient. If patients have several studies, the '
      'intervals are too narrow and the estimates may be too high.'
    )
  for name, patients in _patients_by_class(task, folds).items():
    if patients < FEWEST_PATIENTS:
      lines.append(
        f'Only {words.counted(patients, "patient")} {name}: with fewer than '
        f'{FEWEST_PATIENTS} the intervals may not cover 95%.'
      )
  for arm in absent:
    lines.append(f"Arm '{arm}' has no test predictions.")
  seeds = {s for f in folds for by_seed in f.scores.values() for s in by_seed}
  for arm in arms:
    without = [f for f in folds if arm not in f.scores]
    if without:
      listed = ', '.join(f'{f.repeat}/{f.fold}' for f in without)
      lines.append(
        f"Arm '{arm}' has no predictions in repeat/fold {listed}; its estimate "
        f'is over the other folds and nothing good can be claimed of it.'
      )
    own = {s for f in folds for s in f.scores.get(arm, {})}
    partly = any(set(f.scores.get(arm, own)) != own for f in folds)
    if partly:
      lines.append(
        f"Arm '{arm}' lacks some of its {len(own)} seeds in some folds "
        f'({len(seeds)} seeds in all).'
      )
  return lines


def of_no_patients(reason: str) -> list[str]:
  """What a cohort's reason for having no patient column stands for.

  Args:
    reason: as the cohort gives it; empty if it has such a column.
  """
  return [f'No patient column: {reason.rstrip(".")}.'] if reason else []


def of_validation(
  test: Sequence[folds_lib.Fold], valid: Sequence[folds_lib.Fold]
) -> list[str]:
  """Warnings about patients in the validation and the test part of a fold."""
  validated = {(f.repeat, f.fold): f.patient for f in valid}
  known: set[str] = set()
  studies: set[str] = set()
  for fold in test:
    seen = np.isin(
      fold.patient, validated.get((fold.repeat, fold.fold), fold.patient[:0])
    )
    known.update(fold.patient[seen].tolist())
    studies.update(fold.study[seen].tolist())
  if not known:
    return []
  return [
    f'Leakage: {words.counted(len(known), "patient")} '
    f'({words.counted(len(studies), "test study")}) '
    'in the validation and the test part of the same fold. What was chosen on '
    'validation has seen them: the estimates may be too good.'
  ]


def of_patients(folds: Sequence[folds_lib.Fold]) -> list[str]:
  """Warnings about patients who are tested in several folds of a repeat.

  For divisions by others: this library keeps such patients out of training.

  Args:
    folds: test parts. Repeats whose folds all test the same studies, as those
      of another cohort, are left alone.
  """
  found: set[str] = set()
  studies: set[str] = set()
  for repeat in sorted({f.repeat for f in folds}):
    parts = [f for f in folds if f.repeat == repeat]
    if all(np.array_equal(f.study, parts[0].study) for f in parts):
      continue
    patients, times = np.unique(
      np.concatenate([np.unique(f.patient) for f in parts]), return_counts=True
    )
    found.update(patients[times > 1].tolist())
    for f in parts:
      again = np.isin(f.patient, patients[times > 1])
      studies.update(f.study[again].tolist())
  if not found:
    return []
  return [
    f'Leakage? {words.counted(len(found), "patient")} '
    f'({words.counted(len(studies), "study")}) tested '
    'in several folds of a repeat. Unless their other studies were kept out of '
    'training, the models have seen them: the estimates may be too good.'
  ]


def of_spellings(
  names: np.ndarray, *, noun: str, rows: np.ndarray | None = None
) -> list[str]:
  """Warnings about ids that differ only in how they are written.

  No id is named, since warnings stand in reports.

  Args:
    names: (n,) ids of patients or studies.
    noun: 'patient' or 'study'.
    rows: (n,) rows of a file that they come from.
  """
  found = identifiers.variants(names.tolist())
  if not found:
    return []
  where = ''
  if rows is not None:
    first = dict(zip(names[::-1].tolist(), rows[::-1].tolist(), strict=True))
    listed = sorted(first[x] for x in found[0])
    where = f' (first in rows {", ".join(map(str, listed))})'
  return [
    f'Written in two ways? {words.counted(len(found), noun)}{where} '
    f'{"has" if len(found) == 1 else "have"} ids that differ only in '
    f'{identifiers.FOLDED}. They count as different {words.plural(noun)}: if '
    'they are one, training and test parts may share them and intervals are '
    'too narrow.'
  ]


def of_estimates(
  folds: Sequence[folds_lib.Fold],
  estimates: estimates_lib.Estimates,
  *,
  arms: Sequence[str],
  metric: str,
) -> list[str]:
  """Warnings about folds the metric of comparison had to leave out."""
  found: dict[int, str] = {}
  notes: dict[int, str] = {}
  for g, by_arm in enumerate(estimates.cells):
    for arm in arms:
      for value in by_arm[arm].values():
        if math.isnan(value[metric].estimate):
          found.setdefault(g, value[metric].reason)
        elif value[metric].reason:
          notes.setdefault(g, value[metric].reason)
  lines = []
  for kind, reasons in (('undefined', found), ('incomplete', notes)):
    for g, reason in reasons.items():
      outcome = 'left out of every mean' if kind == 'undefined' else reason
      because = f' ({reason})' if kind == 'undefined' else ''
      lines.append(
        f'{metric} is {kind} in repeat {folds[g].repeat}, fold '
        f'{folds[g].fold}{because}: {outcome}.'
      )
  return lines


def margin_of(config: config_lib.EvaluationConfig, metric: str) -> float | None:
  """The margin of equivalence; None if nobody chose one in the label's unit.

  A default margin means something for metrics on a scale from 0 to 1 alone.
  """
  if metric not in _IN_LABEL_UNITS or config.registered:
    return config.margin
  default = config_lib.EvaluationConfig().margin
  return None if config.margin == default else config.margin


def of_margin(
  folds: Sequence[folds_lib.Fold], *, metric: str, margin: float | None
) -> list[str]:
  """Warnings about a margin that nobody chose; see `margin_of`."""
  if margin is not None:
    return []
  spread = np.nanstd(np.concatenate([f.labels[:, 0] for f in folds]))
  return [
    f'No margin was given in the unit of the label, as {metric} is: no arm is '
    f'called equivalent. Labels have a standard deviation of {spread:.3g}; set '
    'a margin that matters (evaluation.margin).'
  ]


def of_singles(
  singles: Sequence[str], *, fusions: Sequence[str], missing: str
) -> list[str]:
  """Warnings about what fusion is compared with.

  Args:
    singles: single-modality arms with predictions.
    fusions: fusion arms with predictions.
    missing: why no gain over the best single modality can be claimed; empty
      if it can.
  """
  if not fusions:
    return []
  if not singles:
    return [
      'No single-modality arm has predictions: fusion is compared with nothing.'
    ]
  if missing:
    return [f'No arm is called superior or equivalent: {missing}.']
  if len(singles) == 1:
    return [
      f"Only one single-modality arm ('{singles[0]}') has predictions: a gain "
      f'over it need not be a gain over the best single modality.'
    ]
  return []


def _patients_by_class(task, folds) -> dict[str, int]:
  """Patients with at least one study of each class (or event or label)."""
  patient = np.concatenate([f.patient for f in folds])
  labels = np.concatenate([f.labels for f in folds])

  def count(rows):
    return len(np.unique(patient[rows]))

  if task.kind == types.REGRESSION:
    return {'with a known label': count(~np.isnan(labels[:, 0]))}
  if task.kind == types.SURVIVAL:
    return {'with an event': count(labels[:, 1] == 1)}
  if task.kind == types.BINARY:
    return {
      f'with {task.names[0]} = {y}': count(labels[:, 0] == y) for y in (0, 1)
    }
  positive = folds_lib.positives(task, labels)
  found = {}
  for i, name in enumerate(task.names):
    if task.kind == types.MULTICLASS:
      found[f'of class {name}'] = count(positive[:, i])
    else:
      found[f'with {name}'] = count(positive[:, i])
      found[f'without {name}'] = count(labels[:, i] == 0)
  return found
