"""Vectors: features or embeddings that something else has made."""

import dataclasses

import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import kind
from fusion_jax.data import modality as modality_lib

NAME = 'vector'
# Standardised values are held within this many standard deviations.
CLIP = 10.0


@dataclasses.dataclass(frozen=True, eq=False)
class Data(modality_lib.Data):
  """Vectors of N studies.

  Attributes:
    values: (N, c) float32, rows of NaN where a study has none.
  """

  values: np.ndarray = modality_lib.by_study()

  @property
  def present(self) -> np.ndarray:
    """(N,) bool: whether there is a vector."""
    return ~np.isnan(self.values).any(axis=1)

  def check(self, name: str, n: int) -> None:
    """Likewise; and that values are all there or all missing."""
    if self.values.ndim != 2:
      raise errors.UserError(
        f"Modality '{name}': vectors have shape {self.values.shape}, expected "
        '(n, c).'
      )
    super().check(name, n)
    gaps = np.isnan(self.values)
    partly = np.flatnonzero(gaps.any(axis=1) & ~gaps.all(axis=1))
    if len(partly):
      raise errors.UserError(
        f"Modality '{name}': {len(partly)} vectors are NaN in some places only "
        f'(row {partly[0]}). A missing vector is NaN throughout.'
      )
    if np.isinf(self.values).any():
      raise errors.UserError(f"Modality '{name}': a vector holds infinity.")


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
  """What is learnt from the training part.

  Attributes:
    mean: (c,) float32.
    std: (c,) float32, 1 where nothing varies.
  """

  mean: np.ndarray
  std: np.ndarray


class Vector(kind.Kind):
  """Vectors, standardised by place."""

  name = NAME
  side = modality_lib.RECORD
  data = Data
  fitted = Fitted

  def fit(self, modality, rows, config) -> Fitted:
    del config
    x = values(modality)[rows].astype(np.float64)
    x = x[~np.isnan(x).any(axis=1)]
    if not len(x):
      x = np.zeros((1, x.shape[1]))
    mean, std = x.mean(axis=0), x.std(axis=0)
    std = np.where(std > 1e-6 * (1 + abs(mean)), std, 1.0)
    return Fitted(mean.astype(np.float32), std.astype(np.float32))

  def derived(self, fitted, data):
    """'vector' (N, c) float32, standardised, 0 where there is none."""
    return {'vector': _standardise(fitted, data.values)}

  def inputs(self, constants, values):
    """'vector' (b, c)."""
    del constants
    return dict(values)

  def columns(self, fitted, reduction, modality, learner) -> kind.Columns:
    """Its places, standardised for LINEAR and as they are for TREES."""
    del reduction
    x = values(modality)
    c = len(fitted.mean)
    if learner == kind.LINEAR:
      x = _standardise(fitted, x)
    else:
      _check_width(fitted, x)
    return kind.Columns.of(x, [f'place {i + 1}' for i in range(c)])

  def noise(self, modality, rows, pool, rng) -> Data:
    """Each place drawn on its own from the vectors of `pool`."""
    x = np.array(values(modality))
    pool, out = pool[modality.present[pool]], x[rows]
    here = ~np.isnan(out).any(axis=1)
    for j in range(x.shape[1]) if len(pool) else ():
      out[here, j] = x[rng.choice(pool, int(here.sum())), j]
    return dataclasses.replace(modality.data, values=out)

  def shape(self, data):
    return data.values.shape[1:]

  def summary(self, modality):
    """How many vectors there are, and how long they are."""
    here = int(modality.present.sum())
    width = modality.data.values.shape[1]
    return {'vectors': f'{here} of {width} numbers'}


@kind.KINDS.register(NAME, summary='given features or embeddings')
def vector() -> Vector:
  """Embeddings of notes, radiomics, features of a foundation model."""
  return Vector()


def values(modality: modality_lib.Modality) -> np.ndarray:
  """(n, c), NaN where a study shows none."""
  x = modality.given(modality.data.values)
  if modality.present.all():
    return x
  return np.where(modality.present[:, None], x, np.nan)


def _check_width(fitted, x) -> None:
  if x.shape[1] != len(fitted.mean):
    raise errors.UserError(
      f'The cohort has vectors of {x.shape[1]} numbers, but the training '
      f'vectors had {len(fitted.mean)}.'
    )


def _standardise(fitted, x) -> np.ndarray:
  _check_width(fitted, x)
  x = np.clip((x - fitted.mean) / fitted.std, -CLIP, CLIP)
  return np.nan_to_num(x).astype(np.float32)
