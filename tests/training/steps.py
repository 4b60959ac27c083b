"""Steps of small models, for tests of what is around them."""

import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.training import backward, batches, optimizers, protocol, step
from fusion_jax.training import config as training_config
from tests import tiny

CONFIG = training_config.TrainingConfig()


def norm(tree) -> float:
  return np.sqrt(sum(float((x**2).sum()) for x in jax.tree.leaves(tree)))


def _data(kind, **changes):
  cohort = tiny.cohort(24, kind=kind, absent=True)
  return batches.FleetData(cohort, (tiny.source(cohort, **changes),))


def _batch(config, data):
  task = data.cohort.task
  plan = batches.RowPlan(rows=jnp.arange(24), weight=jnp.arange(24.0) % 3)
  batch = batches.gather(batches.make_resident(data), 0, plan)
  if task.kind == types.REGRESSION:
    batch = batch.replace(labels=(batch.labels - 50.0) / 10.0)
  return models.create_model(config, task), task, batch


def record(kind=types.BINARY):
  """A model of the record alone, without dropout, its task and 24 studies."""
  return _batch(
    tiny.model_config(
      types.EHR, ehr='mlp(width=8,dropout=0)', combiner='additive'
    ),
    _data(kind),
  )


def images(encoder, kind=types.BINARY):
  """A model of the images alone, likewise."""
  config = tiny.model_config(types.IMAGE, image=encoder, combiner='additive')
  return _batch(config, _data(kind))


def joint_fleet(kind=types.BINARY, combiner='concat(hidden=(8,),dropout=0)'):
  """What a model of the record and an image that is a vector is made of.

  And the 24 studies that it sees.
  """
  vector = np.random.default_rng(0).normal(size=(24, 3))
  config = tiny.model_config(
    image_kind='vector',
    image='raw',
    ehr='mlp(width=8,dropout=0)',
    combiner=combiner,
  )
  part = batches.Part(batches.VECTOR, vector=vector.astype(np.float32))
  return config, _data(kind, image_part=part)


def joint(kind=types.BINARY, **options):
  """That model, its task and a batch of these studies."""
  return _batch(*joint_fleet(kind, **options))


def whole(kind):
  """A joint model of images and record, with dropout, likewise."""
  cohort = tiny.cohort(64, kind=kind, absent=True)
  data = tiny.fleet_data(cohort)
  model = models.create_model(tiny.model_config(), cohort.task)
  rng = np.random.default_rng(0)
  plan = batches.RowPlan(
    rows=jnp.arange(64),
    weight=jnp.array(rng.integers(0, 3, 64), jnp.float32),
  )
  batch = batches.gather(batches.make_resident(data), 0, plan)
  if kind == types.REGRESSION:
    batch = batch.replace(labels=(batch.labels - 50.0) / 10.0)
  return model, cohort.task, batch


def start(config, *, setup=None, rate=0.01):
  """A first state and step(state, batch, **options)."""
  model, task, batch = setup or record()
  optimizer = optimizers.create_optimizer(
    optimizer=config.optimizer, clip_norm=config.clip_norm, groups=config.groups
  )
  methods = protocol.create_methods(
    config.methods, task=task, modalities=tuple(model.encoders)
  )

  def first():
    return step.create_train_state(
      model=model,
      optimizer=optimizer,
      batch=batch,
      key=jax.random.key(0),
      total_steps=10,
      learning_rate=rate,
      weight_decay=0.5,
      average=config.average > 0,
      methods=methods,
    )

  # One program is sooner made than the many of its operations.
  state = jax.jit(first)()

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


def passed(spec, setup, *, key=1):
  """Parameters, and a pass of the batch with a method ('' for none)."""
  model, task, batch = setup
  methods = protocol.create_methods(
    (spec,) if spec else (), task=task, modalities=tuple(model.encoders)
  )
  params = jax.jit(model.init)(jax.random.key(0), batch)['params']
  found = backward.loss_and_gradients(
    params,
    batch,
    model=model,
    task=task,
    key=jax.random.key(key),
    methods=methods,
  )
  return params, found
