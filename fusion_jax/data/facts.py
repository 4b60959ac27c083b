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
from fusion_jax.data import kind

_LEADING = 3


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
  found: dict[str, np.ndarray] = {}
  for name, modality in cohort.modalities.items():
    own = kind.of(modality)
    found |= named(cohort, name, own.missing(modality))
    found |= named(cohort, name, own.unknown(modality))
  for modality, there in cohort.present.items():
    found[f'no {modality}'] = ~there
  return Facts({name: x.astype(np.float64) for name, x in found.items()})


def coded(cohort: cohort_lib.Cohort) -> list[str]:
  """'NAME is CODE' of every value declared unknown that some study has."""
  found: dict[str, np.ndarray] = {}
  for name, modality in cohort.modalities.items():
    found |= named(cohort, name, kind.of(modality).unknown(modality))
  return [name for name, x in found.items() if x.any()]


def acquisition(cohort: cohort_lib.Cohort) -> Facts:
  """How the data of a study were made: nothing of what they show.

  Of images blank borders (which also say what shape an image had before it was
  padded to a square), how many a study has, and what the files themselves say;
  of series how many rows there are. NaN for studies without.
  """
  found: dict[str, np.ndarray] = {}
  for name, modality in cohort.modalities.items():
    found |= named(cohort, name, kind.of(modality).acquisition(modality))
  return Facts(found)


def brightness(cohort: cohort_lib.Cohort) -> Facts:
  """How bright and contrasty a study's images are, and of which colour.

  NaN for studies without an image.
  """
  found: dict[str, np.ndarray] = {}
  for name, modality in cohort.modalities.items():
    found |= named(cohort, name, kind.of(modality).brightness(modality))
  return Facts(found)


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
  for name, modality in cohort.modalities.items():
    numeric |= named(cohort, name, kind.of(modality).names(modality))
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


def named(cohort, modality, columns) -> dict[str, np.ndarray]:
  """Columns of a modality, with its name where others have such columns."""
  mine = cohort.modalities[modality]
  alone = len(cohort.of_kind(mine.kind)) == 1
  return {k if alone else f'{modality}: {k}': x for k, x in columns.items()}
