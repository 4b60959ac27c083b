"""Verdicts: what bounds of a gain allow to be said of it."""

from collections.abc import Sequence

import numpy as np

INFERIOR = 'inferior'
SUPERIOR = 'superior'
EQUIVALENT = 'equivalent'
INCONCLUSIVE = 'inconclusive'
VERDICTS = (SUPERIOR, EQUIVALENT, INCONCLUSIVE, INFERIOR)


def judge(
  low: np.ndarray,
  high: np.ndarray,
  low90: np.ndarray,
  high90: np.ndarray,
  margin: float | None,
) -> tuple[str, bool]:
  """The verdict of one arm: the first that holds.

  Inferior if some upper bound is below 0, superior if all lower bounds are
  above 0, equivalent if the 90% bounds of the smallest gain lie inside
  (-margin, margin), else inconclusive. An undefined bound keeps an arm from
  all but inferior, which stands on any bound that is defined.

  Args:
    low: (s,) lower bounds of the gains over s single arms, NaN where
      undefined.
    high: (s,) upper bounds.
    low90: (s,) bounds for equivalence.
    high90: (s,) likewise.
    margin: of equivalence; None if there is none to judge by.

  Returns:
    The verdict, and whether an inferior or superior arm is so by less than the
    margin: it meets the condition of equivalence too.
  """
  high = high[~np.isnan(high)]
  defined = bool(len(low)) and not np.isnan(low).any()
  within = (
    margin is not None
    and defined
    and bool(low90.min() > -margin and high90.min() < margin)
  )
  if len(high) and high.min() < 0:
    return INFERIOR, within
  if not defined:
    return INCONCLUSIVE, False
  if low.min() > 0:
    return SUPERIOR, within
  return (EQUIVALENT, False) if within else (INCONCLUSIVE, False)


def of_question(verdicts: Sequence[str]) -> str:
  """One verdict of those of all fusion arms.

  Superior if any arm is: the bounds are corrected for all of them already.
  Inferior if all are, equivalent if each is equivalent or inferior and one is
  equivalent, else inconclusive.
  """
  if SUPERIOR in verdicts:
    return SUPERIOR
  if not verdicts or not set(verdicts) <= {EQUIVALENT, INFERIOR}:
    return INCONCLUSIVE
  return EQUIVALENT if EQUIVALENT in verdicts else INFERIOR


def in_words(verdict: str, margin: float) -> str:
  """The answer to whether combining is better than the best single."""
  return {
    SUPERIOR: 'YES',
    INFERIOR: 'WORSE',
    EQUIVALENT: f'NO MORE THAN {margin:g}',
    INCONCLUSIVE: 'NOT SETTLED',
  }[verdict]
