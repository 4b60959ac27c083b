"""What a kind of modality offers, and the registry of those that exist.

A kind is all that the rest of the library needs to know of an image, a volume,
a table, a series or a vector. Nothing else names them.
"""

import abc
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fusion_jax.core import registry
from fusion_jax.data import config as config_lib
from fusion_jax.data import modality as modality_lib

KINDS = registry.Registry('kind', package='fusion_jax.data.kinds')

# What elastic nets and trees are given.
LINEAR, TREES = 'linear', 'trees'


@dataclasses.dataclass(frozen=True, eq=False)
class Columns:
  """A modality as columns, for learners of tables.

  Attributes:
    x: (n, p) float64. For TREES, NaN where missing.
    is_categorical: (p,) bool, columns of codes (TREES only).
    names: (p,) what reports call them.
    component: (p,) numbers of principal components from 1, of which a learner
      may take the first ones alone; 0 for columns that it then keeps, -1 for
      those that it drops.
  """

  x: np.ndarray
  is_categorical: np.ndarray
  names: tuple[str, ...]
  component: np.ndarray

  @classmethod
  def of(
    cls, x: np.ndarray, names, *, is_categorical=None, component=None
  ) -> 'Columns':
    """Columns that are neither categorical nor components unless given so."""
    x = np.asarray(x, np.float64)
    p = x.shape[1]
    return cls(
      x,
      np.zeros(p, bool) if is_categorical is None else is_categorical,
      tuple(names),
      np.zeros(p, int) if component is None else component,
    )


@dataclasses.dataclass(frozen=True)
class Levels:
  """A column of names of other data beside that of the training part.

  Attributes:
    column: its name.
    cells: those that have a value.
    taken_for: by cell, the level of training that it is.
    known: the levels of training.
  """

  column: str
  cells: tuple[str, ...]
  taken_for: Mapping[str, str]
  known: tuple[str, ...]


class Kind(abc.ABC):
  """One kind of modality; n studies are shown, N are in the data.

  What is fitted (`fit`, `fit_reduction`) is a frozen dataclass of arrays, texts
  and numbers, which core/arrays.py saves and reads.

  Attributes:
    name: of the kind.
    side: the side of the study it is on where a descriptor does not say.
    data: the class of its data.
    fitted: the class of what `fit` returns.
    reduction: the class of what `fit_reduction` returns; None if nothing.
    marks_absence: whether `columns` tell by themselves that a study lacks the
      modality.
  """

  name: str
  side: str
  data: type[modality_lib.Data]
  fitted: type
  reduction: type | None = None
  marks_absence: bool = False

  @property
  def plain(self) -> bool:
    """Whether it can be joined with others as it is, not reduced or encoded."""
    return self.reduction is None

  @abc.abstractmethod
  def fit(
    self,
    modality: modality_lib.Modality,
    rows: np.ndarray,
    config: config_lib.PreprocessConfig,
  ) -> Any:
    """What is learnt of the studies `rows`, and of no others."""

  def held(self, data: modality_lib.Data) -> Mapping[str, Any]:
    """(N, ...) arrays that models of every fit share, as they are kept.

    Where studies have different numbers of rows, one `ragged.Ragged`.
    """
    del data
    return {}

  def derived(self, fitted: Any, data: modality_lib.Data) -> Mapping[str, Any]:
    """Likewise, of one fit.

    Raises:
      UserError: if the data lack what was fitted.
    """
    del fitted, data
    return {}

  def constants(self, fitted: Any) -> Mapping[str, np.ndarray]:
    """Small arrays of one fit that `inputs` needs."""
    del fitted
    return {}

  @abc.abstractmethod
  def inputs(
    self, constants: Mapping[str, jax.Array], values: Mapping[str, jax.Array]
  ) -> dict[str, jax.Array]:
    """What an encoder gets of b studies; runs inside compiled programs.

    Args:
      constants: see `constants`.
      values: (b, ...) rows of what `held` and `derived` returned.
    """

  def given(self, fitted: Any) -> Mapping[str, Any]:
    """What builders of encoders are given, by name."""
    del fitted
    return {}

  def fit_reduction(
    self,
    modality: modality_lib.Modality,
    rows: np.ndarray,
    config: config_lib.PreprocessConfig,
  ) -> Any:
    """What `columns` needs beside `fit`; costs more. None if nothing.

    It too is learnt of the studies `rows` only.
    """
    del modality, rows, config
    return None

  def operations(
    self, reduction: Any, modality: modality_lib.Modality
  ) -> float:
    """Floating-point operations of `columns` beyond standardising, about."""
    del reduction, modality
    return 0.0

  def size(self, reduction: Any) -> int:
    """How many fitted numbers a reduction passes a study through.

    What merely standardises columns is not counted.
    """
    del reduction
    return 0

  @abc.abstractmethod
  def columns(
    self,
    fitted: Any,
    reduction: Any,
    modality: modality_lib.Modality,
    learner: str,
  ) -> Columns:
    """The n studies as columns, as LINEAR or TREES learners take them.

    An absent modality is as one of which every value is missing.

    Raises:
      UserError: if the data lack what was fitted.
    """

  @abc.abstractmethod
  def noise(
    self,
    modality: modality_lib.Modality,
    rows: np.ndarray,
    pool: np.ndarray,
    rng: np.random.Generator,
  ) -> modality_lib.Data:
    """Meaningless data of k studies, in the form of those of `rows`.

    Args:
      modality: of n studies.
      rows: (k,) studies whose data are to be replaced.
      pool: rows whose means, spreads or values the draws have.
      rng: draws them.
    """

  def joined(self, parts: Sequence[modality_lib.Data]) -> modality_lib.Data:
    """The studies of several data of one form, one after the other."""
    fields = dataclasses.fields(parts[0])
    return dataclasses.replace(
      parts[0],
      **{
        f.name: np.concatenate([getattr(x, f.name) for x in parts])
        for f in fields
        if f.metadata.get(modality_lib.STUDIES)
      },
    )

  def missing(
    self, modality: modality_lib.Modality
  ) -> Mapping[str, np.ndarray]:
    """(n,) bool by name: which values are missing, beside the whole."""
    del modality
    return {}

  def unknown(
    self, modality: modality_lib.Modality
  ) -> Mapping[str, np.ndarray]:
    """(n,) bool by name: which values are declared to mean 'unknown'."""
    del modality
    return {}

  def acquisition(
    self, modality: modality_lib.Modality
  ) -> Mapping[str, np.ndarray]:
    """(n,) float64 by name: how the data were made; NaN where unknown."""
    del modality
    return {}

  def brightness(
    self, modality: modality_lib.Modality
  ) -> Mapping[str, np.ndarray]:
    """(n,) float64 by name: overall light and colour; NaN where absent."""
    del modality
    return {}

  def pictures(
    self, modality: modality_lib.Modality
  ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of (b, h, w, c) pictures, for the search for duplicates.

    Yields:
      The places of their studies, (b,) from 0 to n - 1, and the pictures.
    """
    del modality
    yield from ()

  def described(
    self, modality: modality_lib.Modality
  ) -> Mapping[str, np.ndarray]:
    """By name (n,) float64 numbers or (n,) str or None, for Table 1."""
    del modality
    return {}

  def levels(
    self, fitted: Any, modality: modality_lib.Modality
  ) -> Sequence[Levels]:
    """What cells of columns of names are to models that were fitted.

    Raises:
      UserError: if the data lack what was fitted.
    """
    del fitted, modality
    return ()

  def shape(self, data: modality_lib.Data) -> tuple[int, ...] | None:
    """Of a study's array, which models hold others to; None if they do not."""
    del data
    return None

  def names(self, modality: modality_lib.Modality) -> Mapping[str, np.ndarray]:
    """(n,) float64 by name: what names of files tell; NaN where unknown."""
    del modality
    return {}

  def summary(self, modality: modality_lib.Modality) -> Mapping[str, str]:
    """What a person wants to know first, by its name."""
    del modality
    return {}


def of(modality: modality_lib.Modality) -> Kind:
  """The kind of a modality."""
  return get(modality.kind)


def get(name: str) -> Kind:
  """The kind of that name.

  Raises:
    UserError: for an unknown one.
  """
  return KINDS.build(name)
