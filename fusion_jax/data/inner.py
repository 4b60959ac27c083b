"""Divisions inside the training and validation parts of one fold.

By patient and stratified, as the parts themselves are; no study of the test
part is ever in one.
"""

import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import splits as splits_lib
from fusion_jax.data import strata as strata_lib

# What the random numbers of each division are told apart by.
_HALVES, _FOLDS = 2, 4


def halves(
  split: splits_lib.Split,
  cohort: cohort_lib.Cohort,
  seed: int,
  number: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
  """The training part cut in two by patient, stratified.

  A second stage is fitted on features that a model of the *other* half gave,
  so that it never sees features of rows their extractor was fitted on.

  Args:
    split: whose training part.
    cohort: the studies.
    seed: everything random follows from it and from the fold.
    number: of the cut; each is drawn on its own.

  Raises:
    UserError: if the training part has fewer than two patients.
  """
  patients = cohort.patient[split.train]
  if len(np.unique(patients)) < 2:
    raise errors.UserError(
      f'Fold {split.fold} of repeat {split.repeat} has one training patient, '
      'which cannot be cut into two halves for a second stage.'
    )
  place = [seed, split.repeat, split.fold, _HALVES]
  rng = np.random.default_rng([*place, number] if number else place)
  strata = strata_lib.stratum(cohort, split.train)
  part = strata_lib.divide(patients, strata, np.full(2, 0.5), rng)
  return split.train[part == 0], split.train[part == 1]


def folds(
  cohort: cohort_lib.Cohort, rows: np.ndarray, count: int, seed: int
) -> np.ndarray:
  """(len(rows),) int: the fold of an inner cross-validation of each study.

  Args:
    cohort: the studies.
    rows: numbers of those that are divided.
    count: of folds; no more than there are patients.
    seed: everything random follows from it.

  Raises:
    UserError: if the studies are of fewer than two patients.
  """
  patients = cohort.patient[rows]
  count = min(count, len(np.unique(patients)))
  if count < 2:
    raise errors.UserError(
      'Training and validation together have one patient: nothing can be '
      'tuned by cross-validation.'
    )
  return strata_lib.divide(
    patients,
    strata_lib.stratum(cohort, rows),
    np.full(count, 1 / count),
    np.random.default_rng([seed, _FOLDS]),
  )
