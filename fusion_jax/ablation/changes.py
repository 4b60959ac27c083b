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

from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import pixels
from fusion_jax.data import splits as splits_lib

PERMUTED, NOISE, ABSENT = 'permuted', 'noise', 'absent'
KINDS = (PERMUTED, NOISE, ABSENT)

# What a modality consists of: its values first, its presence last.
_FIELDS = {
  types.IMAGE: ('images', 'image_mask'),
  types.EHR: ('numeric', 'categorical'),
}
# Studies whose noise is drawn at a time.
_CHUNK = 256


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

  Args:
    cohort: as it is.
    condition: MODALITY_KIND. 'permuted': exchanged among the patients of a test
      part (`derangement`), presence included. 'noise': images of independent
      Gaussian pixels with the mean and deviation of the training part's,
      clipped to the range of pixels; EHR columns drawn, each on its own, from
      the training studies that have a record. Studies without the modality stay
      without. 'absent': withheld from every study.
    splits: whose test parts are changed; they share no study (`together`).
    seed: with the condition, repeat and fold determines all random numbers.

  Returns:
    The changed cohort, and the splits in which that could be done: a test part
    in which one patient has more than half of the studies cannot be permuted.
  """
  modality, kind = condition.rsplit('_', 1)
  names = _FIELDS[modality]
  if kind == ABSENT and modality == types.IMAGE:
    names = names[-1:]
  fields = {name: np.array(getattr(cohort, name)) for name in names}
  done = []
  for split in splits:
    rng = np.random.default_rng(
      [seed, zlib.crc32(condition.encode()), split.repeat, split.fold]
    )
    if kind == PERMUTED:
      donors = derangement(cohort.patient[split.test], rng)
      if donors is None:
        continue
      for name, values in fields.items():
        values[split.test] = getattr(cohort, name)[split.test[donors]]
    elif kind == ABSENT:
      _withhold(fields, split.test)
    elif modality == types.IMAGE:
      _noise_images(fields['images'], cohort, split, rng)
    else:
      _noise_columns(fields, cohort, split, rng)
    done.append(split)
  digest = f'{cohort.digest}/{condition}'
  return dataclasses.replace(cohort, digest=digest, **fields), done


def _withhold(fields, rows) -> None:
  nothing = {'image_mask': False, 'numeric': np.nan, 'categorical': None}
  for name, values in fields.items():
    values[rows] = nothing[name]


def _noise_images(images, cohort, split, rng) -> None:
  stats = pixels.image_stats(cohort, split.train)
  scale = pixels.full_scale(images)
  rows = split.test[cohort.present[types.IMAGE][split.test]]
  for start in range(0, len(rows), _CHUNK):
    at = rows[start : start + _CHUNK]
    drawn = rng.standard_normal((len(at), *images.shape[1:]), np.float32)
    drawn = np.clip(stats['mean'] + stats['std'] * drawn, 0, 1) * scale
    drawn[~cohort.image_mask[at]] = 0
    images[at] = np.rint(drawn).astype(images.dtype)


def _noise_columns(fields, cohort, split, rng) -> None:
  here = cohort.present[types.EHR]
  rows, pool = (x[here[x]] for x in (split.test, split.train))
  if not len(pool):
    return
  for name, values in fields.items():
    given = getattr(cohort, name)
    for j in range(values.shape[1]):
      values[rows, j] = given[rng.choice(pool, len(rows)), j]
