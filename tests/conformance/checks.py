"""What holds for every model, whatever it is made of."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.training import backward, optimizers, protocol, step
from fusion_jax.training import config as training_config
from tests import tiny
from tests.conformance import samples
from tests.training import steps

CONFIG = training_config.TrainingConfig(augment=False)
# Of numbers of size 1 that are added in another order.
CLOSE = 2e-5
# Programs that run once or twice are not worth optimising.
QUICK = {
  'xla_backend_optimization_level': 0,
  'xla_llvm_disable_expensive_passes': True,
}


def shapes(
  config: models.ModelConfig,
  task: types.Task | None = None,
  batch: types.Batch | None = None,
) -> dict[str, Any]:
  """Shapes of the variables of a model, by collection."""
  module = models.create_model(config, task or tiny.task_of(types.BINARY))
  batch = samples.batch() if batch is None else batch
  return dict(jax.eval_shape(module.init, jax.random.key(0), batch))


class Model:
  """A model with drawn variables, and one compiled look at a batch.

  Attributes:
    traces: how often the look was traced.
  """

  def __init__(
    self,
    config: models.ModelConfig,
    *,
    kind: str = types.BINARY,
    batch: types.Batch | None = None,
    training: training_config.TrainingConfig = CONFIG,
  ):
    self.task = tiny.task_of(kind)
    self.module = models.create_model(config, self.task)
    self.batch = samples.batch(kind) if batch is None else batch
    self.variables = samples.drawn(shapes(config, self.task, self.batch))
    self.training = training
    self.traces = 0
    self._look = jax.jit(self._looked, compiler_options=QUICK)

  def look(self, batch: types.Batch | None = None) -> dict[str, Any]:
    """Predictions of a batch, and what a step of training makes of it."""
    return self._look(self.variables, self.batch if batch is None else batch)

  def logits(self, variables: Any, batch: types.Batch) -> tuple:
    """Logits and features outside training."""
    logits, out = self.module.apply(variables, batch)
    return logits, out['features']

  def _looked(self, variables, batch):
    self.traces += 1
    collections = {k: x for k, x in variables.items() if k != 'params'}
    found = backward.loss_and_gradients(
      variables.get('params', {}),
      batch,
      model=self.module,
      task=self.task,
      key=jax.random.key(1),
      config=self.training,
      collections=collections,
    )

    def total(numbers):
      logits, features = self.logits(variables, _with(batch, numbers))
      return jnp.sin(logits).sum(), (logits, features)

    touched, (logits, features) = jax.grad(total, has_aux=True)(_numbers(batch))
    return {
      'logits': logits,
      'features': features,
      'sums': found.sums,
      'gradients': found.gradients,
      'collections': found.collections,
      'touched': touched,
    }


def _of_modalities(batch: types.Batch) -> dict[str, Any]:
  return {'inputs': batch.inputs, 'features': batch.features}


def _is_number(x) -> bool:
  return jnp.issubdtype(x.dtype, jnp.floating)


def _numbers(batch):
  """Inputs and features of which there are derivatives, None elsewhere."""
  return jax.tree.map(
    lambda x: x if _is_number(x) else None, _of_modalities(batch)
  )


def _with(batch, numbers):
  whole = jax.tree.map(
    lambda x, y: x if y is None else y,
    _of_modalities(batch),
    numbers,
    is_leaf=lambda x: x is None,
  )
  return batch.replace(**whole)


def spoiled(batch: types.Batch) -> types.Batch:
  """Anything at all where a study lacks a modality."""

  def one(x, gone):
    gone = gone.reshape((-1,) + (1,) * (x.ndim - 1))
    # What is no number stays a legal code or a mask.
    return jnp.where(gone, jnp.nan if _is_number(x) else jnp.ones_like(x), x)

  return batch.replace(
    **{
      what: {
        m: jax.tree.map(lambda x, m=m: one(x, ~batch.present[m]), tree)
        for m, tree in parts.items()
      }
      for what, parts in _of_modalities(batch).items()
    }
  )


def largest(tree: Any) -> float:
  return max((float(abs(x).max()) for x in jax.tree.leaves(tree)), default=0.0)


def gap(one: Any, two: Any) -> float:
  """The norm of a difference as a share of the norm."""
  difference = jax.tree.map(np.subtract, one, two)
  return steps.norm(difference) / max(steps.norm(two), 1e-30)


def assert_same(one: Any, two: Any) -> None:
  jax.tree.map(np.testing.assert_array_equal, one, two)


def assert_close(one: Any, two: Any, atol: float = CLOSE) -> None:
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, atol=atol, rtol=atol),
    one,
    two,
  )


def assert_shapes(model: Model) -> None:
  """(b, s) logits and, by modality, features of one width, in float32."""
  found = model.look()
  b = len(model.batch.row)
  assert found['logits'].shape == (b, model.task.num_outputs)
  for x in found['features'].values():
    assert x.pooled.shape[0] == b
    assert x.tokens.ndim == 3
    assert x.tokens.shape[::2] == x.pooled.shape
    assert x.token_mask.shape == x.tokens.shape[:2]
    assert x.token_mask.dtype == bool
  for x in jax.tree.leaves((found['logits'], found['features'])):
    assert x.dtype in (jnp.float32, bool)
    assert np.isfinite(x).all()


def assert_reaches_all(model: Model) -> None:
  """Finite gradients of every parameter that a prediction depends on."""
  gradients = model.look()['gradients']
  params = model.variables.get('params', {})
  assert jax.tree.structure(gradients) == jax.tree.structure(params)
  for path, x in jax.tree_util.tree_leaves_with_path(gradients):
    assert x.dtype == jnp.float32
    assert np.isfinite(x).all(), path
    # The bias of an attention's keys moves all scores alike: it may have none.
    if not abs(x).max() > 1e-9:
      assert _is_idle(model, path), f'{jax.tree_util.keystr(path)} is cut off'


def _is_idle(model, path) -> bool:
  """Whether the logits do not change with a parameter."""

  def moved(keys, x):
    return x + jnp.sin(jnp.arange(x.size)).reshape(x.shape) * (keys == path)

  params = jax.tree_util.tree_map_with_path(moved, model.variables['params'])
  other = model._look({**model.variables, 'params': params}, model.batch)
  return gap(other['logits'], model.look()['logits']) < CLOSE


def assert_absence_is_absence(model: Model) -> None:
  """What an absent modality holds changes nothing and gets no gradient."""
  batch = model.batch
  clean, dirty = model.look(), model.look(spoiled(batch))
  for name in clean.keys() - {'touched'}:
    assert_same(clean[name], dirty[name])
  for found in (clean, dirty):
    for parts in found['touched'].values():
      for m, tree in parts.items():
        gone = ~np.asarray(batch.present[m])
        for x in jax.tree.leaves(tree):
          assert largest(np.asarray(x)[gone]) == 0.0, m
  for m in model.module.encoders:
    nobody = {**batch.present, m: jnp.zeros_like(batch.present[m])}
    found = model.look(batch.replace(present=nobody))
    name = models.encoder_name(m)
    assert np.isfinite(found['sums']['loss'][0])
    assert largest(found['gradients'].get(name, {})) == 0.0, m
    for kind, x in found['collections'].items():
      if name in x:
        assert_same(x[name], model.variables[kind][name])


def assert_order_is_nothing(model: Model) -> None:
  """Studies in another order have the same predictions, loss and gradients."""
  order = np.random.default_rng(0).permutation(len(model.batch.row))
  one = model.look()
  two = model.look(jax.tree.map(lambda x: x[order], model.batch))
  for name in ('logits', 'features', 'touched'):
    assert_close(jax.tree.map(lambda x: x[order], one[name]), two[name])
  for name in ('sums', 'gradients', 'collections'):
    assert gap(one[name], two[name]) < CLOSE, name


def assert_studies_are_alone(model: Model) -> None:
  """A prediction does not depend on the studies beside it."""
  one = model.look()['logits']
  batch = model.batch
  for m in batch.present:
    # The others lose a modality, the first half keeps all.
    kept = {m: batch.present[m] & (jnp.arange(len(batch.row)) < 12)}
    other = model.look(batch.replace(present={**batch.present, **kept}))
    assert_close(one[:12], other['logits'][:12])


def assert_compiled_is_eager(model: Model) -> None:
  """One program for all batches of a shape, which does what was written."""
  eager = model.logits(model.variables, model.batch)
  found = model.look()
  assert_close((found['logits'], found['features']), eager)
  assert model.traces == 1, model.traces


def assert_all(model: Model) -> None:
  assert_shapes(model)
  assert_reaches_all(model)
  assert_absence_is_absence(model)
  assert_order_is_nothing(model)
  assert_studies_are_alone(model)
  assert_compiled_is_eager(model)


def first_state(
  module: models.FusionModel,
  optimizer: optax.GradientTransformation,
  batch: types.Batch,
  *,
  rate: float = 1e-3,
  seed: int = 1,
  methods: Sequence[protocol.Method] = (),
) -> step.TrainState:
  """What training starts from, of drawn variables; no program is compiled."""
  empty = jax.eval_shape(
    lambda: step.create_train_state(
      model=module,
      optimizer=optimizer,
      batch=batch,
      key=jax.random.key(0),
      total_steps=10,
      learning_rate=rate,
      weight_decay=0.1,
      methods=methods,
    )
  )
  zeros = jax.tree.map(
    lambda x: jnp.zeros(x.shape, x.dtype), empty.replace(key=())
  )
  params, collections = (
    samples.drawn(x, seed) for x in (empty.params, empty.collections)
  )
  return zeros.replace(
    params=params,
    collections=collections,
    average={'params': params, **collections},
    memory=tuple(m.memory(params) for m in methods),
    key=jax.random.key(seed),
    total_steps=jnp.int32(10),
    learning_rate=jnp.float32(rate),
  )


def assert_steps(
  config: models.ModelConfig,
  *,
  kind: str = types.BINARY,
  batch: types.Batch | None = None,
  training: training_config.TrainingConfig = CONFIG,
) -> tuple[step.TrainState, step.TrainState, dict[str, Any]]:
  """Steps are one program, keep types and stay finite.

  Returns the state before and after three steps, and the last metrics.
  """
  task = tiny.task_of(kind)
  module = models.create_model(config, task)
  batch = samples.batch(kind) if batch is None else batch
  optimizer = optimizers.create_optimizer(groups=training.groups)
  methods = protocol.create_methods(
    training.methods,
    task=task,
    modalities=config.modalities,
    given=config.given,
  )
  first = first_state(module, optimizer, batch, methods=methods)
  traces = []

  def take(state):
    traces.append(1)
    return step.train_step(
      state,
      batch,
      model=module,
      task=task,
      optimizer=optimizer,
      config=training,
      methods=methods,
    )

  run = jax.jit(take, compiler_options=QUICK)
  state, metrics = first, {}
  for _ in range(3):
    state, metrics = run(state)
  assert len(traces) == 1
  assert jax.tree.structure(state) == jax.tree.structure(first)
  for new, old in zip(
    jax.tree.leaves(state), jax.tree.leaves(first), strict=True
  ):
    assert (new.shape, new.dtype) == (old.shape, old.dtype)
  for x in jax.tree.leaves((state.used, metrics)):
    assert x.dtype == jnp.float32
    assert np.isfinite(x).all()
  return first, state, metrics


def half(training: training_config.TrainingConfig = CONFIG):
  return dataclasses.replace(training, dtype='bfloat16')
