"""How much wider bounds are where the averaged models share training data.

In cross-validation a tested patient is in the training part of the other
folds' models. Given the models, a bootstrap of the patients sees the spread of
the tested ones but not what they did to the other models, so its standard
errors are too small (Bates, Hastie and Tibshirani, 2024, JASA 119,
1434-1445). docs/dependence.md has the simulation that the factor is from.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from fusion_jax.evaluation import folds as folds_lib

# The smallest of 1.00, 1.05, ... at which no cell of docs/dependence.md fails.
FACTOR = 1.10

# A verdict that differs at a factor larger by this is called fragile.
SENSITIVITY = 0.10


@dataclasses.dataclass(frozen=True)
class Factor:
  """What multiplies the standard errors of a table.

  Attributes:
    value: FACTOR or 1.
    shared: whether averaged models share training data.
    reason: in words.
  """

  value: float
  shared: bool
  reason: str


def factor(folds: Sequence[folds_lib.Fold]) -> Factor:
  """The factor of the means over these test parts.

  Where the test parts of several models differ, a patient of one is in the
  training or validation part of another (or left out, which the table does not
  show). Where all of them test the same patients, nobody tested was trained on:
  one held-out part, several seeds, or another cohort's studies.

  Args:
    folds: test parts of all repeats.
  """
  patients = [np.unique(f.patient) for f in folds]
  if all(np.array_equal(p, patients[0]) for p in patients):
    return Factor(
      1.0, False, 'no tested patient is in the training part of another model'
    )
  return Factor(
    FACTOR,
    True,
    'tested patients are in the training parts of the other folds',
  )
