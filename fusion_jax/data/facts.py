"""What is known of a study without knowing what it means.

Which values are there, how an image was taken, how things are called and in
which order they come. None of it should tell the label; audits (see
docs/audits.md) measure whether it does.
"""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np

from fusion_jax.data import cohort as cohort_lib

# Facts about the paths of images are named so in `Cohort.image_facts`.
PATH = 'path '

# Rows and columns of an image whose values differ by less than this share of
# the full scale are blank: JPEG leaves traces in a black border.
_BLANK = 0.02
_LEADING = 3
_CHUNK = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Facts:
  """Columns of n studies.

  Attributes:
    numeric: by name, (n,) float64, NaN where a study has no such fact.
    categorical: by name, (n,) str.
  """

  numeric: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  categorical: Mapping[str, np.ndarray] = dataclasses.field(
    default_factory=dict
  )

  def varying(self) -> 'Facts':
    """Without columns that never vary or that repeat another one."""
    seen: set[bytes] = set()

    def new(values) -> bool:
      if values.dtype.kind == 'f':
        known = values[~np.isnan(values)]
        varies = bool(len(known)) and bool(np.ptp(known) > 0)
        key = values.tobytes()
      else:
        levels, codes = np.unique(values.astype(str), return_inverse=True)
        varies, key = len(levels) > 1, codes.tobytes()
      if not varies or key in seen:
        return False
      seen.add(key)
      return True

    return Facts(
      {name: x for name, x in self.numeric.items() if new(x)},
      {name: x for name, x in self.categorical.items() if new(x)},
    )

  def __len__(self) -> int:
    """Number of columns."""
    return len(self.numeric) + len(self.categorical)


def missingness(cohort: cohort_lib.Cohort) -> Facts:
  """Which values and modalities are there, as zeros and ones.

  Levels that the cohort declares to mean 'unknown' count as missing too, each
  as an indicator of its own.
  """
  found = {
    f'{name} is missing': np.isnan(x)
    for name, x in zip(cohort.numeric_names, cohort.numeric.T, strict=True)
  }
  for name, x in zip(
    cohort.categorical_names, cohort.categorical.T, strict=True
  ):
    found[f'{name} is missing'] = np.equal(x, None)
    for code in cohort.unknown_codes.get(name, ()):
      found[f'{name} is {code}'] = np.equal(x, code)
  for modality, there in cohort.present.items():
    found[f'no {modality}'] = ~there
  return Facts({name: x.astype(np.float64) for name, x in found.items()})


def coded(cohort: cohort_lib.Cohort) -> list[str]:
  """'NAME is CODE' of every value declared unknown that some study has."""
  return [
    f'{name} is {code}'
    for name, x in zip(
      cohort.categorical_names, cohort.categorical.T, strict=True
    )
    for code in cohort.unknown_codes.get(name, ())
    if np.equal(x, code).any()
  ]


def acquisition(cohort: cohort_lib.Cohort) -> Facts:
  """How the images of a study were made: nothing of what they show.

  From the images as the cohort holds them: blank borders (which also say what
  shape an image had before it was padded to a square), and how many a study
  has. From `Cohort.image_facts`, where the cohort has them: what the files
  themselves say. NaN for studies without an image.
  """
  found = _over_images(cohort, _borders)
  if cohort.image_mask.shape[1] > 1:
    count = cohort.image_mask.sum(axis=1)
    found['images'] = np.where(count > 0, count, np.nan)
  for name, x in cohort.image_facts.items():
    if not name.startswith(PATH):
      found[name] = np.asarray(x, np.float64)
  return Facts(found)


def brightness(cohort: cohort_lib.Cohort) -> Facts:
  """How bright and contrasty a study's images are, and of which colour.

  NaN for studies without an image.
  """
  return Facts(_over_images(cohort, _light))


def identifiers(cohort: cohort_lib.Cohort) -> Facts:
  """How studies, patients and image files are called.

  Of each name its length, its last number (-1 without one), its place in
  alphabetical order and its first characters.
  """
  numeric: dict[str, np.ndarray] = {}
  categorical: dict[str, np.ndarray] = {}
  names = {'study': cohort.study}
  if not np.array_equal(cohort.study, cohort.patient):
    names['patient'] = cohort.patient
  for what, values in names.items():
    levels, places = np.unique(values, return_inverse=True)
    of_levels = {
      'length': [len(x) for x in levels],
      'number': [_last_number(x) for x in levels],
      'order': np.arange(len(levels)),
    }
    for name, x in of_levels.items():
      numeric[f'{what} {name}'] = np.asarray(x, np.float64)[places]
    leading = np.array([x[:_LEADING] for x in levels], object)
    categorical[f'{what} leading characters'] = leading[places]
  for name, x in cohort.image_facts.items():
    if name.startswith(PATH):
      numeric[name] = np.asarray(x, np.float64)
  return Facts(numeric, categorical)


def row_order(cohort: cohort_lib.Cohort) -> Facts:
  """The number of the row in the cohort's table."""
  return Facts({'row': np.arange(len(cohort), dtype=np.float64)})


def time(cohort: cohort_lib.Cohort) -> Facts:
  """When the prediction is made; no column where the cohort does not say."""
  found = cohort.index_time
  return Facts() if found is None else Facts({'time': np.asarray(found)})


def subgroups(cohort: cohort_lib.Cohort) -> Facts:
  """The declared groups and the site."""
  found = dict(cohort.groups)
  if cohort.site is not None:
    found['site'] = cohort.site
  return Facts({}, {k: x.astype(object) for k, x in found.items()})


def _last_number(name: str) -> float:
  digits = re.findall(r'\d+', name)
  # Longer numbers are hashes; a float would not tell them apart anyway.
  return float(digits[-1][-15:]) if digits else -1.0


def _over_images(cohort, describe) -> dict[str, np.ndarray]:
  """By name, (n,) means of `describe` over a study's images."""
  if cohort.images is None:
    return {}
  n = len(cohort)
  at, place = np.nonzero(cohort.image_mask)
  blocks = [
    describe(_scaled(cohort.images[at[lo:hi], place[lo:hi]]))
    for lo, hi in ((x, x + _CHUNK) for x in range(0, len(at), _CHUNK))
  ]
  count = np.bincount(at, minlength=n)
  found = {}
  for name in blocks[0] if blocks else ():
    values = np.concatenate([b[name] for b in blocks])
    sums = np.bincount(at, values, minlength=n)
    found[name] = np.divide(
      sums, count, out=np.full(n, np.nan), where=count > 0
    )
  return found


def _scaled(images: np.ndarray) -> np.ndarray:
  return images.astype(np.float32) / np.iinfo(images.dtype).max


def _light(x: np.ndarray) -> dict[str, np.ndarray]:
  """By name, (b,) facts of (b, h, w, c) images from 0 to 1."""
  found = {
    'brightness': x.mean(axis=(1, 2, 3)),
    'contrast': x.std(axis=(1, 2, 3)),
    'black': (x <= _BLANK).mean(axis=(1, 2, 3)),
    'white': (x >= 1 - _BLANK).mean(axis=(1, 2, 3)),
  }
  if x.shape[-1] > 1:
    for c in range(x.shape[-1]):
      found[f'channel {c} mean'] = x[..., c].mean(axis=(1, 2))
      found[f'channel {c} deviation'] = x[..., c].std(axis=(1, 2))
  return found


def _borders(x: np.ndarray) -> dict[str, np.ndarray]:
  """By side, the (b,) share of lines from that edge on that are blank."""
  found = {}
  for axis, sides in ((2, ('top', 'bottom')), (1, ('left', 'right'))):
    blank = (np.ptp(x, axis=axis) <= _BLANK).all(axis=-1)  # (b, h or w)
    for side, lines in zip(sides, (blank, blank[:, ::-1]), strict=True):
      run = np.logical_and.accumulate(lines, axis=1)
      found[f'{side} border'] = run.mean(axis=1)
  return found
