"""Images: one or several 2-D pictures a study."""

import dataclasses
from collections.abc import Iterator, Mapping

import jax.numpy as jnp
import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import kind, pixel_kind, pixels
from fusion_jax.data import modality as modality_lib

NAME = 'image'
DTYPES = (np.uint8, np.int8, np.uint16, np.int16)
# Facts about the paths of files are named so in `Data.facts`.
PATH = 'path '

# Rows and columns whose values differ by less than this share of the full scale
# are blank: JPEG leaves traces in a black border.
_BLANK = 0.02
_CHUNK = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Data(modality_lib.Data):
  """Images of N studies.

  Attributes:
    images: (N, i, h, w, c) whole numbers of 8 or 16 bits, i the most images of
      a study, zeros where there is none.
    mask: (N, i) bool, True where there is an image.
    views: (i,) what each place holds, such as 'frontal'; empty where images of
      a study have no order.
    orientation_free: whether flips and rotations leave the meaning.
    facts: by name, (N,) float64 facts about a study's files, NaN where it has
      none (data/file_facts.py); no content.
    files_digest: of the files that were decoded; empty if there are none.
  """

  images: np.ndarray = modality_lib.by_study(hashed_as='files_digest')
  mask: np.ndarray = modality_lib.by_study()
  views: tuple[str, ...] = ()
  orientation_free: bool = False
  facts: Mapping[str, np.ndarray] = dataclasses.field(
    default_factory=dict, metadata={modality_lib.ABOUT_FILES: True}
  )
  files_digest: str = ''

  @property
  def present(self) -> np.ndarray:
    """(N,) bool: whether there is any image."""
    return self.mask.any(axis=1)

  @property
  def scale(self) -> tuple[float, float]:
    """The values that stand for 0 and for 1."""
    return pixels.full_scale(self.images.dtype)

  def check(self, name: str, n: int) -> None:
    """Likewise; and that images, mask and facts fit each other."""
    if self.images.ndim != 5 or self.images.shape[:2] != self.mask.shape:
      raise errors.UserError(
        f"Modality '{name}': images have shape {self.images.shape} and their "
        f'mask {self.mask.shape}, expected (n, i, h, w, c) and (n, i).'
      )
    if self.images.dtype not in DTYPES:
      raise errors.UserError(
        f"Modality '{name}': images are {self.images.dtype}, expected whole "
        'numbers of 8 or 16 bits.'
      )
    super().check(name, n)
    for fact, values in self.facts.items():
      if values.shape != (n,):
        raise errors.UserError(
          f"Modality '{name}': {fact} has shape {values.shape} for {n} studies."
        )
    if self.views and len(self.views) != self.mask.shape[1]:
      raise errors.UserError(
        f"Modality '{name}': {len(self.views)} views for {self.mask.shape[1]} "
        'images a study.'
      )


class Image(pixel_kind.PixelKind):
  """Pixels, standardised by channel."""

  name = NAME
  data = Data
  array = 'images'
  space = 2
  size_setting = 'pixel_size'
  chunk = _CHUNK

  def blocks(self, modality, rows):
    return blocks(modality, rows)

  def counts(self, modality):
    return mask(modality).sum(axis=1)

  def held(self, data):
    """'pixels' (N, i, h, w, c) as they are kept and 'mask' (N, i) bool."""
    return {'pixels': data.images, 'mask': data.mask}

  def inputs(self, constants, values):
    """'pixels' (b, i, h, w, c) float32, standardised, and 'mask' (b, i)."""
    x = values['pixels'].astype(jnp.float32)
    x = (x - constants['low']) / constants['range']
    x = (x - constants['mean']) / constants['std']
    return {'pixels': x, 'mask': values['mask']}

  def noise(self, modality, rows, pool, rng) -> Data:
    """Pixels that are drawn; images that a study lacks stay away."""
    out, seen = self.drawn(modality, rows, pool, rng), mask(modality)[rows]
    out[~seen] = 0
    return dataclasses.replace(
      modality.data, images=out, mask=seen, facts={}, files_digest=''
    )

  def acquisition(self, modality):
    """Blank borders, numbers of images and what files say; NaN without."""
    out = _over_images(modality, _borders)
    seen = mask(modality)
    if seen.shape[1] > 1:
      count = seen.sum(axis=1)
      out['images'] = np.where(count > 0, count, np.nan)
    for name, x in modality.data.facts.items():
      if not name.startswith(PATH):
        out[name] = np.asarray(x, np.float64)[modality.rows]
    return out

  def brightness(self, modality):
    """Brightness, contrast, and mean and spread by channel."""
    return _over_images(modality, _light)

  def pictures(self, modality):
    """Every image."""
    return blocks(modality, np.arange(len(modality)))

  def described(self, modality):
    """How many images a study has, where that may differ."""
    seen = mask(modality)
    if seen.shape[1] == 1:
      return {}
    return {'images of a study': seen.sum(axis=1).astype(np.float64)}

  def names(self, modality):
    """Facts about the paths of files."""
    return {
      name: np.asarray(x, np.float64)[modality.rows]
      for name, x in modality.data.facts.items()
      if name.startswith(PATH)
    }

  def shape(self, data):
    return data.images.shape[2:]

  def summary(self, modality):
    """How many images there are, and of which shape."""
    i, h, w, c = modality.data.images.shape[1:]
    return {
      'images': (
        f'{int(mask(modality).sum())} of {h} x {w} x {c} '
        f'{modality.data.images.dtype}, at most {i} a study; '
        f'{int((~modality.present).sum())} studies without'
      )
    }


@kind.KINDS.register(NAME, summary='one or several 2-D images a study')
def image() -> Image:
  """Radiographs, photographs, slices."""
  return Image()


def mask(modality: modality_lib.Modality) -> np.ndarray:
  """(n, i) bool, True where a study shows an image."""
  seen = modality.given(modality.data.mask)
  return seen if modality.present.all() else seen & modality.present[:, None]


def blocks(
  modality: modality_lib.Modality, rows: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
  """Existing images (b, h, w, c) of `rows` and the place of each's study."""
  at, place = np.nonzero(mask(modality)[rows])
  source = modality.rows[rows]
  for start in range(0, len(at), pixels.BLOCK):
    part = slice(start, start + pixels.BLOCK)
    yield at[part], modality.data.images[source[at[part]], place[part]]


def _over_images(modality, describe) -> dict[str, np.ndarray]:
  """By name, (n,) means of `describe` over a study's images."""
  n, places, found = len(modality), [], []
  for at, images in blocks(modality, np.arange(n)):
    for start in range(0, len(at), _CHUNK):
      part = slice(start, start + _CHUNK)
      places.append(at[part])
      found.append(describe(pixels.scaled(images[part])))
  if not places:
    return {}
  at = np.concatenate(places)
  count = np.bincount(at, minlength=n)
  out = {}
  for name in found[0]:
    sums = np.bincount(
      at, np.concatenate([x[name] for x in found]), minlength=n
    )
    out[name] = np.divide(sums, count, out=np.full(n, np.nan), where=count > 0)
  return out


def _light(x: np.ndarray) -> dict[str, np.ndarray]:
  """By name, (b,) facts of (b, h, w, c) images from 0 to 1."""
  out = {
    'brightness': x.mean(axis=(1, 2, 3)),
    'contrast': x.std(axis=(1, 2, 3)),
    'black': (x <= _BLANK).mean(axis=(1, 2, 3)),
    'white': (x >= 1 - _BLANK).mean(axis=(1, 2, 3)),
  }
  if x.shape[-1] > 1:
    for c in range(x.shape[-1]):
      out[f'channel {c} mean'] = x[..., c].mean(axis=(1, 2))
      out[f'channel {c} deviation'] = x[..., c].std(axis=(1, 2))
  return out


def _borders(x: np.ndarray) -> dict[str, np.ndarray]:
  """By side, the (b,) share of lines from that edge on that are blank."""
  out = {}
  for axis, sides in ((2, ('top', 'bottom')), (1, ('left', 'right'))):
    blank = (np.ptp(x, axis=axis) <= _BLANK).all(axis=-1)  # (b, h or w)
    for side, lines in zip(sides, (blank, blank[:, ::-1]), strict=True):
      run = np.logical_and.accumulate(lines, axis=1)
      out[f'{side} border'] = run.mean(axis=1)
  return out
