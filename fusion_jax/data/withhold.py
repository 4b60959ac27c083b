"""A cohort in which some studies lack a modality that they had.

It answers what training with missing modalities does. Who loses what follows
from the seed and the study ids, not from the order of the rows.
"""

import hashlib

import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import cohort as cohort_lib


def parse(text: str) -> tuple[str, float]:
  """Reads 'image:0.5' as a modality and a share.

  Raises:
    UserError: if it is not of this form, or the share not from 0 to 1.
  """
  modality, _, share = text.partition(':')
  try:
    value = float(share)
  except ValueError:
    value = -1.0
  if not 0 <= value < 1:
    raise errors.UserError(
      f"'{text}': expected MODALITY:SHARE with a share from 0 to below 1, as "
      'in image:0.5.'
    )
  return modality, value


def withhold(
  cohort: cohort_lib.Cohort, modality: str, share: float, *, seed: int = 0
) -> cohort_lib.Cohort:
  """The cohort without `modality` in a share of the studies.

  Studies are chosen completely at random, by a hash of seed and study id, so
  that those that lose it at one share also lose it at every higher one. A
  study whose only modality it is keeps it.

  Args:
    cohort: n studies.
    modality: name of one of its modalities.
    share: of the studies that lose it; the nearest whole number of them.
    seed: of the choice.

  Raises:
    UserError: if the cohort has no such modality.
  """
  if modality not in cohort.modalities:
    raise errors.unknown_name(
      'modality', modality, cohort.modalities, where=f"cohort '{cohort.name}'"
    )
  others = [p for m, p in cohort.present.items() if m != modality]
  can_lose = np.any(others, axis=0) if others else np.zeros(len(cohort), bool)
  rank = np.argsort(np.argsort(_hashes(cohort.study, modality, seed)))
  lost = (rank < round(share * len(cohort))) & can_lose
  text = f'{cohort.digest}/{modality}/{share!r}/{seed}'
  return cohort.with_modalities(
    {modality: cohort.modalities[modality].without(lost)},
    digest=hashlib.sha256(text.encode()).hexdigest()[: len(cohort.digest)],
  )


def _hashes(study, modality, seed) -> list[str]:
  return [
    hashlib.sha256(f'{seed}/{modality}/{s}'.encode()).hexdigest() for s in study
  ]
