"""What every part of a division has in equal shares, and how it is divided."""

import numpy as np

from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib

# Strata that continuous labels are cut into.
_QUANTILES = 4


def stratum(
  cohort: cohort_lib.Cohort, rows: np.ndarray | None = None
) -> np.ndarray:
  """(rows,) int: what is kept in equal shares in every part.

  The class; for several labels the rarest one a study has; quartiles of a
  continuous label; for survival the event. Unknown labels are one stratum.

  Args:
    cohort: n studies.
    rows: the studies that are divided, all if None. Which label is rare and
      where quartiles lie is read from them alone, so that labels of a test
      part have no say in how the others are divided.
  """
  kind = cohort.task.kind
  y = cohort.labels if rows is None else cohort.labels[rows]
  if kind == types.SURVIVAL:
    y = y[:, 1]
  elif kind == types.MULTILABEL:
    order = np.argsort(np.nansum(y == 1, axis=0), kind='stable')
    has = y[:, order] == 1
    first = np.where(has.any(axis=1), order[has.argmax(axis=1)], y.shape[1])
    y = np.where(np.isnan(y).all(axis=1), np.nan, first)
  elif kind == types.REGRESSION:
    y = y[:, 0]
    known = y[~np.isnan(y)]
    if len(known):
      cuts = np.quantile(known, np.arange(1, _QUANTILES) / _QUANTILES)
      y = np.where(np.isnan(y), np.nan, np.digitize(y, np.unique(cuts)))
  else:
    y = y[:, 0]
  return np.where(np.isnan(y), -1, y).astype(int)


def divide(
  patient: np.ndarray,
  strata: np.ndarray,
  shares: np.ndarray,
  rng: np.random.Generator,
) -> np.ndarray:
  """(n,) part of each study: patients whole, strata in the given shares.

  Patients are dealt one by one, those with studies of rare strata first, each
  to the part that then lies closest to its share of every stratum. Ties fall
  by chance, and no part is left empty where there are patients enough.
  """
  _, inverse = np.unique(patient, return_inverse=True)
  _, level = np.unique(strata, return_inverse=True)
  patients, levels, k = inverse.max() + 1, level.max() + 1, len(shares)
  counts = np.zeros((patients, levels))
  np.add.at(counts, (inverse, level), 1.0)
  # In units of a stratum's size, so that rare strata count as much as common
  # ones; the last column balances the number of studies.
  load = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
  load /= load.sum(axis=0)
  order = rng.permutation(patients)
  # The hardest first: many studies, or a large piece of a rare stratum.
  order = order[np.argsort(-load[order].max(axis=1), kind='stable')]
  held = np.zeros((k, load.shape[1]))
  part_of = np.zeros(patients, int)
  for dealt, i in enumerate(order):
    # The increase of sum (held / share - 1)^2 share, per part.
    added = load[i]
    cost = (added * (2 * (held - shares[:, None]) + added)).sum(axis=1)
    cost = cost / shares
    empty = (held.sum(axis=1) == 0).sum()
    if patients - dealt <= empty:
      cost = np.where(held.sum(axis=1) == 0, cost, np.inf)
    best = np.flatnonzero(cost <= cost.min() + 1e-12)
    part_of[i] = rng.choice(best)
    held[part_of[i]] += added
  return part_of[inverse]
