"""Which arm to use.

An arm that is best on the test part and is tested there against itself is
chosen too boldly. Hsu's comparison with the best (1984, Annals of Statistics
12, 1136-1144; 1996, Multiple Comparisons, chapter 4) asks of every arm whether
any other one could be better by the margin.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.evaluation import comparison
from fusion_jax.evaluation import verdict as verdict_lib

ARM = 'arm'
SINGLE = 'single'
NOT_DISTINGUISHABLE = 'not_distinguishable'
NONE = 'none'


@dataclasses.dataclass(frozen=True)
class Advice:
  """What to use.

  Attributes:
    advice: 'arm', 'single', 'not_distinguishable' (superior arms, none of which
      is calibrated and good enough) or 'none' (nothing is settled).
    arm: the fusion arm to use, if any.
    single: the single-modality arm to use, if any.
    candidates: superior, calibrated and good enough arms, in their order.
    excluded: by superior arm that is no candidate, why.
  """

  advice: str
  arm: str | None
  single: str | None
  candidates: tuple[str, ...]
  excluded: Mapping[str, str]


def good_enough(
  *,
  arms: Sequence[str],
  fusions: Sequence[str],
  values: np.ndarray,
  families: comparison.Families,
  margin: float | None,
) -> dict[str, bool]:
  """By fusion arm, whether no other one is shown not to exclude being better.

  Arm i is good enough if the smallest lower bound of theta_i - theta_j over the
  other fusion arms j is above -margin. The bounds are those of a standardised
  max-t over i, for each j, one-sided 2.5%, with the factor. Arms that predict
  the same differ by 0.

  Args:
    arms: names of the a arms in `values`.
    fusions: f fusion arms.
    values: (g, a) metric by fold, higher = better, NaN where undefined.
    families: makes bounds, as `comparison.compare` takes it.
    margin: by which another arm may be better; None if there is none.
  """
  if margin is None:
    return dict.fromkeys(fusions, False)
  enough = dict.fromkeys(fusions, True)
  place = {arm: a for a, arm in enumerate(arms)}
  for other in fusions:
    rivals = [arm for arm in fusions if arm != other]
    if not rivals:
      continue
    differences = (
      values[:, [place[a] for a in rivals]] - values[:, [place[other]]]
    )
    observed = np.array(
      [[_mean(differences[:, i])] for i in range(len(rivals))]
    )
    family = families(rivals, [[other] * len(values)], observed)
    for arm, low in zip(rivals, family.low[:, 0], strict=True):
      # An undefined bound excludes nothing.
      enough[arm] = enough[arm] and bool(low > -margin)
  return enough


def choose(
  *,
  gains: Sequence[comparison.Gain],
  best_single: str | None,
  enough: Mapping[str, bool],
  useless: Mapping[str, bool],
  parameters: Mapping[str, float | None],
  margin: float,
) -> Advice:
  """The arm to use.

  Of the superior arms whose probabilities are not useless and that are good
  enough, the one with the fewest stored parameters needed to predict; of equals
  the first listed. Arms whose number is unknown come last. Seconds do not
  decide. Without a superior arm: the best single modality where fusion is shown
  to be no better (equivalent or inferior), else nothing.

  Args:
    gains: of the fusion arms, in their listed order.
    best_single: name of the best single-modality arm.
    enough: by fusion arm; see `good_enough`.
    useless: by arm, whether its probabilities are.
    parameters: by arm, where known.
    margin: of `good_enough`.
  """
  verdict = verdict_lib.of_question([g.verdict for g in gains])
  if verdict in (verdict_lib.EQUIVALENT, verdict_lib.INFERIOR):
    return Advice(SINGLE, None, best_single, (), {})
  if verdict == verdict_lib.INCONCLUSIVE:
    return Advice(NONE, None, None, (), {})
  candidates, excluded = [], {}
  for gain in gains:
    if gain.verdict != verdict_lib.SUPERIOR:
      continue
    reasons = []
    if useless.get(gain.arm):
      reasons.append('its probabilities are miscalibrated')
    if not enough[gain.arm]:
      reasons.append(f'another arm may be better by {margin:g}')
    if reasons:
      excluded[gain.arm] = ' and '.join(reasons)
    else:
      candidates.append(gain.arm)
  if not candidates:
    return Advice(NOT_DISTINGUISHABLE, None, None, (), excluded)

  def size(arm):
    known = parameters.get(arm)
    return math.inf if known is None else known

  return Advice(
    ARM, min(candidates, key=size), None, tuple(candidates), excluded
  )


def described(
  advice: Advice,
  *,
  margin: float,
  costs: Mapping[str, Mapping[str, Any]],
  slopes: Mapping[str, float | None],
) -> dict[str, Any]:
  """The advice as a part of the summary.

  Args:
    advice: what to use.
    margin: of the comparison of arms.
    costs: by arm, `parameters` and `seconds` where known.
    slopes: by arm, its calibration slope where known.
  """
  cost = costs.get(advice.arm, {})
  slope = slopes.get(advice.arm)
  return {
    'advice': advice.advice,
    'arm': advice.arm,
    'single': advice.single,
    'sentence': _sentence(advice, margin, cost, slope),
    'margin': margin,
    'candidates': list(advice.candidates),
    'excluded': [
      {'arm': arm, 'reason': reason} for arm, reason in advice.excluded.items()
    ],
    **(
      {
        'parameters': cost.get('parameters'),
        'cost': {'seconds': cost.get('seconds')},
        'slope': slope,
        'reason': 'what is null is not known of this arm',
      }
      if advice.arm
      else {}
    ),
  }


def _sentence(advice, margin, cost, slope) -> str:
  if advice.advice == SINGLE:
    return (
      f"Use the single modality '{advice.single}': no fusion arm is shown to "
      'be better.'
    )
  if advice.advice == NONE:
    return 'No arm is advised: nothing is settled.'
  if advice.advice == NOT_DISTINGUISHABLE and len(advice.excluded) == 1:
    ((arm, reason),) = advice.excluded.items()
    return f"The one superior arm, '{arm}', is not advised: {reason}."
  if advice.advice == NOT_DISTINGUISHABLE:
    return (
      'The superior arms are not distinguishable: of none is it shown that it '
      f'is calibrated and that no other arm is better by {margin:g}.'
    )
  known = []
  if cost.get('parameters') is not None:
    known.append(f'{cost["parameters"]:,} parameters')
  if slope is not None and not math.isnan(slope):
    known.append(f'calibration slope {slope:.2f}')
  details = f' ({", ".join(known)})' if known else ''
  others = len(advice.candidates) - 1
  of = ''
  if others:
    of = (
      f' It is the one with the fewest parameters of {others + 1} superior '
      'arms of which this holds.'
    )
    if cost.get('parameters') is None:
      of = (
        f' It is the first listed of {others + 1} superior arms of which this '
        'holds, as their numbers of parameters are not known.'
      )
  return (
    f"Use '{advice.arm}': no other fusion arm is better by {margin:g}{details}."
    f'{of}'
  )


def _mean(values) -> float:
  known = values[~np.isnan(values)]
  return float(known.mean()) if len(known) else math.nan
