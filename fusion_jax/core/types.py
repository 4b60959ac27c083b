"""The values that pass between floors."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp

IMAGE = 'image'
EHR = 'ehr'
# The sides of a fusion by how conditions and scores of reference call them, in
# the order of sentences. A cohort of one image and one record calls its
# modalities so too.
IMAGING, RECORD = 'imaging', 'record'
SIDES = {IMAGE: IMAGING, EHR: RECORD}

BINARY = 'binary'
MULTICLASS = 'multiclass'
MULTILABEL = 'multilabel'
REGRESSION = 'regression'
SURVIVAL = 'survival'
# Numbers that are read: squares of larger ones leave float32.
LARGEST = 1e15
# Arms that one comparison can hold: its memory grows with their square.
MOST_ARMS = 100
# The least and largest weight of a study.
WEIGHTS = (1e-9, 1e9)
TASK_KINDS = (BINARY, MULTICLASS, MULTILABEL, REGRESSION, SURVIVAL)


def called(name: str, modalities: Sequence[str] = ()) -> str:
  """A modality or side in a sentence: 'record', 'ct', 'imaging (ct, pet)'.

  Args:
    name: of a modality, or of a side (SIDES).
    modalities: of the side, where they are known.
  """
  if len(modalities) > 1:
    return f'{SIDES[name]} ({", ".join(modalities)})'
  name = modalities[0] if modalities else name
  return RECORD if name == EHR else name


@dataclasses.dataclass(frozen=True)
class Task:
  """What is predicted for each study.

  Labels are (n, l) float64 arrays with NaN for unknown: binary (n, 1) of 0/1,
  multiclass (n, 1) class codes, multilabel (n, l) of 0/1, regression (n, 1),
  survival (n, 2) of time and event (1 = happened, 0 = censored).

  Scores are (n, s) float64 arrays: binary (n, 1) P(label = 1), multiclass
  (n, k) probabilities, multilabel (n, l) probabilities, regression (n, 1) in
  the label's unit, survival (n, 1) log relative hazard (higher = riskier).

  Attributes:
    kind: one of TASK_KINDS.
    names: binary and regression (label column,); multiclass the class names
      in the order of their codes; multilabel the label names; survival (time
      column, event column).
  """

  kind: str
  names: tuple[str, ...]

  @property
  def num_outputs(self) -> int:
    """Number s of scores, which is also the number of logits."""
    many = self.kind in (MULTICLASS, MULTILABEL)
    return len(self.names) if many else 1

  @property
  def num_labels(self) -> int:
    """Number l of label columns."""
    return {MULTILABEL: len(self.names), SURVIVAL: 2}.get(self.kind, 1)

  @property
  def score_columns(self) -> tuple[str, ...]:
    """Column names of the scores in a predictions table."""
    if self.kind in (MULTICLASS, MULTILABEL):
      return tuple(f'score_{x}' for x in self.names)
    return ('score',)

  @property
  def label_columns(self) -> tuple[str, ...]:
    """Column names of the labels in a predictions table."""
    if self.kind == MULTILABEL:
      return tuple(f'label_{x}' for x in self.names)
    return ('time', 'event') if self.kind == SURVIVAL else ('label',)


@flax.struct.dataclass
class Hidden:
  """What an encoder holds between two of its stages.

  Attributes:
    x: (b, ..., c) channels last.
    mask: bool, over the leading axes of `x`, (b,) at least: which items, such
      as images of a study or steps in time, stand for something observed.
  """

  x: jax.Array
  mask: jax.Array

  @classmethod
  def of_vector(cls, x: jax.Array) -> 'Hidden':
    """Of (b, c) vectors."""
    return cls(x=x, mask=jnp.ones(x.shape[:1], bool))

  def pooled(self) -> jax.Array:
    """(b, c) means over the observed items; 0 where there are none."""
    mask = self.mask.reshape(
      self.mask.shape + (1,) * (self.x.ndim - self.mask.ndim)
    )
    axes = tuple(range(1, self.x.ndim - 1))
    # Not a product: what was not observed may hold anything.
    total = jnp.where(mask, self.x, 0).sum(axes)
    weight = jnp.broadcast_to(mask, (*self.x.shape[:-1], 1)).sum(axes)
    return total / jnp.maximum(weight, 1).astype(total.dtype)


@flax.struct.dataclass
class Features:
  """What an encoder returns.

  Attributes:
    pooled: (b, c) one vector per study.
    tokens: (b, t, c) spatial positions, columns or time steps.
    token_mask: (b, t) True where a token stands for something observed.
  """

  pooled: jax.Array
  tokens: jax.Array
  token_mask: jax.Array

  @classmethod
  def of_vector(cls, pooled: jax.Array) -> 'Features':
    """Features of (b, c) vectors, each its study's only token."""
    mask = jnp.ones((pooled.shape[0], 1), bool)
    return cls(pooled=pooled, tokens=pooled[:, None], token_mask=mask)


@flax.struct.dataclass
class Batch:
  """One batch of b studies, padded rows having weight 0.

  Attributes:
    inputs: by modality, a dict of (b, ...) arrays (see data/preprocess.py).
    present: by modality, (b,) bool: whether the study has it.
    labels: (b, l) float32, zero where unknown.
    label_mask: (b, l) bool, True where known.
    weight: (b,) float32.
    row: (b,) int32 number of the study in its cohort. What is random about a
      study is drawn from it, so that it depends neither on which studies are
      beside it nor on how the batch is sharded.
    features: by modality, encodings to use instead of running the encoder.
    kept: by training method, (b, ...) arrays of its own for each study.
  """

  inputs: dict[str, Any]
  present: dict[str, jax.Array]
  labels: jax.Array
  label_mask: jax.Array
  weight: jax.Array
  row: jax.Array
  features: dict[str, Features] = flax.struct.field(default_factory=dict)
  kept: dict[str, Any] = flax.struct.field(default_factory=dict)
