"""One modality of a cohort: what each study has of it, whatever its kind.

A `Modality` shows the studies of a cohort rows of its `Data`. Choosing studies,
exchanging them and taking the modality from them change rows and presence
alone: no pixel is copied.
"""

import abc
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from fusion_jax.core import errors, types
from fusion_jax.data import content

IMAGING, RECORD = types.IMAGING, types.RECORD

# Metadata of fields (`by_study`).
STUDIES = 'studies'
# A field that audits read and no model sees is no content of the cohort.
ABOUT_FILES = 'about_files'
_HASHED_AS = 'hashed_as'


def by_study(*, hashed_as: str = '', **options: Any) -> Any:
  """A field of `Data` whose first axis are the studies.

  Args:
    hashed_as: another field that stands for the content of this one where it
      is not empty, as the hash of image files does for decoded pixels.
    **options: of `dataclasses.field`.
  """
  metadata = {STUDIES: True, _HASHED_AS: hashed_as}
  return dataclasses.field(metadata=metadata, **options)


@dataclasses.dataclass(frozen=True, eq=False)
class Data(abc.ABC):
  """What N studies have of one modality; a kind has one subclass.

  Its fields are arrays by study (`by_study`), which may lie in a mapped file,
  and what holds for all studies. Every field is hashed but
  those of facts about files.

  Attributes:
    ragged: whether studies have different numbers of rows.
  """

  ragged: ClassVar[bool] = False

  @property
  @abc.abstractmethod
  def present(self) -> np.ndarray:
    """(N,) bool: whether a study has anything of the modality."""

  def __len__(self) -> int:
    return len(self.present)

  def digest(self) -> str:
    """Hex hash of the content."""
    parts: list[Any] = [type(self).__name__]
    for field in dataclasses.fields(self):
      stand_in = field.metadata.get(_HASHED_AS)
      known = bool(stand_in) and bool(getattr(self, stand_in))
      if not known and not field.metadata.get(ABOUT_FILES):
        parts += [field.name, getattr(self, field.name)]
    return content.digest(parts)

  def study(self, row: int) -> dict[str, np.ndarray]:
    """By name, what one study has; text is an array of str or None."""
    return {
      f.name: np.asarray(getattr(self, f.name)[row])
      for f in dataclasses.fields(self)
      if f.metadata.get(STUDIES)
    }

  def shared(self) -> dict[str, Any]:
    """By name, what holds for all studies."""
    return {
      f.name: getattr(self, f.name)
      for f in dataclasses.fields(self)
      if not f.metadata.get(STUDIES) and not f.metadata.get(ABOUT_FILES)
    }

  @classmethod
  def of_studies(
    cls, studies: Mapping[str, Sequence[np.ndarray]], shared: Mapping[str, Any]
  ) -> Self:
    """Data of what `study` gave for each study, by name, and `shared`."""
    arrays = {k: np.stack(v) for k, v in studies.items()}
    return cls(**arrays, **shared)

  def check(self, name: str, n: int) -> None:
    """Checks that arrays by study have n rows.

    Raises:
      UserError: naming the modality and the array.
    """
    for field in dataclasses.fields(self):
      value = getattr(self, field.name)
      if field.metadata.get(STUDIES) and value is not None and len(value) != n:
        raise errors.UserError(
          f"Modality '{name}': {field.name} has {len(value)} rows for {n} "
          'studies.'
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Modality:
  """One modality of the n studies of a cohort.

  Attributes:
    kind: name of its kind (data/kinds/).
    side: IMAGING or RECORD.
    data: of N studies.
    rows: (n,) int, the study of `data` that each study is shown.
    present: (n,) bool, whether it is shown anything.
  """

  kind: str
  side: str
  data: Data
  rows: np.ndarray
  present: np.ndarray

  @classmethod
  def of(cls, kind: str, side: str, data: Data) -> Self:
    """All studies of `data`, in its order."""
    return cls(kind, side, data, np.arange(len(data)), data.present)

  def __len__(self) -> int:
    return len(self.rows)

  def take(self, rows: np.ndarray) -> Self:
    """The studies `rows` (numbers or a bool mask), in that order."""
    return dataclasses.replace(
      self, rows=self.rows[rows], present=self.present[rows]
    )

  def without(self, lost: np.ndarray) -> Self:
    """The same studies, of which those `lost` (n,) bool have none of it."""
    return dataclasses.replace(self, present=self.present & ~lost)

  def given(self, values: np.ndarray) -> np.ndarray:
    """Of (N, ...) `values` of the data, those of the n studies.

    Where every study is shown its own row nothing is copied.
    """
    if (
      len(self.rows) == len(values)
      and (self.rows == np.arange(len(values))).all()
    ):
      return values
    return values[self.rows]
