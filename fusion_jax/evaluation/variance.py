"""What training again would change: folds and seeds as sources of variance."""

import dataclasses
import math

import numpy as np
from scipy import special

from fusion_jax.evaluation import bounds
from fusion_jax.evaluation import estimates as estimates_lib

ONE_SEED = 'one seed only, and a spread needs two'


@dataclasses.dataclass(frozen=True)
class CorrectedT:
  """A t test over folds; NaN where undefined, with the reason.

  Attributes:
    t: the mean over its corrected standard deviation.
    df: degrees of freedom.
    p: one-sided: the mean is not above 0.
    reason: why it is undefined; empty otherwise.
  """

  t: float
  df: int
  p: float
  reason: str = ''


@dataclasses.dataclass(frozen=True)
class Components:
  """Standard deviations of one model's metric by source, and their share.

  Attributes:
    seed_sd: between seeds within a fold.
    fold_sd: between folds, what seeds explain taken out. It holds other
      training patients as well as other test patients.
    seed_share: of the variance of one model's metric, due to the seed; NaN if
      there is none.
    reason: why they are undefined; empty otherwise.
  """

  seed_sd: float
  fold_sd: float
  seed_share: float
  reason: str = ''


def corrected_t(values: np.ndarray, test_to_train: float) -> CorrectedT:
  """The corrected resampled t test over J folds of all repeats.

  Nadeau and Bengio (2003, Machine Learning 52, 239-281): t = mean /
  sqrt((1 / J + n_test / n_train) S^2) with J - 1 degrees of freedom. It speaks
  of the learning procedure and not of these fitted models.

  Args:
    values: (g,) one paired difference per fold, NaN where undefined.
    test_to_train: n_test / n_train, NaN if unknown.
  """
  sd = estimates_lib.corrected_sd(values, test_to_train)
  values = values[~np.isnan(values)]
  df = max(len(values) - 1, 0)
  if math.isnan(sd):
    return CorrectedT(math.nan, df, math.nan, no_fold_sd(values))
  if sd <= bounds.ROUNDING:
    reason = 'the difference does not vary over the folds'
    return CorrectedT(math.nan, df, math.nan, reason)
  t = float(values.mean() / sd)
  return CorrectedT(t, df, float(special.stdtr(df, -t)))


def no_fold_sd(values: np.ndarray) -> str:
  """Why `estimates.corrected_sd` of (g,) values is undefined."""
  if (~np.isnan(values)).sum() < 2:
    return 'the metric is defined in fewer than two folds'
  return 'the size of the training parts, which it needs, is unknown'


def components(
  estimates: estimates_lib.Estimates, arm: str, metric: str
) -> Components:
  """Variance between seeds and between folds by the method of moments.

  One-way random effects with unequal numbers (Searle, Casella and McCulloch,
  1992, Variance Components, section 3.6): the mean square within folds
  estimates the seeds' variance; what the mean square between folds has above
  it, divided by the number of seeds, the folds'. A negative estimate is 0.
  """
  cells = []
  for by_arm in estimates.cells:
    found = [v[metric].estimate for v in by_arm.get(arm, {}).values()]
    found = np.array([x for x in found if not math.isnan(x)])
    if len(found):
      cells.append(found)
  sizes = np.array([len(x) for x in cells], np.float64)
  total, folds = sizes.sum(), len(cells)
  nothing = math.nan, math.nan, math.nan
  if folds < 2:
    return Components(*nothing, 'fewer than two folds are defined')
  if total == folds:
    return Components(*nothing, ONE_SEED)
  means = np.array([x.mean() for x in cells])
  within = sum(((x - x.mean()) ** 2).sum() for x in cells) / (total - folds)
  centre = (sizes * means).sum() / total
  between = (sizes * (means - centre) ** 2).sum() / (folds - 1)
  per_fold = (total - (sizes**2).sum() / total) / (folds - 1)
  fold = max(0.0, (between - within) / per_fold)
  share = within / (within + fold) if within + fold > 0 else math.nan
  return Components(math.sqrt(within), math.sqrt(fold), float(share))
