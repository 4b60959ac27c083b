"""Cohorts in which one modality of test studies is not what it was.

A changed cohort differs from the true one in the studies of the given test
parts, and there in one modality only. What is changed is the raw input, so
everything after it (preprocessing, extractors, upstream models of late arms)
sees the change as it would see another patient's data.
"""

import dataclasses
import zlib
from collections.abc import Sequence

import numpy as np

from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import kind as kinds
from fusion_jax.data import modality as modality_lib
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import conditions

PERMUTED, NOISE, ABSENT = 'permuted', 'noise', 'absent'
KINDS = (PERMUTED, NOISE, ABSENT)


def derangement(
  patient: np.ndarray, rng: np.random.Generator
) -> np.ndarray | None:
  """A random order in which no study stands at a place of its own patient.

  Patients are put into random order, each one's studies side by side, and the
  row is turned by the number of studies of the patient with the most.

  Args:
    patient: (n,) str.
    rng: draws the order.

  Returns:
    (n,) numbers of the studies whose data each study is given, a permutation;
    None if a patient has more than half of the studies, so that there is none.
  """
  n = len(patient)
  _, inverse, counts = np.unique(
    patient, return_inverse=True, return_counts=True
  )
  most = counts.max(initial=0)
  if not n or 2 * most > n:
    return None
  rank = rng.permutation(len(counts))[inverse]
  order = np.lexsort((rng.random(n), rank))
  donors = np.empty(n, np.int64)
  donors[order] = np.roll(order, -most)
  return donors


def together(
  splits: Sequence[splits_lib.Split],
) -> list[list[splits_lib.Split]]:
  """The splits in groups whose test parts share no study."""
  groups: list[tuple[list[splits_lib.Split], set[int]]] = []
  for split in splits:
    rows = set(split.test.tolist())
    for members, taken in groups:
      if not rows & taken:
        members.append(split)
        taken |= rows
        break
    else:
      groups.append(([split], rows))
  return [members for members, _ in groups]


def change(
  cohort: cohort_lib.Cohort,
  condition: str,
  splits: Sequence[splits_lib.Split],
  *,
  seed: int,
) -> tuple[cohort_lib.Cohort, list[splits_lib.Split]]:
  """The cohort with one modality of the splits' test studies changed.

  The modalities of a side, or of a set, are changed alike: exchanged or
  withheld together.

  Args:
    cohort: as it is.
    condition: NAME_KIND or NAME+NAME_KIND, with names of modalities or sides
      (`Cohort.named`).
      'permuted': exchanged among the patients of a test part (`derangement`),
      presence included. 'noise': meaningless data drawn
      after the training part's (`Kind.noise`); studies without the modality
      stay without. 'absent': withheld from every study.
    splits: whose test parts are changed; they share no study (`together`).
    seed: with the condition, repeat and fold determines all random numbers.

  Returns:
    The changed cohort, and the splits in which that could be done: a test part
    in which one patient has more than half of the studies cannot be permuted.
    With noise the modality is there in test parts only.
  """
  name, kind = condition.rsplit('_', 1)
  named = {
    m: cohort.modalities[m]
    for part in name.split(conditions.AND)
    for m in cohort.named(part)
  }
  rows, lost = np.arange(len(cohort)), np.zeros(len(cohort), bool)
  drawn: dict[str, list[modality_lib.Data]] = {m: [] for m in named}
  done = []
  for split in splits:
    rng = np.random.default_rng(
      [seed, zlib.crc32(condition.encode()), split.repeat, split.fold]
    )
    if kind == PERMUTED:
      donors = derangement(cohort.patient[split.test], rng)
      if donors is None:
        continue
      rows[split.test] = split.test[donors]
    elif kind == ABSENT:
      lost[split.test] = True
    else:
      for m, x in named.items():
        drawn[m].append(kinds.of(x).noise(x, split.test, split.train, rng))
    done.append(split)
  if kind == NOISE and done:
    tested = np.concatenate([s.test for s in done])
    changed = {m: _noise(x, drawn[m], tested) for m, x in named.items()}
  else:
    changed = {m: x.take(rows).without(lost) for m, x in named.items()}
  digest = f'{cohort.digest}/{condition}'
  return cohort.with_modalities(changed, digest=digest), done


def _noise(modality, drawn, rows) -> modality_lib.Modality:
  """`drawn` data side by side, shown by the studies `rows` and no others."""
  data = kinds.of(modality).joined(drawn)
  shown = np.zeros(len(modality), np.int64)
  shown[rows] = np.arange(len(rows))
  present = np.zeros(len(modality), bool)
  present[rows] = modality.present[rows] & data.present
  return dataclasses.replace(modality, data=data, rows=shown, present=present)
