"""How folds may divide the studies of a table of predictions."""

from collections.abc import Iterator

import numpy as np

# Folds that a message lists.
_LISTED = 6


def faults(
  studies: np.ndarray,
  *,
  study: np.ndarray,
  repeat: np.ndarray,
  fold: np.ndarray,
  test: np.ndarray,
  valid: np.ndarray,
) -> Iterator[str]:
  """Yields a sentence for each way in which n rows are not divided legally.

  A study of a fold is in its validation or its test part, not in both. The
  folds of a repeat test either different studies each, as in cross-validation,
  or all of them the same ones, as where the models of every fold are applied
  to another cohort.

  Args:
    studies: (s,) str, their ids.
    study: (n,) int, place in `studies`.
    repeat: (n,) int.
    fold: (n,) int.
    test: (n,) bool: whether the row is of a test part.
    valid: (n,) bool: likewise of a validation part.
  """
  repeats, r = np.unique(repeat, return_inverse=True)
  folds, f = np.unique(fold, return_inverse=True)
  pair = (r * len(folds) + f) * len(studies) + study
  tested = np.unique(pair[test])
  both = np.intersect1d(tested, pair[valid])
  if len(both):
    place, who = divmod(int(both[0]), len(studies))
    yield (
      f"study '{studies[who]}' is in part 'valid' and in part 'test' of repeat "
      f'{repeats[place // len(folds)]}, fold {folds[place % len(folds)]} '
      f'({len(both)} {"study is" if len(both) == 1 else "studies are"}); a '
      'study of a fold is in one of them only.'
    )
  place, who = np.divmod(tested, len(studies))
  for i in np.unique(place // len(folds)):
    here = place // len(folds) == i
    odd = _odd(folds[place[here] % len(folds)], who[here], len(studies))
    if odd is None:
      continue
    first, second = (
      f"study '{studies[x]}' is tested in {_named(where)}" for x, where in odd
    )
    yield (
      f'in repeat {repeats[i]}, {first}, but {second}; the folds of a repeat '
      'test different studies each, or all of them the same ones (those of '
      'another cohort). Divisions that overlap are repeats.'
    )
    return


def _odd(fold, study, count) -> list[tuple[int, np.ndarray]] | None:
  """Two studies of a repeat that cannot go together, with their folds."""
  times = np.bincount(study, minlength=count)
  everywhere = len(np.unique(fold))
  if times.max() == 1 or np.isin(times, (0, everywhere)).all():
    return None
  some = (times > 1) & (times < everywhere)
  first = int(np.argmax(some if some.any() else times > 1))
  elsewhere = study[~np.isin(fold, fold[study == first])]
  rarer = (times > 0) & (times < everywhere)
  second = int(elsewhere[0] if len(elsewhere) else np.argmax(rarer))
  return [(x, fold[study == x]) for x in (first, second)]


def _named(folds: np.ndarray) -> str:
  shown = ', '.join(map(str, folds[:_LISTED]))
  rest = ', ...' if len(folds) > _LISTED else ''
  return f'fold{"s" if len(folds) > 1 else ""} {shown}{rest}'
