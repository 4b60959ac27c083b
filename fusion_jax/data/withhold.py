"""A cohort in which some studies lack a modality that they had.

It answers what training with missing modalities does. Who loses what follows
from the seed and the study ids, not from the order of the rows.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from scipy import special

from fusion_jax.core import errors, types
from fusion_jax.data import cohort as cohort_lib

RANDOM, INFORMATIVE = 'random', 'informative'
MECHANISMS = (RANDOM, INFORMATIVE)
# Digits of a hash that make a number from 0 to 1.
_DIGITS = 13


def parse(text: str) -> tuple[str, float, str]:
  """Reads 'image:0.5' or 'image:0.5:informative'.

  Returns:
    A modality, a share and one of MECHANISMS, the first if none is given.

  Raises:
    UserError: if it is not of this form, or the share not from 0 to 1.
  """
  modality, _, rest = text.partition(':')
  share, _, mechanism = rest.partition(':')
  try:
    value = float(share)
  except ValueError:
    value = -1.0
  if not 0 <= value < 1:
    raise errors.UserError(
      f"'{text}': expected MODALITY:SHARE with a share from 0 to below 1, as "
      'in image:0.5.'
    )
  mechanism = mechanism or RANDOM
  if mechanism not in MECHANISMS:
    raise errors.unknown_name(
      'mechanism', mechanism, MECHANISMS, where=f"'{text}'"
    )
  return modality, value, mechanism


def withhold(
  cohort: cohort_lib.Cohort,
  modality: str,
  share: float,
  *,
  mechanism: str = RANDOM,
  seed: int = 0,
) -> cohort_lib.Cohort:
  """The cohort without `modality` in a share of the studies.

  By a hash of seed and study id, so that those that lose it at one share also
  lose it at every higher one. A study whose only modality it is keeps it.

  'random' studies are chosen completely at random. 'informative' is missing at
  random given the other side (Rubin 1976, Biometrika 63, 581-592), as in
  `evaluation.missing.order`: the higher the risk by the best possible score of
  the side that the modality is not of, the sooner a study loses it; risk, in
  standard deviations of the cohort, and standard normal noise have equal parts.
  No label is read. Only worlds know that score.

  Args:
    cohort: n studies.
    modality: name of one of its modalities.
    share: of the studies that lose it; the nearest whole number of them.
    mechanism: one of MECHANISMS.
    seed: of the choice.

  Raises:
    UserError: if the cohort has no such modality, or is no world with best
      scores where that is asked for.
  """
  if modality not in cohort.modalities:
    raise errors.unknown_name(
      'modality', modality, cohort.modalities, where=f"cohort '{cohort.name}'"
    )
  others = [p for m, p in cohort.present.items() if m != modality]
  can_lose = np.any(others, axis=0) if others else np.zeros(len(cohort), bool)
  hashes = _hashes(cohort.study, modality, seed)
  order = np.argsort(hashes)
  text = f'{cohort.digest}/{modality}/{share!r}/{seed}'
  if mechanism == INFORMATIVE:
    order = np.argsort(_normal(hashes) - _risk(cohort, modality), kind='stable')
    text += f'/{mechanism}'
  rank = np.argsort(order)
  lost = (rank < round(share * len(cohort))) & can_lose
  return cohort.with_modalities(
    {modality: cohort.modalities[modality].without(lost)},
    digest=hashlib.sha256(text.encode()).hexdigest()[: len(cohort.digest)],
  )


def _risk(cohort: cohort_lib.Cohort, modality: str) -> np.ndarray:
  """(n,) standardised best score of the other side; 0 where it tells nothing.

  Raises:
    UserError: if the cohort does not know it.
  """
  own = cohort.modalities[modality].side
  (other,) = [name for name, side in types.SIDES.items() if side != own]
  if other not in cohort.oracle:
    raise errors.UserError(
      f"Cohort '{cohort.name}': who loses '{modality}' by an {INFORMATIVE} "
      'mechanism follows from best possible scores, which only binary and '
      f"regression worlds have: use '{RANDOM}'."
    )
  risk = cohort.oracle[other]
  spread = risk.std()
  return (risk - risk.mean()) / spread if spread > 0 else np.zeros(len(risk))


def _normal(hashes: Sequence[str]) -> np.ndarray:
  """(n,) standard normals that follow from hashes."""
  whole = [int(x[:_DIGITS], 16) for x in hashes]
  return special.ndtri((np.array(whole) + 0.5) / 16**_DIGITS)


def _hashes(study, modality, seed) -> list[str]:
  return [
    hashlib.sha256(f'{seed}/{modality}/{s}'.encode()).hexdigest() for s in study
  ]
