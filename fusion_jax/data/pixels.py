"""Images as a few numbers: principal components and colour histograms."""

import dataclasses
import warnings
from collections.abc import Iterator

import numpy as np
from sklearn import decomposition

from fusion_jax.core import errors
from fusion_jax.data import cohort as cohort_lib

# Features are held within this many standard deviations of the training mean.
CLIP = 5.0
_CHUNK = 512
# Bins of each channel in the joint histogram of colour images.
_JOINT_BINS = 4
# The histograms' range leaves out this share of pixels at each end.
_TAIL = 0.001


@dataclasses.dataclass(frozen=True, eq=False)
class PixelFit:
  """What `fit` learnt from training images; p features, c channels, q out.

  Attributes:
    size: () int side of the reduced image, p = size * size * c.
    centre: (p,) mean training image.
    components: (k, p) principal axes, rows of zeros where there were fewer
      training images than components.
    low: (c,) lower end of the histograms' range on the 0..1 scale.
    high: (c,) upper end.
    bins: () int bins of each channel.
    mean: (q,) training mean of the features.
    std: (q,) their training standard deviation; 1 where it is 0.
  """

  size: np.ndarray
  centre: np.ndarray
  components: np.ndarray
  low: np.ndarray
  high: np.ndarray
  bins: np.ndarray
  mean: np.ndarray
  std: np.ndarray


def full_scale(images: np.ndarray) -> float:
  """The value that stands for 1."""
  return float(np.iinfo(images.dtype).max)


def image_stats(
  cohort: cohort_lib.Cohort, rows: np.ndarray
) -> dict[str, np.ndarray]:
  """Mean (c,) and std (c,), float32 on the 0..1 scale, over images of `rows`.

  Values are counted, so the order of studies does not matter. Without any image
  they are 0 and 1; a channel that never varies has std 1.
  """
  c = 0 if cohort.images is None else cohort.images.shape[-1]
  if not c:
    return {'mean': np.zeros(0, np.float32), 'std': np.zeros(0, np.float32)}
  scale = full_scale(cohort.images)
  counts = np.zeros((c, int(scale) + 1))
  for _, x in _chunks(cohort, rows):
    for i in range(c):
      counts[i] += np.bincount(x[..., i].ravel(), minlength=counts.shape[1])
  total = counts.sum(axis=1, keepdims=True)
  share = counts / np.where(total > 0, total, 1)
  value = np.arange(counts.shape[1]) / scale
  mean = share @ value
  std = np.sqrt(np.maximum(share @ value**2 - mean**2, 0.0))
  # A channel of one value is left with rounding errors.
  std = np.where((counts > 0).sum(axis=1) > 1, std, 1.0)
  return {
    'mean': mean.astype(np.float32),
    'std': std.astype(np.float32),
  }


def reduce(images: np.ndarray, size: int) -> np.ndarray:
  """(n, size, size, c) float32 area means of (n, h, w, c) whole numbers."""
  n, h, w, c = images.shape
  x = images.astype(np.float32) / np.float32(full_scale(images))
  if (h, w) != (size, size):
    rows, columns = _area_weights(h, size), _area_weights(w, size)
    x = rows @ x.reshape(n, h, w * c)  # (n, size, w * c)
    x = columns @ x.reshape(n * size, w, c)
  return x.reshape(n, size, size, c)


def fit(
  cohort: cohort_lib.Cohort,
  rows: np.ndarray,
  *,
  size: int,
  components: int,
  bins: int,
) -> PixelFit:
  """Fits components, histogram ranges and scaling on the studies `rows`."""
  c = 0 if cohort.images is None else cohort.images.shape[-1]
  p = size * size * c
  small = [np.zeros((0, size, size, c), np.float32)]
  owner = [np.zeros(0, int)]
  for at, images in _chunks(cohort, rows):
    small.append(reduce(images, size))
    owner.append(at)
  x, owner = np.concatenate(small), np.concatenate(owner)
  axes = np.zeros((components, p), np.float32)
  flat = x.reshape(len(x), p)
  centre = flat.mean(axis=0) if len(x) else np.zeros(p, np.float32)
  k = min(components, len(x) - 1, p)
  if k > 0:
    pca = decomposition.PCA(k, svd_solver='randomized', random_state=0)
    with warnings.catch_warnings(), np.errstate(invalid='ignore'):
      # Identical images have no variance to explain; that is no fault.
      warnings.filterwarnings('ignore', 'invalid value', RuntimeWarning)
      axes[:k] = pca.fit(flat).components_
  low, high = np.zeros(c), np.ones(c)
  if len(x):
    low, high = np.quantile(x, (_TAIL, 1 - _TAIL), axis=(0, 1, 2))
  high = np.where(high > low, high, low + 1.0)
  fitted = PixelFit(
    np.array(size), centre, axes, low, high, np.array(bins), *np.zeros((2, 0))
  )
  raw = _study_means(_describe(fitted, x), owner, len(rows))[np.unique(owner)]
  q = raw.shape[1]
  mean, std = (raw.mean(0), raw.std(0)) if len(raw) else np.zeros((2, q))
  # Rounding leaves constant features a standard deviation of about 1e-8.
  std = np.where(std > 1e-6, std, 1.0)
  return dataclasses.replace(fitted, mean=mean, std=std)


def transform(fitted: PixelFit, cohort: cohort_lib.Cohort) -> np.ndarray:
  """(n, q) float64 standardised features, 0 for a study without an image.

  The k components come first, then each channel's histogram and, for three
  channels, a coarse joint histogram; all are means over a study's images.

  Raises:
    UserError: if images have another number of channels than in training.
  """
  n, c = len(cohort), len(fitted.low)
  if cohort.images is None:
    return np.zeros((n, len(fitted.mean)))
  if cohort.images.shape[-1] != c:
    raise errors.UserError(
      f"Cohort '{cohort.name}' has images of {cohort.images.shape[-1]} "
      f'channels, but the training images had {c}.'
    )
  out = np.zeros((n, len(fitted.mean)))
  for owner, images in _chunks(cohort, np.arange(n)):
    raw = _describe(fitted, reduce(images, int(fitted.size)))
    out += _study_means(raw, owner, n, cohort.image_mask.sum(axis=1))
  out = np.clip((out - fitted.mean) / fitted.std, -CLIP, CLIP)
  out[~cohort.image_mask.any(axis=1)] = 0.0
  return out


def _chunks(
  cohort: cohort_lib.Cohort, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Existing images (b, h, w, c) of `rows` and the place of each's study."""
  if cohort.images is None:
    return
  at, image = np.nonzero(cohort.image_mask[rows])
  for start in range(0, len(at), _CHUNK):
    part = slice(start, start + _CHUNK)
    yield at[part], cohort.images[rows[at[part]], image[part]]


def _area_weights(n: int, size: int) -> np.ndarray:
  """(size, n): the share of each of n pixels in each of `size` new ones."""
  edges = np.linspace(0, n, size + 1)
  start, end = np.arange(n), np.arange(n) + 1
  overlap = np.minimum(edges[1:, None], end) - np.maximum(
    edges[:-1, None], start
  )
  overlap = np.clip(overlap, 0, None)
  return (overlap / overlap.sum(axis=1, keepdims=True)).astype(np.float32)


def _describe(fitted: PixelFit, x: np.ndarray) -> np.ndarray:
  """(b, q) float64 features of (b, size, size, c) reduced images."""
  b, h, w, c = x.shape
  flat = x.reshape(b, h * w * c)
  parts = [(flat - fitted.centre) @ fitted.components.T]
  low, high = np.float32(fitted.low), np.float32(fitted.high)
  place = np.clip((x.reshape(b, h * w, c) - low) / (high - low), 0, 1)
  bins = int(fitted.bins)
  parts += [_counts(_cut(place[..., i], bins), bins) for i in range(c)]
  if c == 3:
    red, green, blue = (_cut(place[..., i], _JOINT_BINS) for i in range(3))
    joint = (red * _JOINT_BINS + green) * _JOINT_BINS + blue
    parts.append(_counts(joint, _JOINT_BINS**3))
  return np.concatenate(parts, axis=1).astype(np.float64)


def _cut(place: np.ndarray, bins: int) -> np.ndarray:
  """The bin of each number from 0 to 1."""
  return np.minimum((place * bins).astype(np.int32), bins - 1)


def _counts(code: np.ndarray, bins: int) -> np.ndarray:
  """(b, bins) shares of each value in (b, pixels) whole numbers."""
  b, pixels = code.shape
  offset = bins * np.arange(b)[:, None]
  counts = np.bincount((code + offset).ravel(), minlength=b * bins)
  return counts.reshape(b, bins) / pixels


def _study_means(
  raw: np.ndarray, owner: np.ndarray, n: int, count: np.ndarray | None = None
) -> np.ndarray:
  """(n, q) sums of each study's rows of (b, q), over its number of images."""
  out = np.zeros((n, raw.shape[1]))
  np.add.at(out, owner, raw)
  if count is None:
    count = np.bincount(owner, minlength=n)
  return out / np.maximum(count, 1)[:, None]
