"""When an arm has a property: fixed numbers, before any result was seen.

An interval decides: all of it on one side of a threshold is a 'yes' or a 'no',
anything else is 'unclear'.
"""

import math

from experiments.studies.table2 import claims

# AUROC that may be lost against the remaining modality's own model.
LOSS_ALLOWED = 0.05
# Share of the best possible lift above chance in a world of interactions.
LIFT_SHARE = 0.25
# Explained variance of the complementary latent that is of no interest.
R2_MARGIN = 0.02
# Change of an encoder's features that is rounding.
FEATURE_TOLERANCE = 1e-5
# Share of the gain with all data that must be there with the least.
GAIN_SHARE = 0.5
# AUROC that settings drawn at random may cost.
DESIGN_MARGIN = 0.02


def above(low: float, high: float, threshold: float) -> str:
  """'yes' if low is above the threshold, 'no' if high is below it."""
  if math.isnan(low) or math.isnan(high):
    return claims.UNCLEAR
  if low > threshold:
    return claims.YES
  return claims.NO if high < threshold else claims.UNCLEAR


def predicts_without(low: float, high: float) -> str:
  """Of AUROC without a modality less that of the other one's own model."""
  return above(low, high, -LOSS_ALLOWED)


def interacts(low: float, high: float) -> str:
  """Of the share of the oracle's lift above chance."""
  return above(low, high, LIFT_SHARE)


def more_compatible(low: float, high: float) -> str:
  """Of the complementary latent's explained variance, joint less apart.

  'no' also where it is a little higher, by less than R2_MARGIN.
  """
  if not math.isnan(high) and high < R2_MARGIN:
    return claims.NO
  return claims.YES if low > 0 else claims.UNCLEAR


def depends(change: float) -> str:
  """Of the largest change of features when the other modality changes."""
  return claims.YES if change > FEATURE_TOLERANCE else claims.NO


def needs_little_data(
  *, all_low: float, kept_low: float, kept_high: float
) -> str:
  """Of gain with the least data less GAIN_SHARE of that with all.

  Args:
    all_low: lower end of the gain with all data: without a gain there is
      nothing that few data could lack.
    kept_low: lower end of the difference.
    kept_high: its upper end.
  """
  if not all_low > 0:
    return claims.UNCLEAR
  return above(kept_low, kept_high, 0.0)


def needs_one_model(models: int) -> str:
  """Of the number of models that are trained for one."""
  return claims.YES if models <= 1 else claims.NO


def needs_no_design(low: float, high: float) -> str:
  """Of the AUROC that settings drawn at random cost."""
  return above(-high, -low, -DESIGN_MARGIN)


def holds(condition: bool) -> str:
  """Of a fact."""
  return claims.YES if condition else claims.NO
