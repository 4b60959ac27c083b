"""The neural learner: fits, applies and encodes with fleets of models."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from concurrent import futures
from typing import Any

import jax
import numpy as np

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.parallel import config as parallel_config
from fusion_jax.parallel import strategy as strategies
from fusion_jax.training import augment, batches, fleet, optimizers, tasks
from fusion_jax.training import config as training_config

EVALUATION_BATCH = 64

EpochCallback = Callable[[int, int, np.ndarray, np.ndarray, np.ndarray], None]


@dataclasses.dataclass(frozen=True)
class Member:
  """One model of a fleet.

  Attributes:
    train: rows of the cohort it is trained on; each has a known label and one
      of the model's modalities.
    valid: rows that decide when it stops, likewise.
    seed: everything random about it follows from this.
    source: which of `FleetData.sources` it reads.
    learning_rate: peak rate; None for the configured one.
    weight_decay: None for the configured one.
  """

  train: np.ndarray
  valid: np.ndarray
  seed: int
  source: int = 0
  learning_rate: float | None = None
  weight_decay: float | None = None


@dataclasses.dataclass(frozen=True)
class FittedNeural:
  """A trained model, on the host.

  Attributes:
    params: the averaged ones with the lowest validation loss.
    collections: by name, the model's other variables at that epoch, such as
      'batch_stats'; averaged likewise, and mostly empty.
    label_mean: what is added to logits: of the training labels (regression),
      less the median training log hazard (survival), otherwise 0.
    label_std: of the training labels (regression; otherwise 1).
    epochs: most epochs that it was given.
    best_epoch: the epoch after which they were reached, from 1.
    valid_loss: the loss they reach.
    history: per epoch, the training and the validation loss.
    failure: why training failed; empty if it did not.
    parameters: number of scalars in `params`.
  """

  params: Any
  label_mean: float
  label_std: float
  epochs: int
  best_epoch: int
  valid_loss: float
  history: tuple[tuple[float, float], ...]
  failure: str
  parameters: int
  collections: dict[str, Any] = dataclasses.field(default_factory=dict)

  @property
  def variables(self) -> dict[str, Any]:
    """All that the model is applied with."""
    return {'params': self.params, **self.collections}


@dataclasses.dataclass(frozen=True)
class FleetResult:
  """What fitting a fleet gives: models, and what they cost in seconds.

  Under pmap, which compiles at the first call, `compile_seconds` is about 0
  and compilation is part of `seconds`.
  """

  fitted: list[FittedNeural]
  seconds: float
  compile_seconds: float


def _programs(model_config, task, training, cohort, strategy):
  axis = strategy.axis_name
  return fleet.Programs(
    model=models.create_model(model_config, task, axis_name=axis),
    task=task,
    optimizer=optimizers.create_optimizer(config=training),
    config=training,
    augment=augment.of_batches(
      training, orientation_free=cohort.orientation_free
    ),
    map_members=strategy.map_members,
    collective=tasks.over_axis(axis) if axis else tasks.LOCAL,
  )


def _pad_members(items: Sequence[Any], multiple: int) -> list[Any]:
  items = list(items)
  # A loop over one member would be unrolled, compiled differently and give
  # results that differ in the last bit from those of a whole fleet.
  size = max(len(items), 2)
  size += -size % multiple
  return items + [items[-1]] * (size - len(items))


def _row_plan(
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


def _round_up(n: int, multiple: int) -> int:
  return -(-n // multiple) * multiple


def _weights(cohort, task, rows, class_balance: str) -> np.ndarray:
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


class _Feed:
  """Plans of the rows that each epoch feeds to the members of a fleet."""

  def __init__(self, cohort, task, members, training, multiple):
    self._members = members
    self._train = [m.train for m in members]
    balance = training.class_balance
    self._weights = [_weights(cohort, task, r, balance) for r in self._train]
    self._size = training.batch_size
    self._width = _round_up(self._size, multiple)
    self.steps = [max(1, len(r) // self._size) for r in self._train]
    # By member, so that none depends on which others are trained beside it.
    self.epochs, self.patience = zip(
      *(training_config.epochs_and_patience(training, s) for s in self.steps),
      strict=True,
    )
    valid = [m.valid for m in members]
    self.valid = _evaluation_plan(
      valid, [_weights(cohort, task, r, 'none') for r in valid], multiple
    )

  def first(self) -> batches.RowPlan:
    return self._plan(self._train, self._weights, steps=1)

  def epoch(self, epoch: int) -> fleet.EpochPlan:
    rows, weights = [], []
    for m, r, w in zip(self._members, self._train, self._weights, strict=True):
      order = np.random.default_rng([m.seed, epoch]).permutation(len(r))
      rows.append(r[order])
      weights.append(w[order])
    train = self._plan(rows, weights, steps=max(self.steps))
    return fleet.EpochPlan(train=train, valid=self.valid)

  def _plan(self, rows, weights, *, steps):
    return _row_plan(
      rows, weights, size=self._size, steps=steps, width=self._width
    )


def _evaluation_plan(rows, weights, multiple) -> batches.RowPlan:
  size = _round_up(EVALUATION_BATCH, multiple)
  steps = max(1, -(-max(len(r) for r in rows) // size))
  return _row_plan(rows, weights, size=size, steps=steps, width=size)


def fit_fleet(
  *,
  model_config: models.ModelConfig,
  task: types.Task,
  data: batches.FleetData,
  members: Sequence[Member],
  config: training_config.TrainingConfig,
  parallel: parallel_config.ParallelConfig,
  on_epoch: EpochCallback | None = None,
) -> FleetResult:
  """Trains all members with one compiled program.

  Args:
    model_config: the architecture, the same for all.
    task: what is predicted.
    data: the cohort, and the sources members read.
    members: what differs between the models.
    config: of the training.
    parallel: which devices, and how.
    on_epoch: called after each epoch with its number (from 1), the most that
      there can be, and (m,) arrays of training losses, validation losses and
      whether a member has stopped.
  """
  start = time.perf_counter()
  strategy = strategies.create_strategy(parallel, members=len(members))
  programs = _programs(model_config, task, config, data.cohort, strategy)
  real = len(members)
  padded = _pad_members(members, strategy.member_multiple)
  feed = _Feed(
    data.cohort,
    task,
    padded,
    config,
    strategy.batch_multiple,
  )
  resident = strategy.place_shared(batches.make_resident(data))
  numbers = {
    'seed': np.array([m.seed for m in padded], np.uint32),
    'source': np.array([m.source for m in padded], np.int32),
    'steps': np.array(feed.steps, np.int32),
    'epochs': np.array(feed.epochs, np.int32),
    'patience': np.array(feed.patience, np.int32),
    'learning_rate': _numbers(padded, 'learning_rate', config),
    'weight_decay': _numbers(padded, 'weight_decay', config),
  }
  first, plan = feed.first(), feed.epoch(1)
  compiling = time.perf_counter()
  # Side by side, since compiling a program keeps about one core busy.
  with futures.ThreadPoolExecutor() as pool:
    starting = pool.submit(
      strategy.compile, programs.initialise, numbers, resident, first
    )
    shapes = jax.eval_shape(programs.initialise, numbers, resident, first)
    running = pool.submit(
      strategy.compile, programs.epoch, shapes, resident, plan, donate=True
    )
    initialise, run_epoch = starting.result(), running.result()
  compile_seconds = time.perf_counter() - compiling
  states = initialise(numbers, resident, first)
  history: list[list[tuple[float, float]]] = [[] for _ in range(real)]
  for epoch in range(1, max(feed.epochs) + 1):
    plan = feed.epoch(epoch)
    states, losses = run_epoch(states, resident, plan)
    train_loss, valid_loss = (np.asarray(x)[:real] for x in losses)
    stopped = np.asarray(states.stopped)[:real]
    for k in range(real):
      # A member that had already stopped reports NaN losses: not an epoch.
      if int(states.epoch[k]) == epoch:
        history[k].append((float(train_loss[k]), float(valid_loss[k])))
    if on_epoch:
      on_epoch(epoch, max(feed.epochs), train_loss, valid_loss, stopped)
    if stopped.all():
      break
  host = jax.device_get(states)
  fitted = [
    _fitted(host, k, data.sources[members[k].source], history[k], feed.steps[k])
    for k in range(real)
  ]
  if task.kind == types.SURVIVAL:
    fitted = _centred(fitted, members, model_config, task, data, parallel)
  seconds = time.perf_counter() - start - compile_seconds
  return FleetResult(fitted, seconds, compile_seconds)


def _centred(fitted, members, model_config, task, data, parallel):
  """Models whose median training log hazard is 0.

  The partial likelihood leaves the level open; 0 is what a study without the
  model's modality is given.
  """
  logits = predict_fleet(
    model_config=model_config,
    task=task,
    data=data,
    fitted=fitted,
    sources=[m.source for m in members],
    rows=[m.train for m in members],
    parallel=parallel,
  )
  return [
    dataclasses.replace(f, label_mean=-float(np.median(x)))
    for f, x in zip(fitted, logits, strict=True)
  ]


def _numbers(members, name, config) -> np.ndarray:
  default = getattr(config, name)
  values = [getattr(m, name) for m in members]
  return np.array([default if v is None else v for v in values], np.float32)


def _fitted(states, k, source, history, steps) -> FittedNeural:
  best = jax.tree.map(lambda x: np.asarray(x[k]), states.best)
  params = best.pop('params')
  failure = ''
  failed_step = int(states.failed_step[k])
  if failed_step:
    epoch, at = divmod(failed_step - 1, steps)
    failure = f'loss is not finite at epoch {epoch + 1}, step {at + 1}'
  return FittedNeural(
    params=params,
    collections=best,
    label_mean=source.label_mean,
    label_std=source.label_std,
    epochs=int(states.epochs[k]),
    best_epoch=int(states.best_epoch[k]),
    valid_loss=float(states.best_loss[k]),
    history=tuple(history),
    failure=failure,
    parameters=sum(x.size for x in jax.tree.leaves(params)),
  )


def _apply(run, *, model_config, task, data, fitted, sources, rows, parallel):
  """Runs a per-study program of each model on its own rows."""
  strategy = strategies.create_strategy(parallel, members=len(fitted))
  training = training_config.TrainingConfig()
  programs = _programs(model_config, task, training, data.cohort, strategy)
  multiple = strategy.member_multiple
  all_rows = _pad_members(rows, multiple)
  plan = _evaluation_plan(
    all_rows, [np.ones(len(r)) for r in all_rows], strategy.batch_multiple
  )
  members = {
    'variables': jax.tree.map(
      lambda *x: np.stack(x),
      *_pad_members([f.variables for f in fitted], multiple),
    ),
    'source': np.array(_pad_members(sources, multiple), np.int32),
  }
  resident = strategy.place_shared(batches.make_resident(data))
  program = run(programs)
  compiled = strategy.compile(program, members, resident, plan, per_study=True)
  result = np.asarray(compiled(members, resident, plan))
  flat = result.reshape(len(all_rows), -1, result.shape[-1])  # (m, s b, .)
  return [flat[k, : len(r)] for k, r in enumerate(rows)]


def predict_fleet(
  *,
  model_config: models.ModelConfig,
  task: types.Task,
  data: batches.FleetData,
  fitted: Sequence[FittedNeural],
  sources: Sequence[int],
  rows: Sequence[np.ndarray],
  parallel: parallel_config.ParallelConfig,
) -> list[np.ndarray]:
  """Logits of each model on its own rows.

  Returns, for each model, (len(rows), s) float64 in the task's unit.
  """
  logits = _apply(
    lambda programs: programs.predict,
    model_config=model_config,
    task=task,
    data=data,
    fitted=fitted,
    sources=sources,
    rows=rows,
    parallel=parallel,
  )
  return [
    x.astype(np.float64) * f.label_std + f.label_mean
    for x, f in zip(logits, fitted, strict=True)
  ]


def encode_fleet(
  *,
  model_config: models.ModelConfig,
  task: types.Task,
  data: batches.FleetData,
  fitted: Sequence[FittedNeural],
  sources: Sequence[int],
  rows: Sequence[np.ndarray],
  parallel: parallel_config.ParallelConfig,
  modality: str = types.IMAGE,
) -> list[np.ndarray]:
  """Pooled (len(rows), c) features of `modality`, for each model."""

  def run(programs):
    def encode(members, shared, plan):
      return programs.encode(members, shared, plan, modality=modality)

    return encode

  return _apply(
    run,
    model_config=model_config,
    task=task,
    data=data,
    fitted=fitted,
    sources=sources,
    rows=rows,
    parallel=parallel,
  )
