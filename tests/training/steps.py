"""Steps of small models, for tests of what is around them."""

import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.training import batches, optimizers, protocol, step
from fusion_jax.training import config as training_config
from tests import tiny

CONFIG = training_config.TrainingConfig()


def norm(tree) -> float:
  return np.sqrt(sum(float((x**2).sum()) for x in jax.tree.leaves(tree)))


def _batch(config, kind, **changes):
  cohort = tiny.cohort(24, kind=kind, absent=True)
  data = batches.FleetData(cohort, (tiny.source(cohort, **changes),))
  plan = batches.RowPlan(rows=jnp.arange(24), weight=jnp.arange(24.0) % 3)
  batch = batches.gather(batches.make_resident(data), 0, plan)
  if kind == types.REGRESSION:
    batch = batch.replace(labels=(batch.labels - 50.0) / 10.0)
  return models.create_model(config, cohort.task), cohort.task, batch


def record(kind=types.BINARY):
  """A model of the record alone, without dropout, its task and 24 studies."""
  return _batch(
    tiny.model_config(
      types.EHR, ehr='mlp(width=8,dropout=0)', combiner='additive'
    ),
    kind,
  )


def images(encoder, kind=types.BINARY):
  """A model of the images alone, likewise."""
  config = tiny.model_config(types.IMAGE, image=encoder, combiner='additive')
  return _batch(config, kind)


def joint(kind=types.BINARY, combiner='concat(hidden=(8,),dropout=0)'):
  """A model of the record and an image that is a vector, likewise."""
  vector = np.random.default_rng(0).normal(size=(24, 3))
  config = tiny.model_config(
    image_kind='vector',
    image='raw',
    ehr='mlp(width=8,dropout=0)',
    combiner=combiner,
  )
  part = batches.Part(batches.VECTOR, vector=vector.astype(np.float32))
  return _batch(config, kind, image_part=part)


def start(config, *, setup=None, rate=0.01):
  """A first state and step(state, batch, **options)."""
  model, task, batch = setup or record()
  optimizer = optimizers.create_optimizer(
    optimizer=config.optimizer, clip_norm=config.clip_norm, groups=config.groups
  )
  methods = protocol.create_methods(
    config.methods, task=task, modalities=tuple(model.encoders)
  )
  state = step.create_train_state(
    model=model,
    optimizer=optimizer,
    batch=batch,
    key=jax.random.key(0),
    total_steps=10,
    learning_rate=rate,
    weight_decay=0.5,
    average=config.average > 0,
  )

  def run(state, batch, **options):
    return step.train_step(
      state,
      batch,
      model=model,
      task=task,
      optimizer=optimizer,
      config=config,
      methods=methods,
      **options,
    )

  return state, run


def train(config, steps=3, *, setup=None, rate=0.01):
  """(first, last) state and the metrics of each step."""
  setup = setup or record()
  first, run = start(config, setup=setup, rate=rate)
  run = jax.jit(run)
  state, found = first, []
  for _ in range(steps):
    state, metrics = run(state, setup[2])
    found.append(metrics)
  return first, state, found
