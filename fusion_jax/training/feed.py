"""Which rows are fed to the members of a fleet, and in which order."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.data import cohort as cohorts
from fusion_jax.training import batches
from fusion_jax.training import config as training_config

EVALUATION_BATCH = 64
# Most batches of a segment: a fit can be saved between two of them, and each is
# one call of a program.
SEGMENT = 64


def round_up(n: int, multiple: int) -> int:
  """The least multiple that is not less than `n`."""
  return -(-n // multiple) * multiple


def row_plan(
  rows: Sequence[np.ndarray],
  weights: Sequence[np.ndarray],
  *,
  size: int,
  steps: int,
  width: int,
) -> batches.RowPlan:
  """Cuts each member's rows into `steps` batches of `size`, padded to `width`.

  Rows beyond `steps * size` are left out; what is short is padding.
  """
  shape = (len(rows), steps, width)
  plan_rows = np.zeros(shape, np.int32)
  plan_weights = np.zeros(shape, np.float32)
  for k, (r, w) in enumerate(zip(rows, weights, strict=True)):
    r, w = r[: steps * size], w[: steps * size]
    for target, values in ((plan_rows, r), (plan_weights, w)):
      padded = np.zeros(steps * size, target.dtype)
      padded[: len(values)] = values
      target[k, :, :size] = padded.reshape(steps, size)
  return batches.RowPlan(rows=plan_rows, weight=plan_weights)


def evaluation_plan(
  rows: Sequence[np.ndarray], weights: Sequence[np.ndarray], multiple: int
) -> batches.RowPlan:
  """All rows of each member in order, in batches of a multiple."""
  size = round_up(EVALUATION_BATCH, multiple)
  steps = max(1, -(-max(len(r) for r in rows) // size))
  return row_plan(rows, weights, size=size, steps=steps, width=size)


def even(steps: int, most: int) -> int:
  """Batches of the longest of so few segments that none has more than `most`.

  They are cut alike, so that the last one is not mostly padding.
  """
  return -(-steps // -(-steps // max(1, most)))


def cuts(
  steps: int, length: int, *, start: int = 0, every: int = 0, before: int = 0
) -> list[tuple[int, int]]:
  """First batch and number of batches of the segments of an epoch.

  Args:
    steps: batches of the epoch.
    length: most of a segment.
    start: those that were fed already.
    every: segments also end where this divides the steps of all epochs; 0 for
      nowhere.
    before: steps in the epochs before.
  """
  found = []
  while start < steps:
    end = min(start + length, steps)
    if every:
      end = min(end, start + every - (before + start) % every)
    found.append((start, end - start))
    start = end
  return found


def part(
  plan: batches.RowPlan, start: int, count: int, length: int
) -> batches.RowPlan:
  """Batches `start` to `start + count` of (m, s, b), padded to `length`."""

  def one(x):
    out = np.zeros((x.shape[0], length, *x.shape[2:]), x.dtype)
    own = x[:, start : start + count]
    out[:, : own.shape[1]] = own
    return out

  return batches.RowPlan(rows=one(plan.rows), weight=one(plan.weight))


def weights_of(
  cohort: cohorts.Cohort,
  task: types.Task,
  rows: np.ndarray,
  class_balance: str,
) -> np.ndarray:
  """(len(rows),) training weights."""
  weight = np.ones(len(cohort)) if cohort.weight is None else cohort.weight
  weight = np.asarray(weight, np.float64)[rows]
  if class_balance == 'balanced' and task.kind in (
    types.BINARY,
    types.MULTICLASS,
  ):
    codes = cohort.labels[rows, 0].astype(int)
    counts = np.bincount(codes, weights=weight, minlength=2)
    share = counts[codes] / counts.sum()
    weight = weight / (share * np.count_nonzero(counts))
  return weight


class Feed:
  """Plans of the rows that each epoch feeds to some members of a fleet.

  Attributes:
    steps: by member, those of one of its epochs.
    longest: the most of any member.
    epochs: by member, the most it is given.
    patience: by member, epochs without a lower validation loss.
  """

  def __init__(
    self,
    cohort: cohorts.Cohort,
    task: types.Task,
    members: Sequence[Any],
    training: training_config.TrainingConfig,
    multiple: int,
  ):
    """Of members with `train` and `valid` rows and a `seed`.

    Batches are padded to `multiple`, so that they can be cut over devices.
    """
    self._members = members
    self._multiple = multiple
    balance = training.class_balance
    self._weights = [
      weights_of(cohort, task, m.train, balance) for m in members
    ]
    self._valid_weights = [
      weights_of(cohort, task, m.valid, 'none') for m in members
    ]
    self._size = training.batch_size
    # Every shard is cut into the same number of parts.
    self._width = round_up(self._size, multiple * training.accumulate)
    self.steps = [max(1, len(m.train) // self._size) for m in members]
    self._every = training.save_steps
    # By member, so that none depends on which others are trained beside it.
    self.epochs, self.patience = zip(
      *(training_config.epochs_and_patience(training, s) for s in self.steps),
      strict=True,
    )

  def first(self) -> batches.RowPlan:
    """One batch of every member."""
    rows = [m.train for m in self._members]
    return self._plan(rows, self._weights, steps=1)

  @property
  def longest(self) -> int:
    """Steps in an epoch of the member that has most."""
    return max(self.steps)

  def length(self, most: int | None = None) -> int:
    """Batches of the longest segment, where none may have more than `most`."""
    limits = [x for x in (SEGMENT, most, self._every) if x]
    return even(self.longest, min(limits))

  def cuts(
    self, epoch: int, length: int, start: int = 0
  ) -> list[tuple[int, int]]:
    """Segments of epoch `epoch`, from 1, after the first `start` steps."""
    return cuts(
      self.longest,
      length,
      start=start,
      every=self._every,
      before=(epoch - 1) * self.longest,
    )

  def train(self, epoch: int, which: Sequence[int]) -> batches.RowPlan:
    """What epoch `epoch`, from 1, feeds to the members `which`.

    The order of a member's rows follows from its seed and the epoch alone.
    """
    rows, weights = [], []
    for k in which:
      m = self._members[k]
      order = np.random.default_rng([m.seed, epoch]).permutation(len(m.train))
      rows.append(m.train[order])
      weights.append(self._weights[k][order])
    return self._plan(rows, weights, steps=max(self.steps[k] for k in which))

  def valid(self, which: Sequence[int]) -> batches.RowPlan:
    """The validation rows of the members `which`, after every epoch."""
    return evaluation_plan(
      [self._members[k].valid for k in which],
      [self._valid_weights[k] for k in which],
      self._multiple,
    )

  def _plan(self, rows, weights, *, steps):
    return row_plan(
      rows, weights, size=self._size, steps=steps, width=self._width
    )
