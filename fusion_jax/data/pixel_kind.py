"""What kinds made of pixels or voxels share: scaling and reduction."""

import abc
import dataclasses
from collections.abc import Iterator

import numpy as np

from fusion_jax.data import kind, pixels
from fusion_jax.data import modality as modality_lib


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
  """What is learnt from the training part.

  Attributes:
    mean: (c,) float32 mean of the training values on the 0..1 scale.
    std: (c,) float32 their standard deviation.
    low: the value that stands for 0.
    high: for 1.
  """

  mean: np.ndarray
  std: np.ndarray
  low: float
  high: float


class PixelKind(kind.Kind):
  """Standardised by channel, reduced to components and histograms.

  Attributes:
    array: the field of the data that holds values, channels last.
    space: axes of space.
    size_setting: the preprocessing setting for the side of what is reduced.
    chunk: studies that are worked on at a time.
  """

  side = modality_lib.IMAGING
  fitted = Fitted
  reduction = pixels.PixelFit
  array: str
  space: int
  size_setting: str
  chunk: int

  @abc.abstractmethod
  def blocks(
    self, modality: modality_lib.Modality, rows: np.ndarray
  ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What the studies `rows` show (b, ..., c), and the place of each's."""

  @abc.abstractmethod
  def counts(self, modality: modality_lib.Modality) -> np.ndarray:
    """(n,) how many images or volumes each study shows."""

  def fit(self, modality, rows, config) -> Fitted:
    del config
    channels = self._array(modality).shape[-1]
    stats = pixels.channel_stats(self.blocks(modality, rows), channels)
    return Fitted(stats['mean'], stats['std'], *modality.data.scale)

  def constants(self, fitted):
    """What standardises: (c,) 'mean' and 'std', 'low' and 'range'."""
    return {
      'mean': fitted.mean,
      'std': fitted.std,
      'low': np.float32(fitted.low),
      'range': np.float32(fitted.high - fitted.low),
    }

  def fit_reduction(self, modality, rows, config) -> pixels.PixelFit:
    """Principal components and histogram ranges of the training part."""
    return pixels.fit(
      self.blocks(modality, rows),
      len(rows),
      space=self.space,
      channels=self._array(modality).shape[-1],
      size=getattr(config, self.size_setting),
      components=config.pixel_components,
      bins=config.histogram_bins,
    )

  def operations(self, reduction, modality):
    """Those of the projection on components."""
    return 2.0 * reduction.components.size * int(self.counts(modality).sum())

  def size(self, reduction):
    """All numbers of components and scaling."""
    return reduction.parameters

  def columns(self, fitted, reduction, modality, learner) -> kind.Columns:
    """Components and histograms (data/pixels.py), the same for both."""
    del fitted, learner
    x = pixels.transform(
      reduction,
      self.blocks(modality, np.arange(len(modality))),
      self.counts(modality),
      self._array(modality).shape[-1],
    )
    return kind.Columns.of(x, reduction.names, component=reduction.component)

  def drawn(self, modality, rows, pool, rng) -> np.ndarray:
    """Independent Gaussian values of the mean and spread of `pool`'s.

    They are clipped to the range of values.
    """
    array = self._array(modality)
    stats = self.fit(modality, pool, None)
    out = np.empty((len(rows), *array.shape[1:]), array.dtype)
    for start in range(0, len(rows), self.chunk):
      at = slice(start, start + self.chunk)
      x = rng.standard_normal(out[at].shape, np.float32)
      x = np.clip(stats.mean + stats.std * x, 0, 1)
      x = stats.low + x * (stats.high - stats.low)
      out[at] = x if out.dtype.kind == 'f' else np.rint(x).astype(out.dtype)
    return out

  def _array(self, modality) -> np.ndarray:
    return getattr(modality.data, self.array)
