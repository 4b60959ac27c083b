"""Images that look the same although they are of different patients.

A candidate pair agrees in a 64-bit perceptual hash (the signs of the lowest
frequencies of a cosine transform, as Zauner, 2010, 'Implementation and
Benchmarking of Perceptual Image Hash Functions', section 3.2.1); it counts if
the two reduced images also correlate where either of them is not black, since
images with much blank space share many bits by chance.
"""

import csv
import dataclasses
import io
import os
from collections.abc import Sequence

import numpy as np
from scipy import fft

from fusion_jax.core import files, plain
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import kind, pixels, splits

# Hashes that differ in at most this many of 64 bits are candidates.
DISTANCE = 8
# A pair's reduced images correlate at least this much.
CORRELATION = 0.99

_SIDE = 32
_LOW = 8
_CHUNK = 512
# Hashes compared at once: 2^22 pairs take 64 MiB.
_PAIRS = 2**22
# Values up to this share of the full scale are black.
_BLACK = 0.02
# An image whose reduced values vary less than this has nothing to compare.
_BLANK = 1e-3


@dataclasses.dataclass(frozen=True, eq=False)
class Duplicates:
  """Pairs of studies of different patients with a nearly identical image.

  Attributes:
    first: (k,) int row numbers, below `second`.
    second: (k,) int.
    correlation: (k,) of the two images most alike.
    blank: number of images without anything to compare.
  """

  first: np.ndarray
  second: np.ndarray
  correlation: np.ndarray
  blank: int

  def __len__(self) -> int:
    return len(self.first)

  def tested(
    self, split: splits.Split, studies: int
  ) -> tuple[np.ndarray, np.ndarray]:
    """Where the test part of `split` repeats what its models have seen.

    Args:
      split: one fold; training and validation rows count as seen.
      studies: number n of studies.

    Returns:
      (test,) bool, in the order of `split.test`: whether the study has a near
      duplicate among those seen; and (k,) bool: which pairs these are.
    """
    part = np.zeros(studies, np.int8)
    part[split.train] = part[split.valid] = 1
    part[split.test] = 2
    a, b = part[self.first], part[self.second]
    across = (a + b == 3) & (a * b == 2)
    hit = np.zeros(studies, bool)
    hit[self.first[across & (a == 2)]] = True
    hit[self.second[across & (b == 2)]] = True
    return hit[split.test], across


def find(
  cohort: cohort_lib.Cohort,
  *,
  distance: int = DISTANCE,
  correlation: float = CORRELATION,
) -> Duplicates:
  """Searches all pairs of images of a modality and of different patients.

  Of a volume the slice in its middle is compared. Where the orientation of a
  modality is free, an image that was mirrored or turned
  by quarters is found as well. Time grows with the square of the number of
  images: 10,000 take some seconds.

  Args:
    cohort: n studies.
    distance: most bits, of 64, in which the hashes may differ.
    correlation: least correlation of the images reduced to 32 x 32 grey.
  """
  none = np.zeros(0, np.int64)
  pairs, alike, blank = [none], [np.zeros(0)], 0
  for modality in cohort.modalities.values():
    study, small = _small(modality)
    used = small.std(axis=(1, 2)) > _BLANK
    blank += int((~used).sum())
    small, study = small[used], study[used]
    _, patient = np.unique(cohort.patient[study], return_inverse=True)
    own = hashes(small)
    free = getattr(modality.data, 'orientation_free', False)
    for turned in _variants(small, free) if len(small) else ():
      for i, j in _near(own, hashes(turned), patient, distance):
        r = _correlation(small[i], turned[j])
        kept = r >= correlation
        a, b = study[i[kept]], study[j[kept]]
        pairs.append(np.minimum(a, b) * len(cohort) + np.maximum(a, b))
        alike.append(r[kept])
  key, r = np.concatenate(pairs), np.concatenate(alike)
  order = np.lexsort((-r, key))
  key, first = np.unique(key[order], return_index=True)
  return Duplicates(
    key // len(cohort),
    key % len(cohort),
    r[order][first],
    blank,
  )


def hashes(images: np.ndarray) -> np.ndarray:
  """(n,) uint64 perceptual hashes of (n, 32, 32) grey images.

  Bit k is whether the k-th of the 8 x 8 lowest frequencies is above the
  median of the image's 63 without the mean.
  """
  if not len(images):
    return np.zeros(0, np.uint64)
  low = fft.dctn(images, axes=(1, 2), norm='ortho')[:, :_LOW, :_LOW]
  low = low.reshape(len(images), -1)
  bits = low > np.median(low[:, 1:], axis=1, keepdims=True)
  bits[:, 0] = False
  return np.packbits(bits, axis=1).view(np.uint64)[:, 0]


def write(
  duplicates: Duplicates,
  cohort: cohort_lib.Cohort,
  parts: Sequence[splits.Split],
  path: str | os.PathLike,
) -> None:
  """Writes the pairs that lie across a split, as CSV of study ids.

  The file is its owner's alone.

  Raises:
    UserError: if the file cannot be written.
  """
  across = np.zeros(len(duplicates), bool)
  for split in parts:
    across |= duplicates.tested(split, len(cohort))[1]
  text = io.StringIO()
  writer = csv.writer(text, lineterminator='\n')
  writer.writerow(['study_id', 'other_study_id', 'correlation'])
  for k in np.flatnonzero(across):
    pair = [
      plain.in_sheet(str(cohort.study[x[k]]))
      for x in (duplicates.first, duplicates.second)
    ]
    writer.writerow([*pair, f'{duplicates.correlation[k]:.4f}'])
  with files.saving(path, mode=files.PRIVATE) as part:
    part.write_text(text.getvalue(), encoding='utf-8')


def _blocks(n: int, width: int):
  return [(lo, min(lo + width, n)) for lo in range(0, n, width)]


def _small(modality) -> tuple[np.ndarray, np.ndarray]:
  """Studies of the pictures of a modality, and (b, 32, 32) grey ones."""
  studies, small = [np.zeros(0, np.int64)], [np.zeros((0, _SIDE, _SIDE))]
  for at, x in kind.of(modality).pictures(modality):
    for lo, hi in _blocks(len(at), _CHUNK):
      studies.append(at[lo:hi])
      small.append(_reduce(x[lo:hi]))
  return np.concatenate(studies), np.concatenate(small).astype(np.float32)


def _reduce(images: np.ndarray) -> np.ndarray:
  """(b, 32, 32) float32 grey of (b, h, w, c)."""
  return pixels.reduce(images, _SIDE).mean(axis=-1)


def _variants(small: np.ndarray, free: bool):
  """`small` as it is and, where `free`, in its seven other orientations."""
  for flip in (False, True) if free else (False,):
    mirrored = small[:, :, ::-1] if flip else small
    for quarters in range(4 if free else 1):
      yield np.rot90(mirrored, quarters, axes=(1, 2))


def _near(own, others, patient, distance):
  """Yields (i, j), i < j, of different patients with near hashes."""
  n = len(own)
  width = max(1, _PAIRS // max(n, 1))
  for lo, hi in _blocks(n, width):
    apart = np.bitwise_count(own[lo:hi, None] ^ others[None, lo:])
    i, j = np.nonzero(apart <= distance)
    i, j = i + lo, j + lo
    kept = np.flatnonzero((i < j) & (patient[i] != patient[j]))
    for start, end in _blocks(len(kept), _CHUNK):
      yield i[kept[start:end]], j[kept[start:end]]


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
  """(k,) correlations of (k, h, w) images where either is not black."""
  a, b = (x.reshape(len(x), -1).astype(np.float64) for x in (a, b))
  seen = (a > _BLACK) | (b > _BLACK)
  count = np.maximum(seen.sum(axis=1, keepdims=True), 1)

  def centred(x):
    x = np.where(seen, x, 0)
    return np.where(seen, x - x.sum(axis=1, keepdims=True) / count, 0)

  a, b = centred(a), centred(b)
  scale = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
  product = (a * b).sum(axis=1)
  return np.divide(product, scale, out=np.zeros(len(a)), where=scale > 0)
