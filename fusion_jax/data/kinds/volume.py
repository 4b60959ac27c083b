"""Volumes: one 3-D array a study, such as CT, MRI or a segmentation."""

import dataclasses
from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import kind, pixels
from fusion_jax.data import modality as modality_lib

NAME = 'volume'
DTYPES = (np.uint8, np.int8, np.uint16, np.int16, np.float32)
# Volumes that are worked on at a time.
_CHUNK = 16


@dataclasses.dataclass(frozen=True, eq=False)
class Data(modality_lib.Data):
  """Volumes of N studies on one grid.

  Attributes:
    volumes: (N, d, h, w, c) whole numbers of 8 or 16 bits or float32, zeros
      where there is none.
    mask: (N,) bool, True where there is a volume.
    window: the values that stand for 0 and 1, such as (-1000, 400) in
      Hounsfield units; what is outside is clipped. Empty for the whole range
      of the type.
    spacing: (3,) size of a voxel in millimetres along d, h and w; empty if not
      known.
    orientation_free: whether mirroring leaves the meaning.
    files_digest: of the files that were read; empty if there are none.
  """

  volumes: np.ndarray = modality_lib.by_study(hashed_as='files_digest')
  mask: np.ndarray = modality_lib.by_study()
  window: tuple[float, ...] = ()
  spacing: tuple[float, ...] = ()
  orientation_free: bool = False
  files_digest: str = ''

  @property
  def present(self) -> np.ndarray:
    """(N,) bool: whether there is a volume."""
    return self.mask

  def check(self, name: str, n: int) -> None:
    """Likewise; and shape, type and window."""
    if self.volumes.ndim != 5 or self.volumes.dtype not in DTYPES:
      raise errors.UserError(
        f"Modality '{name}': volumes are {self.volumes.dtype} of shape "
        f'{self.volumes.shape}, expected (n, d, h, w, c) of whole numbers of 8 '
        'or 16 bits or float32.'
      )
    super().check(name, n)
    if self.window and not self.window[0] < self.window[1]:
      raise errors.UserError(
        f"Modality '{name}': window = {list(self.window)} is no range."
      )

  @property
  def scale(self) -> tuple[float, float]:
    """The values that stand for 0 and for 1."""
    if self.window:
      low, high = self.window
      return float(low), float(high)
    return pixels.full_scale(self.volumes.dtype)


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
  """What is learnt from the training part.

  Attributes:
    mean: (c,) float32 mean of the training voxels on the 0..1 scale.
    std: (c,) float32 their standard deviation.
    low: value of a voxel that stands for 0.
    high: for 1.
  """

  mean: np.ndarray
  std: np.ndarray
  low: float
  high: float


class Volume(kind.Kind):
  """Voxels, windowed and standardised by channel."""

  name = NAME
  side = modality_lib.IMAGING
  data = Data
  fitted = Fitted
  reduction = pixels.PixelFit

  def fit(self, modality, rows, config) -> Fitted:
    del config
    channels = modality.data.volumes.shape[-1]
    stats = pixels.channel_stats(blocks(modality, rows), channels)
    return Fitted(stats['mean'], stats['std'], *modality.data.scale)

  def held(self, data):
    """'voxels' (N, d, h, w, c) as they are kept and 'mask' (N,) bool."""
    return {'voxels': data.volumes, 'mask': data.mask}

  def constants(self, fitted):
    """What standardises voxels: (c,) 'mean' and 'std', 'low' and 'range'."""
    return {
      'mean': fitted.mean,
      'std': fitted.std,
      'low': np.float32(fitted.low),
      'range': np.float32(fitted.high - fitted.low),
    }

  def inputs(self, constants, values):
    """'voxels' (b, d, h, w, c) float32, standardised, and 'mask' (b,)."""
    x = values['voxels'].astype(jnp.float32)
    x = jnp.clip((x - constants['low']) / constants['range'], 0.0, 1.0)
    x = (x - constants['mean']) / constants['std']
    return {'voxels': x, 'mask': values['mask']}

  def fit_reduction(self, modality, rows, config) -> pixels.PixelFit:
    """Principal components and histogram ranges of the training volumes."""
    return pixels.fit(
      blocks(modality, rows),
      len(rows),
      space=3,
      channels=modality.data.volumes.shape[-1],
      size=config.volume_size,
      components=config.pixel_components,
      bins=config.histogram_bins,
    )

  def operations(self, reduction, modality):
    """Those of the projection on components."""
    return 2.0 * reduction.components.size * int(modality.present.sum())

  def size(self, reduction):
    """All numbers of components and scaling."""
    return reduction.parameters

  def columns(self, fitted, reduction, modality, learner) -> kind.Columns:
    """Components and histograms (data/pixels.py), the same for both."""
    del fitted, learner
    x = pixels.transform(
      reduction,
      blocks(modality, np.arange(len(modality))),
      modality.present.astype(int),
      modality.data.volumes.shape[-1],
    )
    return kind.Columns.of(x, reduction.names, component=reduction.component)

  def noise(self, modality, rows, pool, rng) -> Data:
    """Independent Gaussian voxels of the mean and spread of `pool`'s."""
    volumes = modality.data.volumes
    stats = self.fit(modality, pool, None)
    out = np.empty((len(rows), *volumes.shape[1:]), volumes.dtype)
    for start in range(0, len(rows), _CHUNK):
      at = slice(start, start + _CHUNK)
      x = rng.standard_normal(out[at].shape, np.float32)
      x = np.clip(stats.mean + stats.std * x, 0, 1)
      x = stats.low + x * (stats.high - stats.low)
      out[at] = x if out.dtype.kind == 'f' else np.rint(x).astype(out.dtype)
    seen = modality.present[rows]
    out[~seen] = 0
    return dataclasses.replace(
      modality.data, volumes=out, mask=seen, files_digest=''
    )

  def brightness(self, modality):
    """Mean and spread by channel."""
    out: dict[str, np.ndarray] = {}
    for at, x in blocks(modality, np.arange(len(modality))):
      for c in range(x.shape[-1]):
        values = x[..., c].reshape(len(x), -1)
        for what, found in (
          ('mean', values.mean(axis=1)),
          ('deviation', values.std(axis=1)),
        ):
          name = f'channel {c} {what}'
          out.setdefault(name, np.full(len(modality), np.nan))[at] = found
    return out

  def pictures(self, modality):
    """The slice in the middle of each volume."""
    for at, x in blocks(modality, np.arange(len(modality))):
      yield at, x[:, x.shape[1] // 2]

  def shape(self, data):
    return data.volumes.shape[1:]

  def summary(self, modality):
    """How many volumes there are, and of which shape."""
    d, h, w, c = modality.data.volumes.shape[1:]
    channels = f', {c} channels' if c > 1 else ''
    return {
      'volumes': (
        f'{int(modality.present.sum())} of {d} x {h} x {w} '
        f'{modality.data.volumes.dtype}{channels}; '
        f'{int((~modality.present).sum())} studies without'
      )
    }


@kind.KINDS.register(NAME, summary='one 3-D array a study')
def volume() -> Volume:
  """CT, MRI, segmentations."""
  return Volume()


def blocks(
  modality: modality_lib.Modality, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Volumes (b, d, h, w, c) of `rows` from 0 to 1, and their places.

  Whole numbers without a window are left as they are, to be counted.
  """
  at = np.flatnonzero(modality.present[rows])
  source, data = modality.rows[rows[at]], modality.data
  low, high = data.scale
  for start in range(0, len(at), _CHUNK):
    part = slice(start, start + _CHUNK)
    x = data.volumes[source[part]]
    if data.window or x.dtype.kind == 'f':
      x = np.clip((x.astype(np.float32) - low) / (high - low), 0, 1)
    yield at[part], x
