"""The neural learner: fits, applies and encodes with fleets of models."""

import dataclasses
import functools
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import flax
import jax
import numpy as np
import optax

from fusion_jax.core import errors, types
from fusion_jax.fusion import model as models
from fusion_jax.parallel import config as parallel_config
from fusion_jax.parallel import memory
from fusion_jax.parallel import strategy as strategies
from fusion_jax.training import (
  augment,
  batches,
  fleet,
  loop,
  optimizers,
  pretrained,
  protocol,
  resume,
  running,
  tasks,
)
from fusion_jax.training import config as training_config
from fusion_jax.training import feed as feeds
from fusion_jax.training import step as step_lib

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
  and compilation is part of `seconds`. `sizes` are numbers of members of the
  programs that trained them, in turn.
  """

  fitted: list[FittedNeural]
  seconds: float
  compile_seconds: float
  sizes: tuple[int, ...]


def _programs(model_config, task, training, cohort, strategy):
  axis = strategy.axis_name
  return fleet.Programs(
    model=models.create_model(
      model_config, task, axis_name=axis, remat=training.remat
    ),
    task=task,
    optimizer=optimizers.create_optimizer(
      optimizer=training.optimizer,
      clip_norm=training.clip_norm,
      groups=training.groups,
    ),
    config=training,
    methods=protocol.create_methods(
      training.methods, task=task, modalities=model_config.modalities
    ),
    augment=augment.of_batches(training, free=batches.free(cohort)),
    map_members=strategy.map_members,
    collective=tasks.over_axis(axis) if axis else tasks.LOCAL,
  )


def begin(
  *,
  model_config: models.ModelConfig,
  task: types.Task,
  data: batches.FleetData,
  members: Sequence[Member],
  config: training_config.TrainingConfig,
  parallel: parallel_config.ParallelConfig,
  tell: Callable[[str], None] | None = None,
) -> tuple[running.Running | loop.Loop, feeds.Feed]:
  """What trains the members, not started yet, and what it feeds them.

  The arguments are those of `fit_fleet`.
  """
  resident = batches.make_resident(data)
  parallel, line = memory.decided(parallel, resident.nbytes)
  if line and tell:
    tell(line)
  strategy = strategies.create_strategy(parallel, members=len(members))
  padded = running.padded(members, strategy.member_multiple)
  feed = feeds.Feed(data.cohort, task, padded, config, strategy.batch_multiple)
  streamed = parallel.feed == memory.STREAM
  going = (loop.Loop if streamed else running.Running)(
    programs=_programs(model_config, task, config, data.cohort, strategy),
    strategy=strategy,
    feed=feed,
    resident=resident if streamed else strategy.place_shared(resident),
    numbers={
      'seed': np.array([m.seed for m in padded], np.uint32),
      'source': np.array([m.source for m in padded], np.int32),
      'steps': np.array(feed.steps, np.int32),
      'epochs': np.array(feed.epochs, np.int32),
      'patience': np.array(feed.patience, np.int32),
      'learning_rate': _numbers(padded, 'learning_rate', config),
      'weight_decay': _numbers(padded, 'weight_decay', config),
    },
    members=len(members),
  )
  return going, feed


def fit_fleet(
  *,
  model_config: models.ModelConfig,
  task: types.Task,
  data: batches.FleetData,
  members: Sequence[Member],
  config: training_config.TrainingConfig,
  parallel: parallel_config.ParallelConfig,
  on_epoch: EpochCallback | None = None,
  folder: str | os.PathLike | None = None,
  tell: Callable[[str], None] | None = None,
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
    folder: of this fit alone, where it is kept every `config.save_minutes`,
      `config.save_steps` and `config.save_epochs`. A fit that finds the
      progress of the very same fit there goes on from it. Whoever has kept the
      models removes the folder.
    tell: given a line where the cohort is streamed because it is too large, or
      progress cannot be used.
  """
  start = time.perf_counter()
  going, feed = begin(
    model_config=model_config,
    task=task,
    data=data,
    members=members,
    config=config,
    parallel=parallel,
    tell=tell,
  )
  saver = None
  if folder is not None:
    saver = resume.Saver(
      folder,
      key=_fingerprint(model_config, task, data, members, config),
      epochs=config.save_epochs,
      steps=config.save_steps,
      minutes=config.save_minutes,
      tell=tell,
    )
  history: list[list[tuple[float, float]]] = [[] for _ in members]
  before, begun = 0, 0
  saved = saver.load(going.shapes()) if saver else None
  if saved:
    history, before, begun = saved.history, saved.epoch, saved.step
    going.restore(saved.states, saved.places)
  else:
    # Without the axis of members.
    alone = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype),
      going.shapes().train.used,
    )
    going.start(_weights(config.init, alone))

  def save(epoch, step):
    saver.save(
      resume.Progress(going.host(), going.places, epoch, history, step)
    )

  most = max(feed.epochs)
  for epoch in range(before + 1, most + 1):
    resting = going.stopped()
    if resting.all():
      break
    taken = (epoch - 1) * feed.longest
    for step in going.train(epoch, begun):
      inside = step < feed.longest
      if saver and inside and saver.due(steps=taken + step):
        save(epoch - 1, step)
    begun = 0
    train_loss, valid_loss, stopped = going.judge()
    for k in np.flatnonzero(~resting):
      history[k].append((float(train_loss[k]), float(valid_loss[k])))
    going.compact()
    if saver and saver.due(steps=taken + feed.longest, epoch=epoch):
      save(epoch, 0)
    if on_epoch:
      on_epoch(epoch, most, train_loss, valid_loss, stopped)
  host = going.host()
  fitted = [
    _fitted(host, k, data.sources[m.source], history[k], feed.steps[k])
    for k, m in enumerate(members)
  ]
  if task.kind == types.SURVIVAL:
    fitted = _centred(fitted, members, model_config, task, data, parallel)
  seconds = time.perf_counter() - start - going.compile_seconds
  return FleetResult(fitted, seconds, going.compile_seconds, tuple(going.sizes))


def _weights(init, variables) -> dict[str, Any] | None:
  """What encoders start from, by collection and module; None if nothing.

  Args:
    init: see `TrainingConfig`.
    variables: of a model, by collection, or their shapes.
  """
  found: dict[str, Any] = {}
  for modality, source in pretrained.parse(init).items():
    name = models.encoder_name(modality)
    own = {k: tree[name] for k, tree in variables.items() if name in tree}
    loaded = pretrained.initial(pretrained.read(source), own)
    for collection, tree in loaded.items():
      found.setdefault(collection, {})[name] = tree
  return found or None


def untrained(
  *,
  model_config: models.ModelConfig,
  task: types.Task,
  data: batches.FleetData,
  config: training_config.TrainingConfig,
) -> FittedNeural:
  """A model whose encoders are as `config.init` has them.

  What has no published weights is drawn from a fixed key. The arguments are
  those of `fit_fleet`.

  Raises:
    UserError: for an encoder of which a part has to be learnt.
  """
  model = models.create_model(model_config, task)
  one = batches.RowPlan(np.zeros(1, np.int32), np.ones(1, np.float32))
  batch = batches.gather(batches.make_resident(data), 0, one)
  variables = jax.jit(model.init)(jax.random.key(0), batch)
  weights = _weights(config.init, variables) or {}
  for module, tree in weights.get('params', {}).items():
    if rest := variables['params'][module].keys() - tree.keys():
      raise errors.UserError(
        f"'{', '.join(sorted(rest))}' of the encoder has no published weights: "
        'take an encoder without it, such as one with pool=mean.'
      )
  own = {
    k: step_lib.with_modules(tree, weights.get(k, {}))
    for k, tree in variables.items()
  }
  own = jax.tree.map(np.asarray, own)
  params = own.pop('params')
  return FittedNeural(
    params=params,
    collections=own,
    label_mean=0.0,
    label_std=1.0,
    epochs=0,
    best_epoch=0,
    valid_loss=float('nan'),
    history=(),
    failure='',
    parameters=sum(x.size for x in jax.tree.leaves(params)),
  )


def _fingerprint(model_config, task, data, members, config) -> str:
  """Of all that the parameters of a fleet follow from."""
  # How often it is saved is not among it.
  config = dataclasses.replace(
    config, save_epochs=0, save_steps=0, save_minutes=0.0
  )
  return resume.fingerprint(
    (repr(model_config), repr(task), repr(config), data.cohort.digest),
    (jax.__version__, flax.__version__, optax.__version__),
    [
      ([p.arrays for p in s.parts.values()], s.label_mean, s.label_std)
      for s in data.sources
    ],
    [dataclasses.asdict(m) for m in members],
  )


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
  """Runs the per-study program that `run` gives of each model's own rows."""
  resident = batches.make_resident(data)
  parallel, _ = memory.decided(parallel, resident.nbytes)
  strategy = strategies.create_strategy(parallel, members=len(fitted))
  training = training_config.TrainingConfig()
  programs = _programs(model_config, task, training, data.cohort, strategy)
  if parallel.feed == memory.STREAM:
    return loop.apply(
      run(programs),
      strategy=strategy,
      resident=resident,
      variables=[f.variables for f in fitted],
      sources=sources,
      rows=rows,
    )
  multiple = strategy.member_multiple
  all_rows = running.padded(rows, multiple)
  plan = feeds.evaluation_plan(
    all_rows, [np.ones(len(r)) for r in all_rows], strategy.batch_multiple
  )
  members = {
    'variables': jax.tree.map(
      lambda *x: np.stack(x),
      *running.padded([f.variables for f in fitted], multiple),
    ),
    'source': np.array(running.padded(sources, multiple), np.int32),
  }
  segment = fleet.Segment(
    strategy.place_shared(resident),
    np.int32(0),
    np.int32(plan.rows.shape[1]),
  )
  program = run(programs)
  compiled = strategy.compile(program, members, segment, plan, per_study=True)
  result = np.asarray(compiled(members, segment, plan))
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
  modality: str,
) -> list[np.ndarray]:
  """Pooled (len(rows), c) features of `modality`, for each model."""
  return _apply(
    lambda programs: functools.partial(programs.encode, modality=modality),
    model_config=model_config,
    task=task,
    data=data,
    fitted=fitted,
    sources=sources,
    rows=rows,
    parallel=parallel,
  )
