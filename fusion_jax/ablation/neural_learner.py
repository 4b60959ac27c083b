"""Neural arms: fleets of fusion models."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import typing
from collections.abc import Sequence

import jax
import numpy as np

from fusion_jax.ablation import learner, views
from fusion_jax.ablation import rows as rows_lib
from fusion_jax.core import errors, links, spec, types
from fusion_jax.data import preprocess
from fusion_jax.encoders import protocol
from fusion_jax.fusion import model as models
from fusion_jax.fusion import protocol as fusion_protocol
from fusion_jax.training import (
  batches,
  checkpoints,
  neural,
  optimizers,
  pretrained,
)
from fusion_jax.training import config as training_config
from fusion_jax.training import protocol as training_protocol

if typing.TYPE_CHECKING:
  from fusion_jax.ablation import arm as arm_lib

# The share of the whole fall of the validation loss that is much for the last
# tenth of training.
_MUCH = 0.05


class Neural(learner.Learner):
  """Fleets of fusion models."""

  fleet = True
  random = True
  encodes = True
  group = 'training'
  settings = tuple(
    f.name
    for f in dataclasses.fields(training_config.TrainingConfig)
    # How often a fleet is kept changes nothing it learns.
    if not f.name.startswith('save_')
  )
  parts = {
    'optimizer': optimizers.OPTIMIZERS,
    'schedule': optimizers.SCHEDULES,
    'methods': training_protocol.METHODS,
  }
  space = {'learning_rate': ('scale', 4.0), 'weight_decay': ('scale', 10.0)}
  # The array packages reduce its pixels.
  packages = ('jax', 'jaxlib', 'flax', 'optax', *learner.Learner.packages)
  record = 'numbers, indicators and codes'

  def __init__(self, arm, task, training, parallel):
    super().__init__(arm, task)
    # Of other modalities, and of those that others encode, it has no encoder.
    self._training = dataclasses.replace(
      training, init=tuple(init_of(arm, training))
    )
    self._parallel = parallel

  def model_config(self, inputs: learner.Inputs) -> models.ModelConfig:
    """What its models are made of."""
    encoders = {
      m: models.EncoderConfig(
        views.encoder_kind(x), x.encoder, views.given(m, x, inputs)
      )
      for m, x in self.arm.inputs.items()
    }
    # Given features need no gradient either way; this says what the arm is.
    return models.ModelConfig(
      tuple(encoders.items()),
      self.arm.combiner,
      tuple(m for m, x in self.arm.inputs.items() if x.view == views.FEATURES),
      tuple(sorted(self.arm.exchanges.items())),
    )

  @classmethod
  def reads(cls, x):
    return x.view in (views.RAW, *views.VECTORS)

  @classmethod
  def claims(cls, arm):
    combiner = fusion_protocol.COMBINERS.get(spec.parse(arm.combiner).name)
    parts = [
      protocol.encoders(views.encoder_kind(x)).get(spec.parse(x.encoder).name)
      for x in arm.inputs.values()
    ]
    exchanges = [
      fusion_protocol.EXCHANGES.get(spec.parse(x).name)
      for x in arm.exchanges.values()
    ]
    tasks = set(types.TASK_KINDS)
    for part in (combiner, *exchanges, *parts):
      tasks &= set(part.claims.get('tasks', types.TASK_KINDS))
    interactions = combiner.claims.get('interactions', False) or any(
      x.claims.get('interactions', True) for x in exchanges
    )
    return tasks, interactions, 'indicator'

  def source(
    self,
    inputs: learner.Inputs,
    half: int,
    modalities: Sequence[str] | None = None,
  ) -> batches.Source:
    """What the model of a half sees of the cohort.

    `modalities` are those wanted, all of the arm's if None.
    """
    wanted = self.arm.modalities if modalities is None else modalities
    parts = {
      m: views.of_network(m, self.arm.inputs[m], inputs, half) for m in wanted
    }
    for m, source in pretrained.parse(self._training.init).items():
      if m in parts:
        parts[m] = _scaled(m, parts[m], source)
    return batches.Source(parts)

  def _data(self, pairs) -> tuple[batches.FleetData, list[int]]:
    """The distinct sources of (inputs, half) pairs, and each pair's number."""
    number: dict[tuple, int] = {}
    sources, places = [], []
    for inputs, half in pairs:
      features = (
        id(views.encoded(m, inputs, half)) for m in self.arm.second_stage
      )
      key = (id(inputs.fitted), *features)
      if key not in number:
        number[key] = len(sources)
        sources.append(self.source(inputs, half))
      places.append(number[key])
    return batches.FleetData(pairs[0][0].cohort, tuple(sources)), places

  def fit(self, jobs, on_epoch=None):
    rows = [learner.model_rows(self.arm, job) for job in jobs]
    pairs = [
      (job.inputs, h)
      for job, r in zip(jobs, rows, strict=True)
      for h in range(len(r))
    ]
    data, places = self._data(pairs)
    data = self._standardise_labels(data, places, jobs, rows)
    members = []
    for job, parts in zip(jobs, rows, strict=True):
      for half, train in enumerate(parts):
        members.append(
          neural.Member(
            train=train,
            valid=rows_lib.usable(self.arm, data.cohort, job.split.valid),
            seed=(job.seed + half) % 2**31,
            source=places[len(members)],
            **job.hyper,
          )
        )

    def report(epoch, epochs, train_loss, valid_loss, stopped):
      del train_loss, stopped
      seen = valid_loss[np.isfinite(valid_loss)]
      mean = float(seen.mean()) if len(seen) else float('nan')
      on_epoch(epoch, epochs, mean)

    fitted: dict[int, neural.FittedNeural] = {}
    seconds = np.zeros(2)
    fleets = _fleets(data, places)
    for number, (at, alike, own) in enumerate(fleets):
      folder = self.folder
      if folder and len(fleets) > 1:
        folder = pathlib.Path(folder) / f'fleet-{number}'
      result = neural.fit_fleet(
        model_config=self.model_config(jobs[0].inputs),
        task=self.task,
        data=alike,
        members=[
          dataclasses.replace(members[k], source=s)
          for k, s in zip(at, own, strict=True)
        ],
        config=self._training,
        parallel=self._parallel,
        on_epoch=report if on_epoch else None,
        folder=folder,
        tell=self.tell,
      )
      fitted |= zip(at, result.fitted, strict=True)
      seconds += result.seconds, result.compile_seconds
    found = (fitted[k] for k in range(len(members)))
    return [
      self._trained(job, [next(found) for _ in parts], seconds / len(jobs))
      for job, parts in zip(jobs, rows, strict=True)
    ]

  def _standardise_labels(self, data, places, jobs, rows):
    """Gives regression sources the mean and deviation of training labels."""
    if self.task.kind != types.REGRESSION:
      return data
    sources = list(data.sources)
    place = iter(places)
    for job, parts in zip(jobs, rows, strict=True):
      labels = data.cohort.labels[
        rows_lib.usable(self.arm, data.cohort, job.split.train), 0
      ]
      for _ in parts:
        k = next(place)
        sources[k] = dataclasses.replace(
          sources[k],
          label_mean=float(labels.mean()),
          label_std=float(labels.std()) or 1.0,
        )
    return dataclasses.replace(data, sources=tuple(sources))

  def _trained(self, job, fitted, seconds) -> learner.Trained:
    failures = [f.failure for f in fitted if f.failure]
    if not failures and not all(np.isfinite(f.valid_loss) for f in fitted):
      failures = ['the validation loss was never finite']
    return learner.Trained(
      models=tuple(fitted),
      parameters=self.parameters(fitted, job.inputs.fitted),
      seconds=float(seconds[0]),
      compile_seconds=float(seconds[1]),
      epochs=tuple(f.epochs for f in fitted),
      best_epoch=tuple(f.best_epoch for f in fitted),
      history=tuple(f.history for f in fitted),
      failure=failures[0] if failures else '',
      notes=self._notes(job, fitted),
    )

  def _notes(self, job, fitted) -> tuple[str, ...]:
    """Says where training came to nothing, or was not at its end."""
    found = []
    null = self._constant_loss(job)
    if any(f.valid_loss >= null for f in fitted):
      found.append(
        'It is no better than a constant prediction on validation: nothing was '
        'learnt. A longer training (--set=training.least_steps=N) or another '
        'learning rate may help.'
      )
    elif improving := [f for f in fitted if _still_improving(f)]:
      # What decided how long it was trained.
      by_steps = any(f.epochs > self._training.epochs for f in improving)
      name = 'least_steps' if by_steps else 'epochs'
      found.append(
        'Its validation loss was still falling when training ended: raise '
        f'--set=training.{name}=N.'
      )
    return tuple(found)

  def _constant_loss(self, job) -> float:
    """The validation loss of the best constant of the training part."""
    cohort, split = job.inputs.cohort, job.split
    train, valid = (
      rows_lib.usable(self.arm, cohort, x) for x in (split.train, split.valid)
    )
    weight = (
      np.ones(len(cohort))
      if cohort.weight is None
      else np.asarray(cohort.weight, np.float64)
    )
    constant = links.constant_logits(
      self.task, cohort.labels[train], weight[train]
    )
    logits = np.tile(constant, (len(valid), 1))
    loss = links.mean_loss(
      self.task, logits, cohort.labels[valid], weight[valid]
    )
    if self.task.kind == types.REGRESSION:
      # Models are trained on labels of a unit spread.
      loss /= np.square(cohort.labels[train, 0].std() or 1.0)
    return loss

  def size(self, model):
    if not self.arm.extracts:
      return model.parameters
    # Its features pass through the encoder only.
    head = jax.tree.leaves(model.params['combiner'])
    return model.parameters - sum(x.size for x in head)

  def _apply(self, run, trained, inputs, rows):
    """By node and model, what `run` of `training/neural.py` returns."""
    fitted = [m for t in trained for m in t.models]
    at = [r for t, r in zip(trained, rows, strict=True) for _ in t.models]
    data, places = self._data(
      [
        (seen, half)
        for t, seen in zip(trained, inputs, strict=True)
        for half in range(len(t.models))
      ]
    )
    made: dict[int, np.ndarray] = {}
    for members, alike, own in _fleets(data, places):
      result = run(
        model_config=self.model_config(inputs[0]),
        task=self.task,
        data=alike,
        fitted=[fitted[k] for k in members],
        sources=own,
        rows=[at[k] for k in members],
        parallel=self._parallel,
      )
      made |= zip(members, result, strict=True)
    found = (made[k] for k in range(len(fitted)))
    return [[next(found) for _ in t.models] for t in trained]

  def logits(self, trained, inputs, rows):
    found = self._apply(neural.predict_fleet, trained, inputs, rows)
    return [self.mean(x) for x in found]

  def encode(self, trained, inputs):
    everyone = np.arange(len(inputs[0].cohort))
    run = functools.partial(
      neural.encode_fleet, modality=self.arm.modalities[0]
    )
    found = self._apply(run, trained, inputs, [everyone] * len(trained))
    return [tuple(np.asarray(x, np.float32) for x in one) for one in found]

  def save(self, trained, folder, *, fitted, extra):
    for number, model in enumerate(trained.models):
      checkpoints.save(
        pathlib.Path(folder) / str(number),
        model,
        extra=extra,
        arrays=fitted.to_arrays(self.arm.reduced),
      )

  def load(self, folder):
    found, arrays = [], {}
    for path in learner.model_folders(folder):
      model, _, arrays = checkpoints.load(path)
      found.append(model)
    fitted = preprocess.Fitted.from_arrays(arrays)
    trained = learner.Trained(tuple(found), self.parameters(found, fitted))
    return trained, fitted


def _fleets(
  data: batches.FleetData, places: Sequence[int]
) -> list[tuple[list[int], batches.FleetData, list[int]]]:
  """Members whose arrays have one shape, which one program trains.

  Columns depend on the training part: on the levels and codes it has, and on
  which columns have gaps.

  Args:
    data: what all members see.
    places: the number of each member's source.

  Returns:
    By fleet its members, what they see, and the number there of each's source.
  """
  alike: dict[str, list[int]] = {}
  for k, source in enumerate(data.sources):
    arrays = {m: p.arrays for m, p in source.parts.items()}
    alike.setdefault(str(jax.tree.map(np.shape, arrays)), []).append(k)
  found = []
  for sources in alike.values():
    members = [k for k, place in enumerate(places) if place in sources]
    seen = batches.FleetData(
      data.cohort, tuple(data.sources[s] for s in sources)
    )
    found.append((members, seen, [sources.index(places[k]) for k in members]))
  return found


def init_of(
  arm: arm_lib.Arm, training: training_config.TrainingConfig
) -> dict[str, pretrained.Source]:
  """By MODALITY=LAYOUT:PATH, the weights that encoders of an arm start from.

  Raises:
    UserError: for weights that are of another encoder.
  """
  encoders = {
    m: x.encoder for m, x in arm.inputs.items() if x.view == views.RAW
  }
  found = pretrained.of_encoders(training.init, encoders)
  texts = {x.partition('=')[0]: x for x in training.init}
  return {texts[m]: source for m, source in found.items()}


def _scaled(
  modality: str, part: batches.Part, source: pretrained.Source
) -> batches.Part:
  """Pixels scaled as those that the weights were trained on."""
  if 'mean' not in part.constants:
    raise errors.UserError(
      f"training.init: '{modality}' has no pixels that weights could be for."
    )
  mean, std = source.scale(len(part.constants['mean']))
  constants = {**part.constants, 'mean': mean, 'std': std}
  return dataclasses.replace(part, constants=constants)


def _still_improving(fitted: neural.FittedNeural) -> bool:
  """Whether the last tenth of the epochs lowered the validation loss much.

  Much is more than a twentieth of all that training lowered it. The rate falls
  to 0 at the end, so that a little is normal.
  """
  losses = [valid for _, valid in fitted.history]
  late = fitted.epochs - max(1, fitted.epochs // 10)
  if len(losses) < fitted.epochs or late < 1:
    return False
  before = min(losses[:late])
  return before - min(losses) > _MUCH * (losses[0] - min(losses))
