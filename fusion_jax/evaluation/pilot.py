"""What a finished run says of the differences between arms, for a plan."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import documents, errors, files, types, words
from fusion_jax.evaluation import (
  assessment,
  dependence,
  families,
  metrics,
  planning,
  power,
  registration,
  resampling,
  sources,
  thresholds,
)
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import summary as summary_lib

SUMMARY = 'summary.json'
PREDICTIONS = 'predictions.parquet'

# With fewer patients a covariance is too uncertain to plan with.
_FEW = 100


@dataclasses.dataclass(frozen=True)
class Pilot:
  """A run's arms; see `planning.Known`.

  Attributes:
    singles: what arms are compared with.
    fusions: the arms.
    behind: (s,) how much worse each of the singles is than the best of them.
    metric: of comparison.
    folds: number of test parts.
    margin: of equivalence; None if the run had none.
    reference: 'best_single' or the name of an arm.
    family: of the run's differences, from its patients.
    patients: that were tested.
    studies_per_patient: on average.
    fewest_share: of the patients, those in the smaller class; None without
      classes.
    folder: of the run.
    reasons: by arm, why it could not be more than inconclusive there.
  """

  singles: tuple[str, ...]
  fusions: tuple[str, ...]
  behind: np.ndarray
  metric: str
  folds: int
  margin: float | None
  reference: str
  family: families.Family
  patients: int
  studies_per_patient: float
  fewest_share: float | None
  folder: str
  reasons: Mapping[str, str]

  def arms(self, gains: Sequence[float], patients: float) -> list[power.Arm]:
    """The run's arms, whatever their gains and the number of patients."""
    del gains, patients
    return planning.of_family(
      self.family, self.family.covariance, self.patients
    )

  def studies(self, patients: float) -> float:
    return patients * self.studies_per_patient

  def fewest(self, patients: float) -> float | None:
    share = self.fewest_share
    return None if share is None else patients * share

  def notes(self, need: planning.Need | None) -> list[str]:
    del need
    lines = [
      f"covariance: that of the {self.patients:,} patients of '{self.folder}', "
      'which shrinks with the number of patients. Single modalities are taken '
      'to be as good as they were there; gains of that run play no role.',
      f'patients: those who are tested, in {words.counted(self.folds, "part")} '
      'as there.',
    ]
    if self.patients < _FEW:
      lines.append(
        f'From {self.patients} patients a covariance is uncertain: the numbers '
        'may be off by half.'
      )
    lines += [
      f"'{arm}' could be no more than inconclusive there: {reason}. Its "
      'numbers take that to be mended.'
      for arm, reason in self.reasons.items()
    ]
    return [
      *lines,
      'not in these numbers: what another training run would give, and models '
      'that improve as more patients are trained on.',
    ]


def read(folder: str, *, arms: Sequence[str] = ()) -> Pilot:
  """Evaluates a run's predictions anew, as its summary did.

  Args:
    folder: holds summary.json and predictions.parquet, or was made from a file
      of predictions that still is where it was.
    arms: the fusion arms to plan with, which are one family; all of the run's
      if empty.

  Raises:
    UserError: if the folder has no such files, or an arm is unknown, or there
      is nothing to compare.
  """
  path = pathlib.Path(folder)
  summary = summary_of(path)
  kept = summary['evaluation']
  predictions = predictions_of(path, summary)
  if predictions is None:
    raise errors.UserError(f"'{path}' has no {PREDICTIONS}.")
  roles = {a: x['role'] for a, x in summary['arms'].items()}
  known = [c['arm'] for c in summary['comparisons']]
  for arm in arms:
    if arm not in known:
      raise errors.unknown_name('arm', arm, known, where='arms')
  fusions = tuple(dict.fromkeys(arms)) or tuple(known)
  if not fusions:
    raise errors.UserError(
      f"'{path}': no fusion arm was compared with another."
    )
  config = config_lib.EvaluationConfig(
    metric=kept['metric'],
    margin=kept['margin'],
    replicates=kept['replicates'],
    seed=kept['seed'],
    interval=kept['method'],
  )
  valid = folds_lib.arrange(predictions, predictions_lib.VALID)
  test = folds_lib.arrange(predictions, predictions_lib.TEST)
  test = thresholds.attach(predictions.task, test, valid)
  singles = tuple(a for a, role in roles.items() if role == 'single')
  reference = kept['reference']
  rivals = singles if reference == registration.BEST_SINGLE else (reference,)
  work = assessment.Work(
    task=predictions.task,
    config=config,
    metric=kept['metric'],
    wanted=(kept['metric'],),
    arms=tuple(dict.fromkeys([*singles, *rivals, *fusions])),
    singles=singles,
    fusions=fusions,
    reference=reference,
    resamples=resampling.draw_folds(test, config),
    left_out=None,
    test_to_train=float('nan'),
    factor=dependence.factor(test),
    margin=kept['margin'] if kept['margin_given'] else None,
  )
  found = assessment.assess(work, test, [None] * len(test))
  place = {arm: i for i, arm in enumerate(work.arms)}
  of_rivals = metrics.mean([*found.values])[[place[a] for a in rivals]]
  patients = len(work.resamples.patients)
  studies = len(np.unique(np.concatenate([f.study for f in test])))
  return Pilot(
    singles=rivals,
    fusions=fusions,
    behind=np.nanmax(of_rivals) - of_rivals,
    metric=work.metric,
    folds=len(test),
    margin=work.margin,
    reference=reference,
    family=found.compared.family,
    patients=patients,
    studies_per_patient=studies / patients,
    fewest_share=_fewest_share(predictions.task, test, patients),
    folder=str(folder),
    reasons={
      c['arm']: c['reason']
      for c in summary['comparisons']
      if c['arm'] in fusions and c.get('reason')
    },
  )


def _fewest_share(task, test, patients) -> float | None:
  """Of the patients, those with a study of the smaller class."""
  if task.kind != types.BINARY:
    return None
  label = np.concatenate([f.labels[:, 0] for f in test])
  patient = np.concatenate([f.patient for f in test])
  counts = [len(np.unique(patient[label == y])) for y in (0, 1)]
  return min(counts) / patients


def predictions_of(
  folder: pathlib.Path, summary: Mapping[str, Any]
) -> predictions_lib.Predictions | None:
  """The predictions that a folder's summary was made of; None if not there.

  Args:
    folder: holds predictions.parquet, or was made from a file of predictions
      that still is where it was.
    summary: its summary.

  Raises:
    UserError: if they cannot be read.
  """
  table, part = folder / PREDICTIONS, ''
  if not table.is_file():
    run = summary.get('run') or {}
    given, part = run.get('predictions'), run.get('part_column', '')
    if not given or not pathlib.Path(given).is_file():
      return None
    table = pathlib.Path(given)
  return sources.load(table, part=part).predictions


def summary_of(folder: pathlib.Path) -> dict:
  """The summary that a folder holds.

  Raises:
    UserError: if there is none, or one of another version.
  """
  path = folder / SUMMARY
  try:
    content = files.regular(path).read_bytes()
  except FileNotFoundError:
    raise errors.UserError(
      f"'{path.parent}' has no {path.name}: give the folder of a finished run."
    ) from None
  except OSError as e:
    raise errors.UserError(
      f"'{path}' cannot be read: {e.strerror or e}."
    ) from None
  found = documents.parse(content, documents.JSON, where=str(path))
  version = found.get('version') if isinstance(found, dict) else None
  if version != summary_lib.VERSION:
    raise errors.UserError(
      f"'{path}' is of version {version}, not {summary_lib.VERSION}: run the "
      'same command again with this version of the library.'
    )
  return found
