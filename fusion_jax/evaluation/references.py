"""Single arms that fusion is compared with.

The one that is best on the test parts, one that validation picks in each fold,
or one given by name.
"""

import math
from collections.abc import Sequence
from typing import Any

from fusion_jax.core import types
from fusion_jax.evaluation import comparison, metrics
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib


def best(
  task: types.Task,
  test: Sequence[folds_lib.Fold],
  *,
  singles: Sequence[str],
  metric: str,
) -> str | None:
  """The single arm that is best on the test parts, the same in every fold.

  Args:
    task: what is predicted.
    test: g test parts.
    singles: the single-modality arms, in the order that breaks ties.
    metric: of which the mean over folds is compared.
  """
  sign = 1 if metrics.higher_is_better(metric) else -1
  found = estimates_lib.estimate(task, test, arms=singles, wanted=[metric])
  values = sign * found.estimate[metric]
  return comparison.best_single(dict(zip(singles, values, strict=True)))


def choose(
  task: types.Task,
  test: Sequence[folds_lib.Fold],
  valid: Sequence[folds_lib.Fold],
  *,
  singles: Sequence[str],
  metric: str,
  given: str = '',
) -> list[dict[str, Any]]:
  """The reference of every fold, and what it was chosen by.

  Args:
    task: what is predicted.
    test: g test parts.
    valid: validation parts, of the same folds where there are any.
    singles: the single-modality arms, in the order that breaks ties.
    metric: what they are chosen by.
    given: an arm that is taken in every fold, where one was named.

  Returns:
    For each test part {repeat, fold, arm, valid} with the metric of each
    candidate on the validation part, and a `reason` where the arm was not
    chosen by that; `arm` is None where there is no reference.
  """
  validated = {(f.repeat, f.fold): f for f in valid}
  choice = []
  for fold in test:
    place = fold.repeat, fold.fold
    scores: dict[str, float] = {}
    candidates = [s for s in singles if s in fold.scores]
    if given:
      arm = given if given in fold.scores else None
      reason = 'given by name' if arm else f"'{given}' has no predictions"
    elif len(candidates) < 2:
      arm = candidates[0] if candidates else None
      reason = 'the only single-modality arm' if arm else 'none has run'
    elif place not in validated:
      arm, reason = None, 'there are no validation predictions to choose by'
    else:
      scores = _scores(task, validated[place], candidates, metric)
      arm, reason = _best(scores, candidates, metric)
    choice.append(
      {'repeat': fold.repeat, 'fold': fold.fold, 'arm': arm, 'valid': scores}
    )
    if reason:
      choice[-1]['reason'] = reason
  return choice


def _scores(task, fold, candidates, metric) -> dict[str, float]:
  found = estimates_lib.estimate(
    task, [fold], arms=candidates, wanted=[metric]
  ).estimate[metric]
  return dict(zip(candidates, found.tolist(), strict=True))


def _best(scores, candidates, metric) -> tuple[str, str]:
  up = metrics.higher_is_better(metric)
  arm = comparison.choose_reference(scores, candidates, up)
  if arm is None:
    return candidates[0], f'{metric} is undefined on the validation part'
  unknown = [f"'{name}'" for name, x in scores.items() if math.isnan(x)]
  if unknown:
    return arm, f'{metric} of {", ".join(unknown)} is unknown on validation'
  return arm, ''
