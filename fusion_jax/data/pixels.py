"""Pixels as a few numbers: principal components and histograms of values.

The same for images (two axes of space) and volumes (three).
"""

import dataclasses
import warnings
from collections.abc import Iterable

import numpy as np
from sklearn import decomposition

from fusion_jax.core import errors

# Blocks of (b, *space, c) arrays, and the place of each one's study.
Blocks = Iterable[tuple[np.ndarray, np.ndarray]]

# Arrays in a block.
BLOCK = 512

# Features are held within this many standard deviations of the training mean.
CLIP = 5.0
# Bins of each channel in the joint histogram of colour images.
_JOINT_BINS = 4
# The histograms' range leaves out this share of pixels at each end.
_TAIL = 0.001


@dataclasses.dataclass(frozen=True, eq=False)
class PixelFit:
  """What `fit` learnt from training images; p features, c channels, q out.

  Attributes:
    size: () int side of the reduced array, p = size ** space * c.
    centre: (p,) mean training array.
    components: (k, p) principal axes, rows of zeros where there were fewer
      training arrays than components.
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

  @property
  def parameters(self) -> int:
    """How many numbers were fitted."""
    parts = self.centre, self.components, self.low, self.high
    return sum(x.size for x in (*parts, self.mean, self.std))

  @property
  def component(self) -> np.ndarray:
    """(q,) numbers of the components from 1, -1 for bins of histograms."""
    k = len(self.components)
    return np.append(np.arange(1, k + 1), np.full(len(self.mean) - k, -1))

  @property
  def names(self) -> tuple[str, ...]:
    """(q,) what the features are called."""
    k, c, bins = len(self.components), len(self.low), int(self.bins)
    out = [f'component {i + 1}' for i in range(k)]
    out += [f'channel {i} bin {j}' for i in range(c) for j in range(bins)]
    if c == 3:
      out += [f'colour bin {j}' for j in range(_JOINT_BINS**3)]
    return tuple(out)


def full_scale(dtype: np.dtype) -> tuple[float, float]:
  """The values that stand for 0 and for 1."""
  if dtype.kind == 'f':
    return 0.0, 1.0
  info = np.iinfo(dtype)
  return float(info.min), float(info.max)


def scaled(x: np.ndarray) -> np.ndarray:
  """float32 on the 0..1 scale of whole numbers; floats as they are."""
  low, high = full_scale(x.dtype)
  x = x.astype(np.float32)
  return (x - np.float32(low)) / np.float32(high - low)


def channel_stats(blocks: Blocks, channels: int) -> dict[str, np.ndarray]:
  """Mean (c,) and std (c,), float32 on the 0..1 scale, over all values.

  Whole numbers are counted, so the order of studies does not matter; floats are
  summed. Without any array they are 0 and 1; a channel that never varies has
  std 1.
  """
  counts: dict[float, np.ndarray] = {}
  total, mean, square = 0.0, np.zeros(channels), np.zeros(channels)
  varies = np.zeros(channels, bool)
  scale = None
  for _, x in blocks:
    flat = x.reshape(-1, channels)
    if x.dtype.kind == 'f':
      total += len(flat)
      mean += flat.sum(axis=0, dtype=np.float64)
      square += np.square(flat, dtype=np.float64).sum(axis=0)
      varies |= np.ptp(flat, axis=0) > 0
      continue
    low, high = scale = full_scale(x.dtype)
    bins = int(high - low) + 1
    for i in range(channels):
      code = flat[:, i].astype(np.int64) - int(low)
      counts[i] = counts.get(i, 0) + np.bincount(code, minlength=bins)
  if scale is not None:
    count = np.stack([counts[i] for i in range(channels)]).astype(np.float64)
    share = count / count.sum(axis=1, keepdims=True)
    value = np.arange(count.shape[1]) / (scale[1] - scale[0])
    mean, square, total = share @ value, share @ value**2, 1.0
    # A channel of one value is left with rounding errors.
    varies = (count > 0).sum(axis=1) > 1
  if not total:
    return {
      'mean': np.zeros(channels, np.float32),
      'std': np.ones(channels, np.float32),
    }
  mean, square = mean / total, square / total
  std = np.where(varies, np.sqrt(np.maximum(square - mean**2, 0.0)), 1.0)
  return {'mean': mean.astype(np.float32), 'std': std.astype(np.float32)}


def reduce(x: np.ndarray, size: int) -> np.ndarray:
  """(n, size, ..., c) float32 area means of (n, *space, c) values."""
  x = scaled(x)
  for axis in range(1, x.ndim - 1):
    if x.shape[axis] != size:
      weights = _area_weights(x.shape[axis], size)
      shape = x.shape
      # Each axis in turn as the rows of a matrix product.
      x = weights @ x.reshape(int(np.prod(shape[:axis])), shape[axis], -1)
      x = x.reshape(*shape[:axis], size, *shape[axis + 1 :])
  return x


def fit(
  blocks: Blocks,
  n: int,
  *,
  space: int,
  channels: int,
  size: int,
  components: int,
  bins: int,
) -> PixelFit:
  """Fits components, histogram ranges and scaling.

  Args:
    blocks: of the training studies, whose places are 0 to n - 1.
    n: how many training studies there are.
    space: number of axes of space.
    channels: number c of channels.
    size: side of the reduced array.
    components: most components k.
    bins: of each channel's histogram.
  """
  c, shape = channels, (size,) * space
  p = size**space * c
  small = [np.zeros((0, *shape, c), np.float32)]
  owner = [np.zeros(0, int)]
  for at, x in blocks:
    small.append(reduce(x, size))
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
    low, high = np.quantile(x, (_TAIL, 1 - _TAIL), axis=tuple(range(space + 1)))
  high = np.where(high > low, high, low + 1.0)
  fitted = PixelFit(
    np.array(size), centre, axes, low, high, np.array(bins), *np.zeros((2, 0))
  )
  raw = _study_means(_describe(fitted, x), owner, n)[np.unique(owner)]
  q = raw.shape[1]
  mean, std = (raw.mean(0), raw.std(0)) if len(raw) else np.zeros((2, q))
  # Rounding leaves constant features a standard deviation of about 1e-8.
  std = np.where(std > 1e-6, std, 1.0)
  return dataclasses.replace(fitted, mean=mean, std=std)


def transform(
  fitted: PixelFit, blocks: Blocks, count: np.ndarray, channels: int
) -> np.ndarray:
  """(n, q) float64 standardised features, 0 for a study without an array.

  The k components come first, then each channel's histogram and, for three
  channels, a coarse joint histogram; all are means over a study's arrays.

  Args:
    fitted: from `fit`.
    blocks: of n studies.
    count: (n,) arrays of each study.
    channels: number of their channels.

  Raises:
    UserError: if there is another number of channels than in training.
  """
  n, c = len(count), len(fitted.low)
  if channels != c:
    raise errors.UserError(
      f'The cohort has images of {channels} channels, but the training images '
      f'had {c}.'
    )
  out = np.zeros((n, len(fitted.mean)))
  for owner, x in blocks:
    raw = _describe(fitted, reduce(x, int(fitted.size)))
    out += _study_means(raw, owner, n, count)
  out = np.clip((out - fitted.mean) / fitted.std, -CLIP, CLIP)
  out[count == 0] = 0.0
  return out


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
  """(b, q) float64 features of (b, size, ..., c) reduced arrays."""
  b, c = len(x), x.shape[-1]
  flat = x.reshape(b, -1)
  parts = [(flat - fitted.centre) @ fitted.components.T]
  low, high = np.float32(fitted.low), np.float32(fitted.high)
  place = np.clip((x.reshape(b, -1, c) - low) / (high - low), 0, 1)
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
