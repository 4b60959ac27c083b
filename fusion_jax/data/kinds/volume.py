"""Volumes: one 3-D array a study, such as CT, MRI or a segmentation."""

import dataclasses
from collections.abc import Iterator

import jax.numpy as jnp
import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import kind, pixel_kind, pixels
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


class Volume(pixel_kind.PixelKind):
  """Voxels, windowed and standardised by channel."""

  name = NAME
  data = Data
  array = 'volumes'
  space = 3
  size_setting = 'volume_size'
  chunk = _CHUNK

  def blocks(self, modality, rows):
    return blocks(modality, rows)

  def counts(self, modality):
    return modality.present.astype(int)

  def held(self, data):
    """'voxels' (N, d, h, w, c) as they are kept and 'mask' (N,) bool."""
    return {'voxels': data.volumes, 'mask': data.mask}

  def inputs(self, constants, values):
    """'voxels' (b, d, h, w, c) float32, standardised, and 'mask' (b,)."""
    x = values['voxels'].astype(jnp.float32)
    x = jnp.clip((x - constants['low']) / constants['range'], 0.0, 1.0)
    x = (x - constants['mean']) / constants['std']
    return {'voxels': x, 'mask': values['mask']}

  def noise(self, modality, rows, pool, rng) -> Data:
    """Voxels that are drawn; a volume that a study lacks stays away."""
    out, seen = self.drawn(modality, rows, pool, rng), modality.present[rows]
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
