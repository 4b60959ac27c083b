"""The in-memory contract of a cohort: NumPy only, missing stays missing."""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from fusion_jax.core import errors, types


@dataclasses.dataclass(frozen=True)
class Step:
  """One step from the rows of a table to the studies of a cohort.

  Attributes:
    step: 'read', 'excluded' or 'kept'.
    rows: of the table, how many.
    studies: that have any of these rows; of 'excluded', those that have none
      left.
    patients: likewise.
    reason: why they were excluded; empty otherwise.
  """

  step: str
  rows: int
  studies: int
  patients: int
  reason: str = ''


@dataclasses.dataclass(frozen=True, eq=False)
class Cohort:
  """A table of n studies, each of one patient; any modality may be missing.

  Attributes:
    name: what reports call it.
    task: what is predicted.
    digest: hex hash of everything that determines the content.
    study: (n,) str, distinct.
    patient: (n,) str; studies of one patient are never split apart.
    labels: (n, l) float64, NaN where unknown (see types.Task).
    time_unit: survival: of the times among the labels; empty if not known.
    patient_note: why there is no patient column; empty if there is one.
    images: (n, i, h, w, c) uint8 or uint16, i the most images of a study,
      zeros where there is none; None for a cohort without images.
    image_mask: (n, i) bool, True where an image exists.
    numeric: (n, f) float64, NaN where missing.
    numeric_names: (f,) column names.
    categorical: (n, f) object array of str, None where missing.
    categorical_names: (f,) column names.
    fold: (n,) int supplied folds, or None.
    site: (n,) str, or None.
    index_time: (n,) float64 moments of the predictions, days since 1970-01-01
      or in a unit of the cohort's own; or None.
    groups: by name, (n,) str subgroups to report on.
    weight: (n,) float64 study weights, or None for ones.
    orientation_free: whether flips and rotations leave the meaning.
    unknown_codes: by categorical column, its levels that mean 'unknown'.
    image_facts: by name, (n,) float64 facts about a study's image files, NaN
      where it has none (see data/file_facts.py).
    oracle: worlds only: (n,) float64 best possible scores by 'image', 'ehr'
      and 'both'.
    notes: sentences that every report repeats.
    warnings: sentences that are warnings of every report.
    steps: from the rows that were read to the studies that are here; () where
      no table was read.
    licence: the licence of the data.
    citation: how to cite the data.
  """

  name: str
  task: types.Task
  digest: str
  study: np.ndarray
  patient: np.ndarray
  labels: np.ndarray
  time_unit: str = ''
  patient_note: str = ''
  images: np.ndarray | None = None
  image_mask: np.ndarray | None = None
  numeric: np.ndarray | None = None
  numeric_names: tuple[str, ...] = ()
  categorical: np.ndarray | None = None
  categorical_names: tuple[str, ...] = ()
  fold: np.ndarray | None = None
  site: np.ndarray | None = None
  index_time: np.ndarray | None = None
  groups: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
  weight: np.ndarray | None = None
  orientation_free: bool = False
  unknown_codes: Mapping[str, tuple[str, ...]] = dataclasses.field(
    default_factory=dict
  )
  image_facts: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
  oracle: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
  notes: tuple[str, ...] = ()
  warnings: tuple[str, ...] = ()
  steps: tuple[Step, ...] = ()
  licence: str = ''
  citation: str = ''

  def __post_init__(self):
    n = len(self.study)
    fill = object.__setattr__  # The dataclass is frozen.
    if self.numeric is None:
      fill(self, 'numeric', np.zeros((n, 0)))
    if self.categorical is None:
      fill(self, 'categorical', np.zeros((n, 0), object))
    if self.image_mask is None:
      count = 0 if self.images is None else self.images.shape[1]
      fill(self, 'image_mask', np.ones((n, count), bool))
    self._check(n)

  def _check(self, n: int) -> None:
    shapes = {
      'patient': (n,),
      'labels': (n, self.task.num_labels),
      'numeric': (n, len(self.numeric_names)),
      'categorical': (n, len(self.categorical_names)),
      'fold': (n,),
      'site': (n,),
      'index_time': (n,),
      'weight': (n,),
    }
    found = {name: getattr(self, name) for name in shapes}
    columns = {**self.groups, **self.image_facts, **self.oracle}
    for name, values in columns.items():
      shapes[name], found[name] = (n,), values
    for name, values in found.items():
      if values is not None and values.shape != shapes[name]:
        raise errors.UserError(
          f"Cohort '{self.name}': {name} has shape {values.shape}, "
          f'expected {shapes[name]} for {n} studies.'
        )
    if self.images is not None:
      if self.images.ndim != 5 or self.images.shape[:2] != (
        self.image_mask.shape
      ):
        raise errors.UserError(
          f"Cohort '{self.name}': images have shape {self.images.shape} and "
          f'their mask {self.image_mask.shape}, expected (n, i, h, w, c) and '
          '(n, i).'
        )
      if self.images.dtype not in (np.uint8, np.uint16):
        raise errors.UserError(
          f"Cohort '{self.name}': images are {self.images.dtype}, expected "
          'uint8 or uint16.'
        )
    if self.image_mask.shape[0] != n:
      raise errors.UserError(
        f"Cohort '{self.name}': the image mask has "
        f'{self.image_mask.shape[0]} rows for {n} studies.'
      )
    names, counts = np.unique(self.study, return_counts=True)
    if (counts > 1).any():
      worst = names[counts > 1][0]
      raise errors.UserError(
        f"Cohort '{self.name}': study '{worst}' appears more than once "
        f'({int((counts > 1).sum())} studies do).'
      )

  def __len__(self) -> int:
    return len(self.study)

  @property
  def modalities(self) -> tuple[str, ...]:
    """The modalities that the cohort has columns for."""
    found = () if self.images is None else (types.IMAGE,)
    if self.numeric_names or self.categorical_names:
      found += (types.EHR,)
    return found

  @property
  def present(self) -> dict[str, np.ndarray]:
    """By modality, (n,) bool: any image, any observed column."""
    observed = np.isfinite(self.numeric).any(axis=1)
    observed |= np.not_equal(self.categorical, None).any(axis=1)
    present = {
      types.IMAGE: self.image_mask.any(axis=1),
      types.EHR: observed,
    }
    return {m: present[m] for m in self.modalities}

  def subset(self, rows: np.ndarray) -> 'Cohort':
    """The studies `rows` (numbers or an (n,) bool mask), in that order."""

    def take(x):
      return None if x is None else x[rows]

    return dataclasses.replace(
      self,
      study=self.study[rows],
      patient=self.patient[rows],
      labels=self.labels[rows],
      images=take(self.images),
      image_mask=self.image_mask[rows],
      numeric=self.numeric[rows],
      categorical=self.categorical[rows],
      fold=take(self.fold),
      site=take(self.site),
      index_time=take(self.index_time),
      groups={k: v[rows] for k, v in self.groups.items()},
      weight=take(self.weight),
      image_facts={k: v[rows] for k, v in self.image_facts.items()},
      oracle={k: v[rows] for k, v in self.oracle.items()},
    )


def content_digest(parts: Iterable[Any]) -> str:
  """Hex hash of arrays, strings, numbers and None, in the order given."""
  digest = hashlib.sha256()
  for part in parts:
    if isinstance(part, np.ndarray) and part.dtype.kind in 'biuf':
      digest.update(f'{part.dtype.str}{part.shape}'.encode())
      digest.update(np.ascontiguousarray(part).tobytes())
      continue
    if isinstance(part, np.ndarray):
      digest.update(f'text{part.shape}'.encode())
      part = '\x1f'.join('\x00' if x is None else x for x in part.flat)
    digest.update(f'{type(part).__name__}:{part}\x1e'.encode())
  return digest.hexdigest()
