"""What one prediction and one training step of a neural model take."""

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.training import augment, batches, neural, optimizers, protocol
from fusion_jax.training import config as training_config
from fusion_jax.training import step as step_lib

_CALLS = 20


@dataclasses.dataclass(frozen=True)
class Footprint:
  """The cost of using a neural model, and of fitting it.

  Attributes:
    flops: floating-point operations of predicting one study, as counted by
      the compiler; None if unknown.
    memory_bytes: of one training step at the configured batch size, parameters
      and optimizer included; None if unknown.
    predict: predicts one study that is on the device, and waits for it.
  """

  flops: float | None
  memory_bytes: float | None
  predict: Callable[[], Any]


@dataclasses.dataclass(frozen=True)
class Latency:
  """Wall time of a call.

  Attributes:
    seconds: median over calls.
    iqr_seconds: lower and upper quartile.
  """

  seconds: float
  iqr_seconds: tuple[float, float]


def latencies(calls: Mapping[str, Callable[[], Any]]) -> dict[str, Latency]:
  """Times calls in turns, after a first one of each that is not counted.

  Turns, so that what else the machine does at a time meets all of them.
  """
  for call in calls.values():
    call()
  found: dict[str, list[float]] = {name: [] for name in calls}
  for _ in range(_CALLS):
    for name, call in calls.items():
      start = time.perf_counter()
      call()
      found[name].append(time.perf_counter() - start)
  return {name: _latency(seconds) for name, seconds in found.items()}


def _latency(seconds) -> Latency:
  low, median, high = np.quantile(seconds, (0.25, 0.5, 0.75))
  return Latency(float(median), (float(low), float(high)))


def measure(
  *,
  model_config: models.ModelConfig,
  task: types.Task,
  data: batches.FleetData,
  fitted: neural.FittedNeural,
  config: training_config.TrainingConfig,
  encode: bool = False,
) -> Footprint:
  """Compiles one prediction and one training step.

  Args:
    model_config: the architecture.
    task: what is predicted.
    data: a cohort of n >= 1 studies and one source.
    fitted: the trained model.
    config: of the training.
    encode: whether its features are what is wanted of it, not its logits.
  """
  model = models.create_model(model_config, task, remat=config.remat)
  resident = batches.make_resident(data)
  one = _batch(resident, 1)

  def predict(variables, batch):
    if not encode:
      return model.apply(variables, batch)[0]
    features = model.apply(variables, batch, train=False, method=model.encode)
    return {m: x.pooled for m, x in features.items()}

  compiled = jax.jit(predict).lower(fitted.variables, one).compile()
  variables, one = jax.device_put((fitted.variables, one))
  optimizer = optimizers.create_optimizer(
    optimizer=config.optimizer,
    clip_norm=config.clip_norm,
    groups=config.groups,
  )

  change = augment.of_batches(config, free=batches.free(data.cohort))

  methods = protocol.create_methods(
    config.methods,
    task=task,
    modalities=model_config.modalities,
    given=model_config.given,
  )

  def start(batch):
    return step_lib.create_train_state(
      model=model,
      optimizer=optimizer,
      batch=batch,
      key=jax.random.key(0),
      total_steps=jnp.ones((), jnp.int32),
      learning_rate=jnp.float32(config.learning_rate),
      weight_decay=jnp.float32(config.weight_decay),
      average=config.average > 0,
      methods=methods,
    )

  def train(state, batch):
    return step_lib.train_step(
      state,
      batch,
      model=model,
      task=task,
      optimizer=optimizer,
      config=config,
      methods=methods,
      augment=change,
    )

  # What is fed is padded likewise.
  size = -(-config.batch_size // config.accumulate) * config.accumulate
  batch = jax.eval_shape(lambda: _batch(resident, size))
  state = jax.eval_shape(start, batch)
  trained = jax.jit(train, donate_argnums=0).lower(state, batch).compile()
  return Footprint(
    flops=_flops(compiled),
    memory_bytes=_memory(trained),
    predict=lambda: jax.block_until_ready(compiled(variables, one)),
  )


def _batch(resident: batches.Resident, size: int) -> types.Batch:
  plan = batches.RowPlan(
    rows=np.zeros(size, np.int32), weight=np.ones(size, np.float32)
  )
  return batches.gather(resident, np.int32(0), plan)


def _flops(compiled) -> float | None:
  # Some backends count nothing.
  counted = compiled.cost_analysis() or {}
  return float(counted['flops']) if counted.get('flops', 0) > 0 else None


def _memory(compiled) -> float | None:
  found = compiled.memory_analysis()
  if found is None:
    return None
  return float(
    found.argument_size_in_bytes
    + found.output_size_in_bytes
    + found.temp_size_in_bytes
    - found.alias_size_in_bytes
  )
