"""Runs through real splits, training, stacking and the verdict.

Given the label, image and EHR columns are jointly normal with one covariance,
and the EHR columns are a noisy copy of the image's: given the image they say
nothing of the label, so no fusion has a true gain. Scores of linear models are
then normal given the label, and the true AUROC of each trained model is
Phi(w'm / sqrt(2 w'Sw)): coverage is of what the interval is about, these
trained models.
"""

import dataclasses
import math
from collections.abc import Mapping

import numpy as np
from scipy import special

from experiments.studies.calibration import cells, scores
from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import config as data_config
from fusion_jax.data import modality
from fusion_jax.data import splits as splits_lib
from fusion_jax.data.kinds import table
from fusion_jax.evaluation import (
  bounds,
  comparison,
  folds,
  predictions,
)
from fusion_jax.fusion import late
from fusion_jax.training import classical

SINGLES = ('image_linear', 'ehr_linear')
RULES = ('mean', 'weighted', 'stack')
FUSIONS = ('joint_linear', *(f'late_{rule}' for rule in RULES))
FOLDS = 3

_IMAGE_COLUMNS, _EHR_COLUMNS = 12, 6
_IMAGE_AUROC = 0.80
_COPY_NOISE = 0.8
_PREVALENCE = 0.35
_OF_PATIENT = 0.5
_TASK = types.Task(types.BINARY, ('event',))


def geometry() -> tuple[np.ndarray, np.ndarray]:
  """Shift (p,) between the classes and covariance (p, p) of all columns.

  Image columns come first and are independent, with equal shifts; EHR column j
  is the sum of two image columns and noise.
  """
  d = math.sqrt(2) * special.ndtri(_IMAGE_AUROC)
  shift = np.full(_IMAGE_COLUMNS, d / math.sqrt(_IMAGE_COLUMNS))
  copy = np.zeros((_EHR_COLUMNS, _IMAGE_COLUMNS))
  for j in range(_EHR_COLUMNS):
    copy[j, [j, j + 1]] = math.sqrt(0.5)
  mixing = np.concatenate([np.eye(_IMAGE_COLUMNS), copy])
  noise = np.zeros(_IMAGE_COLUMNS + _EHR_COLUMNS)
  noise[_IMAGE_COLUMNS:] = _COPY_NOISE**2
  return mixing @ shift, mixing @ mixing.T + np.diag(noise)


def true_auroc(weights: np.ndarray) -> float:
  """AUROC of the score x @ weights in the population; .5 if constant."""
  shift, covariance = geometry()
  spread = weights @ covariance @ weights
  if spread <= 0:
    return 0.5
  return float(special.ndtr(weights @ shift / math.sqrt(2 * spread)))


def make(cell: cells.Cell, rng: np.random.Generator) -> cohort_lib.Cohort:
  """A cohort of the cell's size; its numeric columns are those of `geometry`.

  All studies of a patient have one label.
  """
  shift, covariance = geometry()
  n, p = cell.n, len(shift)
  patients = math.ceil(n / cell.per_patient)
  patient = np.arange(n) // cell.per_patient
  sick = rng.random(patients) < _PREVALENCE
  noise = rng.standard_normal((n, p))
  if cell.per_patient > 1:
    noise *= math.sqrt(1 - _OF_PATIENT)
    own = rng.standard_normal((patients, p))
    noise += math.sqrt(_OF_PATIENT) * own[patient]
  x = noise @ np.linalg.cholesky(covariance).T + sick[patient][:, None] * shift
  return _cohort(
    cell.world,
    study=np.array([f's{i:06}' for i in range(n)]),
    patient=np.array([f'p{i:06}' for i in patient]),
    labels=sick[patient][:, None].astype(float),
    numeric=x,
  )


def _cohort(name, *, study, patient, labels, numeric) -> cohort_lib.Cohort:
  return cohort_lib.Cohort(
    name=name,
    task=_TASK,
    digest=name,
    study=study,
    patient=patient,
    labels=labels,
    modalities={
      types.EHR: modality.Modality.of(
        table.NAME,
        modality.RECORD,
        table.Data(
          numeric,
          tuple(f'x{j}' for j in range(numeric.shape[1])),
          np.zeros((len(study), 0), object),
          (),
        ),
      )
    },
  )


def _numbers(cohort) -> np.ndarray:
  """(n, p) columns."""
  return table.numeric(cohort.modalities[types.EHR])


def verdict(
  cell: cells.Cell, settings: cells.Settings, run: int
) -> Mapping[str, float]:
  """One cohort from splits to verdicts.

  Outcomes: those of `scores.judged`, about the true gains of these trained
  models; `arm_covered` (share of the arms' intervals that hold the true AUROC
  of the trained models), `fewest` (patients in the smaller class). With the
  cell's factor.
  """
  cohort = make(cell, cell.rng(settings.seed, run))
  return _outcomes(cell, cohort, _splits(cohort, run), settings, run)


def fresh(
  cell: cells.Cell, settings: cells.Settings, run: int
) -> Mapping[str, float]:
  """As `verdict`, with the same models, but each fold is tested on others.

  The patients of a test part are replaced by as many new ones, so that no
  model was trained on patients that another one is tested on.
  """
  rng = cell.rng(settings.seed, run)
  cohort = make(cell, rng)
  splits = [
    dataclasses.replace(s, test=s.test + cell.n) for s in _splits(cohort, run)
  ]
  joined = _joined(cohort, make(cell, rng))
  return _outcomes(cell, joined, splits, settings, run)


def _splits(cohort, run) -> list[splits_lib.Split]:
  config = data_config.SplitConfig(folds=FOLDS, seed=run)
  return splits_lib.make_splits(cohort, config)


def _joined(one, other) -> cohort_lib.Cohort:
  """Both cohorts, the other one's studies and patients under new names."""
  return _cohort(
    one.name,
    study=np.concatenate([one.study, np.char.add('new-', other.study)]),
    patient=np.concatenate([one.patient, np.char.add('new-', other.patient)]),
    labels=np.concatenate([one.labels, other.labels]),
    numeric=np.concatenate([_numbers(one), _numbers(other)]),
  )


def _outcomes(cell, cohort, splits, settings, run) -> Mapping[str, float]:
  tables, true = [], {}
  for split in splits:
    found, weights = train(cohort, split)
    tables += found
    true[split.fold] = {a: true_auroc(w) for a, w in weights.items()}
  test = folds.arrange(predictions.concat(tables))
  arms = [*SINGLES, *FUSIONS]
  values = scores.auroc(test, arms)
  replicates = scores.resampled(settings, run, test, arms)
  gains = comparison.compare(
    arms=arms,
    fusions=FUSIONS,
    singles=SINGLES,
    values=values,
    margin=scores.MARGIN,
    families=comparison.resampled(
      arms, replicates.by_fold, values, cell.factor
    ),
  ).gains
  areas = {a: np.mean([by_arm[a] for by_arm in true.values()]) for a in arms}
  best = max(areas[a] for a in SINGLES)
  inside = []
  for a, arm in enumerate(arms):
    low, high, _ = bounds.of_metric(
      scores.METRIC,
      float(values[:, a].mean()),
      replicates.means[a, 0],
      factor=cell.factor,
    )
    inside.append(low <= areas[arm] <= high)
  return {
    **scores.judged(gains, [areas[a] - best for a in FUSIONS]),
    'arm_covered': float(np.mean(inside)),
    'fewest': scores.fewest(test),
  }


def train(cohort, split):
  """Predictions of all arms of a fold, and by arm its weights (p,)."""
  x, y = _numbers(cohort), cohort.labels
  p = x.shape[1]
  columns = {
    SINGLES[0]: np.arange(_IMAGE_COLUMNS),
    SINGLES[1]: np.arange(_IMAGE_COLUMNS, p),
    FUSIONS[0]: np.arange(p),
  }
  logits, weights = {}, {}
  for arm, used in columns.items():
    fitted = classical.fit_elastic_net(
      task=_TASK,
      x=x[split.train][:, used],
      labels=y[split.train],
      weight=None,
      x_valid=x[split.valid][:, used],
      labels_valid=y[split.valid],
      weight_valid=None,
    )
    weights[arm] = np.zeros(p)
    weights[arm][used] = fitted.coefficients[:, 0]
    logits[arm] = fitted.logits(x[:, used])
  present = {arm: np.ones(len(x), bool) for arm in SINGLES}
  for rule in RULES:
    arm = f'late_{rule}'
    fitted = late.fit_late(
      rule,
      task=_TASK,
      valid_logits={a: logits[a][split.valid] for a in SINGLES},
      valid_present={a: present[a][split.valid] for a in SINGLES},
      valid_labels=y[split.valid],
    )

    def apply(values, fitted=fitted):
      return fitted.apply(
        values, {a: np.ones(len(values[a]), bool) for a in SINGLES}
      )

    logits[arm] = apply({a: logits[a] for a in SINGLES})
    # All three rules are linear in the logits, and so in the columns.
    zero = {a: np.zeros((1, 1)) for a in SINGLES}
    weights[arm] = sum(
      (apply({**zero, a: np.ones((1, 1))}) - apply(zero)).item() * weights[a]
      for a in SINGLES
    )
  tables = [
    predictions.create(
      task=_TASK,
      study_id=cohort.study[rows],
      patient_id=cohort.patient[rows],
      arm=arm,
      labels=y[rows],
      scores=special.expit(values[rows]),
      fold=split.fold,
      part=part,
    )
    for arm, values in logits.items()
    for part, rows in (
      (predictions.TEST, split.test),
      (predictions.VALID, split.valid),
    )
  ]
  return tables, weights
