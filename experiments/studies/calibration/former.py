"""The rule that came before: the single arm that validation picks.

It stands beside the verdict so that a reader sees what the change is worth.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.evaluation import comparison
from fusion_jax.evaluation import verdict as verdict_lib


def outcomes(
  common: Mapping[str, Any],
  singles: Sequence[str],
  fusions: Sequence[str],
  valid: np.ndarray,
  gains: Sequence[comparison.Gain],
  delta: Mapping[str, float],
) -> dict[str, float]:
  """What the former rule says of the same data.

  Args:
    common: arguments of `comparison.compare`.
    singles: single arms.
    fusions: fusion arms.
    valid: (s,) AUROCs of the single arms on validation.
    gains: what `comparison.compare` came to.
    delta: by fusion arm, its true gain over the best single arm.

  Returns:
    `former_found` and `former_same` (the first arm is called superior,
    equivalent), `former_equivalent` (any arm whose true gain is the margin or
    more on either side is called equivalent; NaN if there is none),
    `former_covered` (all intervals of the difference from what was picked hold
    the arms' true gains over the best single arm, as which they were read).
  """
  picked = comparison.choose_reference(
    dict(zip(singles, valid, strict=True)), singles, True
  )
  judged = comparison.picked_on_validation(
    **common,
    fusions=fusions,
    references=[picked] * len(common['values']),
    gains=gains,
  )
  margin = common['margin']
  beyond = [
    g.verdict == verdict_lib.EQUIVALENT
    for g in judged
    if abs(delta[g.arm]) >= margin - 1e-12
  ]
  return {
    'former_found': float(judged[0].verdict == verdict_lib.SUPERIOR),
    'former_same': float(judged[0].verdict == verdict_lib.EQUIVALENT),
    'former_equivalent': float(any(beyond)) if beyond else float('nan'),
    'former_covered': float(
      all(
        not g.low > delta[g.arm] + 1e-12 and not g.high < delta[g.arm] - 1e-12
        for g in judged
      )
    ),
  }
