"""What one prediction and one training step of a neural model take."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.training import batches, neural, optimizers
from fusion_jax.training import config as training_config
from fusion_jax.training import step as step_lib

_CALLS = 20


@dataclasses.dataclass(frozen=True)
class Footprint:
  """The cost of using a model, and of fitting it.

  Attributes:
    flops: floating-point operations of predicting one study, as counted by
      the compiler (for other learners: multiplications and additions, or
      comparisons of trees); None if unknown.
    latency_seconds: median wall time of predicting one study.
    memory_bytes: of one training step at the configured batch size, parameters
      and optimizer included; None if unknown.
  """

  flops: float | None
  latency_seconds: float
  memory_bytes: float | None


def latency(call: Callable[[], Any]) -> float:
  """Median seconds of a call, after a first one that is not counted."""
  call()
  found = []
  for _ in range(_CALLS):
    start = time.perf_counter()
    call()
    found.append(time.perf_counter() - start)
  return statistics.median(found)


def measure(
  *,
  model_config: models.ModelConfig,
  task: types.Task,
  data: batches.FleetData,
  fitted: neural.FittedNeural,
  config: training_config.TrainingConfig,
) -> Footprint:
  """Compiles one prediction and one training step, and runs the first.

  Args:
    model_config: the architecture.
    task: what is predicted.
    data: a cohort of n >= 1 studies and one source.
    fitted: the trained model.
    config: of the training.
  """
  model = models.create_model(model_config, task)
  resident = batches.make_resident(data)
  one = _batch(resident, 1)

  def predict(params, batch):
    return model.apply({'params': params}, batch)[0]

  compiled = jax.jit(predict).lower(fitted.params, one).compile()
  params, one = jax.device_put((fitted.params, one))
  optimizer = optimizers.create_optimizer(config=config)

  def start(batch):
    return step_lib.create_train_state(
      model=model,
      optimizer=optimizer,
      batch=batch,
      key=jax.random.key(0),
      total_steps=jnp.ones((), jnp.int32),
      learning_rate=jnp.float32(config.learning_rate),
      weight_decay=jnp.float32(config.weight_decay),
    )

  def train(state, batch):
    return step_lib.train_step(
      state,
      batch,
      model=model,
      task=task,
      optimizer=optimizer,
      config=config,
      orientation_free=data.cohort.orientation_free,
    )

  batch = jax.eval_shape(lambda: _batch(resident, config.batch_size))
  state = jax.eval_shape(start, batch)
  trained = jax.jit(train, donate_argnums=0).lower(state, batch).compile()
  return Footprint(
    flops=_flops(compiled),
    latency_seconds=latency(
      lambda: jax.block_until_ready(compiled(params, one))
    ),
    memory_bytes=_memory(trained),
  )


def _batch(resident: batches.Resident, size: int) -> types.Batch:
  plan = batches.RowPlan(
    rows=np.zeros(size, np.int32),
    weight=np.ones(size, np.float32),
    position=np.arange(size, dtype=np.int32),
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
