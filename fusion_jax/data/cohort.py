"""The in-memory contract of a cohort: NumPy only, missing stays missing."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from fusion_jax.core import errors, types
from fusion_jax.data import content
from fusion_jax.data import modality as modality_lib


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
    study: (n,) str, distinct.
    patient: (n,) str; studies of one patient are never split apart.
    labels: (n, l) float64, NaN where unknown (see types.Task).
    modalities: by name, what each study has of it.
    digest: hex hash of everything that determines the content; made of the
      fields if empty.
    time_unit: survival: of the times among the labels; empty if not known.
    patient_note: why there is no patient column; empty if there is one.
    fold: (n,) int supplied folds, or None.
    site: (n,) str, or None.
    index_time: (n,) float64 moments of the predictions, days since 1970-01-01
      or in a unit of the cohort's own; or None.
    groups: by name, (n,) str subgroups to report on.
    weight: (n,) float64 study weights, or None for ones.
    oracle: worlds only: (n,) float64 best possible scores by modality and
      'both'.
    notes: sentences that every report repeats.
    warnings: sentences that are warnings of every report.
    steps: from the rows that were read to the studies that are here; () where
      no table was read.
    licence: the licence of the data.
    citation: how to cite the data.
  """

  name: str
  task: types.Task
  study: np.ndarray
  patient: np.ndarray
  labels: np.ndarray
  modalities: Mapping[str, modality_lib.Modality] = dataclasses.field(
    default_factory=dict
  )
  digest: str = ''
  time_unit: str = ''
  patient_note: str = ''
  fold: np.ndarray | None = None
  site: np.ndarray | None = None
  index_time: np.ndarray | None = None
  groups: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  weight: np.ndarray | None = None
  oracle: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)
  notes: tuple[str, ...] = ()
  warnings: tuple[str, ...] = ()
  steps: tuple[Step, ...] = ()
  licence: str = ''
  citation: str = ''

  def __post_init__(self):
    self._check()
    if not self.digest:
      # The dataclass is frozen.
      object.__setattr__(self, 'digest', self._content())

  def _content(self) -> str:
    """The one place that asks every part of the content for its hash."""
    parts: list[Any] = [self.task.kind, self.task.names]
    for name in _BY_STUDY:
      parts += [name, getattr(self, name)]
    parts += ['groups', self.groups, 'patients', not self.patient_note]
    for name, modality in self.modalities.items():
      parts += [name, modality.kind, modality.side, modality.data.digest()]
      parts += [modality.rows, modality.present]
    return content.digest(parts)

  def _check(self) -> None:
    n = len(self.study)
    shapes = {name: (n,) for name in _BY_STUDY}
    shapes['labels'] = (n, self.task.num_labels)
    given = {name: getattr(self, name) for name in _BY_STUDY}
    for name, values in {**self.groups, **self.oracle}.items():
      shapes[name], given[name] = (n,), values
    for name, values in given.items():
      if values is not None and values.shape != shapes[name]:
        raise errors.UserError(
          f"Cohort '{self.name}': {name} has shape {values.shape}, "
          f'expected {shapes[name]} for {n} studies.'
        )
    for name, modality in self.modalities.items():
      if len(modality) != n or len(modality.present) != n:
        raise errors.UserError(
          f"Cohort '{self.name}': modality '{name}' has {len(modality)} rows "
          f'for {n} studies.'
        )
      modality.data.check(name, len(modality.data))
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
  def present(self) -> dict[str, np.ndarray]:
    """By modality, (n,) bool: whether a study has anything of it."""
    return {name: x.present for name, x in self.modalities.items()}

  def subset(self, rows: np.ndarray) -> 'Cohort':
    """The studies `rows` (numbers or an (n,) bool mask), in that order."""

    def take(x):
      return None if x is None else x[rows]

    return dataclasses.replace(
      self,
      **{name: take(getattr(self, name)) for name in _BY_STUDY},
      modalities={k: v.take(rows) for k, v in self.modalities.items()},
      groups={k: v[rows] for k, v in self.groups.items()},
      oracle={k: v[rows] for k, v in self.oracle.items()},
    )

  def with_modalities(
    self, changed: Mapping[str, modality_lib.Modality], *, digest: str
  ) -> 'Cohort':
    """The same studies, some of whose modalities are others."""
    modalities = {**self.modalities, **changed}
    return dataclasses.replace(self, modalities=modalities, digest=digest)

  def unlabelled(
    self, modalities: Mapping[str, modality_lib.Modality]
  ) -> 'Cohort':
    """Studies that show `modalities`, numbered, of a patient each."""
    number = np.arange(len(next(iter(modalities.values())))).astype(str)
    return Cohort(
      name=self.name,
      task=self.task,
      digest=self.digest,
      study=number,
      patient=number,
      labels=np.full((len(number), self.task.num_labels), np.nan),
      modalities=modalities,
    )

  def only(self, names: Collection[str]) -> 'Cohort':
    """The same studies with some of their modalities.

    Raises:
      UserError: for a name of none.
    """
    for name in names:
      if name not in self.modalities:
        raise errors.unknown_name(
          'modality', name, self.modalities, where=f"cohort '{self.name}'"
        )
    kept = {k: v for k, v in self.modalities.items() if k in names}
    return dataclasses.replace(self, modalities=kept, digest='')

  def named(self, name: str) -> list[str]:
    """The modalities that a name stands for: one, or all of a side.

    Raises:
      UserError: for a name of neither.
    """
    if name in self.modalities:
      return [name]
    side = types.SIDES.get(name)
    if side is None:
      known = [*self.modalities, *types.SIDES]
      raise errors.unknown_name('modality or side', name, known)
    return [m for m, x in self.modalities.items() if x.side == side]

  def of_kind(self, kind: str) -> dict[str, modality_lib.Modality]:
    """The modalities of a kind, by name."""
    return {k: v for k, v in self.modalities.items() if v.kind == kind}


# The arrays by study beside modalities, groups and the oracle.
_BY_STUDY = (
  'study',
  'patient',
  'labels',
  'fold',
  'site',
  'index_time',
  'weight',
)
