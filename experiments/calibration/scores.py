"""Runs from scores alone: binormal arms whose true AUROCs are known.

Given the label, the scores of a study's arms are normal with unit variance;
AUROC = Phi(d / sqrt 2) for a shift d. Fusion arms resemble the image arm, which
is the better single modality. All studies of a patient have one label, and
half of the variance of the scores is the patient's.
"""

import math
from collections.abc import Mapping

import numpy as np
from scipy import special

from experiments.calibration import cells
from fusion_jax.core import types
from fusion_jax.evaluation import comparison, delong, resampling
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib

IMAGE, EHR = 'image', 'ehr'
SINGLES = (IMAGE, EHR)
IMAGE_AUROC = 0.80
PREVALENCE = 0.3
MARGIN = 0.02
# Correlations of scores given the label: of two arms that see the image, and
# of the EHR arm with any.
_ALIKE, _APART = 0.8, 0.3
_OF_PATIENT = 0.5
# Validation studies, as a share of those tested.
_VALID = 0.25
_METRIC = 'auroc'
TASK = types.Task(types.BINARY, ('event',))


def fusions(cell: cells.Cell) -> tuple[str, ...]:
  """Names of the fusion arms; the first has the cell's gain."""
  return tuple(f'fusion{i}' for i in range(cell.k))


def truth(cell: cells.Cell) -> dict[str, float]:
  """The true AUROC of every arm."""
  names = fusions(cell)
  return {
    IMAGE: IMAGE_AUROC,
    EHR: cell.ehr,
    **dict.fromkeys(names, IMAGE_AUROC),
    names[0]: IMAGE_AUROC + cell.gain,
  }


def draw(
  cell: cells.Cell, rng: np.random.Generator, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Patients (n,) int, labels (n,) bool and scores (a, n) of n studies.

  Arms are in the order of `truth`. At least one patient of each class.
  """
  areas = np.array(list(truth(cell).values()))
  a = len(areas)
  shifts = math.sqrt(2) * special.ndtri(areas)
  alike = np.full((a, a), _ALIKE)
  alike[1, :] = alike[:, 1] = _APART
  np.fill_diagonal(alike, 1)
  root = np.linalg.cholesky(alike)
  patients = max(2, math.ceil(n / cell.per_patient))
  patient = np.minimum(np.arange(n) // cell.per_patient, patients - 1)
  sick = rng.random(patients) < PREVALENCE
  sick[0], sick[1] = True, False
  noise = rng.standard_normal((a, n))
  if cell.per_patient > 1:
    noise *= math.sqrt(1 - _OF_PATIENT)
    own = rng.standard_normal((a, patients))
    noise += math.sqrt(_OF_PATIENT) * own[:, patient]
  label = sick[patient]
  return patient, label, root @ noise + shifts[:, None] * label


def _fold(cell, rng, n) -> folds_lib.Fold:
  patient, label, scores = draw(cell, rng, n)
  return folds_lib.Fold(
    repeat=0,
    fold=0,
    study=np.array([f's{i:06}' for i in range(n)]),
    patient=np.array([f'p{i:06}' for i in patient]),
    labels=label[:, None].astype(float),
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores={
      arm: {0: special.ndtr(s)[:, None]}
      for arm, s in zip(truth(cell), scores, strict=True)
    },
  )


def parts(
  cell: cells.Cell, settings: cells.Settings, run: int
) -> tuple[folds_lib.Fold, folds_lib.Fold]:
  """(test, validation) of a run, the same for `verdict` and `naive`."""
  rng = cell.rng(settings.seed, run)
  test = _fold(cell, rng, cell.n)
  return test, _fold(cell, rng, max(4, round(_VALID * cell.n)))


def verdict(
  cell: cells.Cell, settings: cells.Settings, run: int
) -> Mapping[str, float]:
  """The library's own procedure on one data set.

  Outcomes: `superior` (any arm without a gain is called superior), `found`
  (the arm with a gain is), `arm_covered` (share of the arms' intervals with
  the truth inside), `differences_covered` (all simultaneous intervals at once),
  `fewest` (patients in the smaller class).
  """
  test, valid = parts(cell, settings, run)
  true = truth(cell)
  arms, names = list(true), fusions(cell)
  reference = comparison.choose_reference(
    dict(zip(SINGLES, _auroc(valid, SINGLES), strict=True)), SINGLES, True
  )
  resamples = resampling.draw(
    test.patient, replicates=settings.replicates, seed=run
  )
  replicates = resampling.replicate(
    TASK,
    [test],
    arms=arms,
    wanted=[_METRIC],
    metric=_METRIC,
    resamples=resamples,
  )
  compared = comparison.compare(
    arms=arms,
    fusions=names,
    singles=SINGLES,
    references=[reference],
    values=_auroc(test, arms)[None],
    replicates=replicates.by_fold,
    margin=MARGIN,
    patients=len(resamples.patients),
  )
  called = {c.arm: c.verdict == comparison.SUPERIOR for c in compared}
  inside = []
  for a, arm in enumerate(arms):
    low, high, _ = comparison.interval(replicates.by_fold[0, a])
    inside.append(low <= true[arm] <= high)
  covered = [c.low <= true[c.arm] - true[reference] <= c.high for c in compared]
  return {
    **_called(cell, called),
    'arm_covered': float(np.mean(inside)),
    'differences_covered': float(all(covered)),
    'fewest': fewest(test),
  }


def naive(
  cell: cells.Cell, settings: cells.Settings, run: int
) -> Mapping[str, float]:
  """What papers do on the same data: the best arm on the test part, DeLong.

  Outcomes, each a share of runs in which a gain that is not there is claimed
  at the one-sided 2.5% level, studies taken as independent: `best_of_k`
  (against the better single modality on the test part), `against_weaker` (the
  same against the weaker one and read as a gain of fusion) and `one_arm` (one
  fixed arm without a gain against the image arm).
  """
  test, _ = parts(cell, settings, run)
  true = truth(cell)
  arms, names = list(true), fusions(cell)
  found = delong.areas(
    test.labels[:, 0] > 0,
    np.stack([test.scores[arm][0][:, 0] for arm in arms]),
  )
  place = {arm: i for i, arm in enumerate(arms)}
  best = max(names, key=lambda arm: found.auroc[place[arm]])
  order = sorted(SINGLES, key=lambda arm: found.auroc[place[arm]])

  def claimed(arm, single):
    return float(delong.difference(found, place[arm], place[single]).low > 0)

  return {
    'best_of_k': claimed(best, order[1]),
    'against_weaker': claimed(best, order[0]),
    'one_arm': claimed(names[-1], IMAGE),
    'fewest': fewest(test),
  }


def _auroc(fold, arms) -> np.ndarray:
  found = estimates_lib.estimate(TASK, [fold], arms=arms, wanted=[_METRIC])
  return found.values[_METRIC][0]


def _called(cell, called: Mapping[str, bool]) -> dict[str, float]:
  names = fusions(cell)
  wrong = names[1:] if cell.gain else names
  return {
    'superior': float(any(called[arm] for arm in wrong)) if wrong else math.nan,
    'found': float(called[names[0]]) if cell.gain else math.nan,
  }


def fewest(fold: folds_lib.Fold) -> float:
  """Patients in the smaller class."""
  classes = [
    len(np.unique(fold.patient[fold.labels[:, 0] == y])) for y in (0, 1)
  ]
  return float(min(classes))
