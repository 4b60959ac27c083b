"""One step of small models on several meshes, in a process of its own.

  python -m tests.parallel.meshed

Prints, as JSON, by model and mesh how far loss, gradients and statistics after
a step are from those of each member alone on one device, as shares of their
norms. The process needs four devices.
"""

import functools
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.parallel import config as parallel_config
from fusion_jax.parallel import strategy as strategies
from fusion_jax.training import backward, batches, optimizers, step, tasks
from tests import tiny
from tests.conformance import checks, samples

Config = parallel_config.ParallelConfig

MODELS = {
  'image and table': {
    'image': 'resnet(widths=(8,16),norm=batch)',
    'table': 'mlp(width=32,dropout=0)',
  },
  'volume and series': {
    'volume': 'resnet(widths=(8,16),norm=batch)',
    'series': 'transformer(width=32,depth=1,dropout=0)',
  },
}
EXCHANGES = ((1, 'film'),)
COMBINER = 'concat(hidden=(32,),dropout=0)'
MEMBERS = 2
MESHES = {
  'one device': Config(devices=1, fleet='map'),
  'one device, vmap': Config(devices=1, fleet='vmap'),
  'data=4': Config(devices=4, shard='data'),
  'pmap 4': Config(devices=4, shard='data', strategy='pmap'),
  'data=2, fsdp=2': Config(
    devices=4, fsdp=2, rules=('encoders_.*kernel$:largest', 'kernel$:last')
  ),
  'members=2': Config(devices=2, shard='members'),
  'pmap members=2': Config(devices=2, shard='members', strategy='pmap'),
}
# Adam divides by the gradients' size, which makes much of the last bit.
OPTIMIZER = optimizers.create_optimizer(
  optimizer='sgd(momentum=0)', clip_norm=1.0
)


def _program(model, members, shared, plan, *, strategy):
  """Losses, gradients and statistics after one step, by member."""
  axis = strategy.axis_name
  task = tiny.task_of(types.BINARY)
  module = models.create_model(model, task, axis_name=axis)
  collective = tasks.over_axis(axis) if axis else tasks.LOCAL

  def one(state, rows):
    batch = batches.gather(
      shared, jnp.int32(0), jax.tree.map(lambda x: x[0], rows)
    )
    given = {
      'model': module,
      'task': task,
      'config': checks.CONFIG,
      'collective': collective,
    }
    state, sums = step.train_step(state, batch, optimizer=OPTIMIZER, **given)
    found = backward.loss_and_gradients(
      state.params,
      batch,
      key=jax.random.key(0),
      collections=state.collections,
      **given,
    )
    return {
      'before': sums,
      'sums': found.sums,
      'gradients': found.gradients,
      'collections': found.collections,
      'params': state.params,
    }

  return strategy.map_members(one)(members, plan)


def _run(model, mesh, states, resident, plan):
  """What the program gives on a mesh, and how many arrays were cut."""
  strategy = strategies.create_strategy(mesh, members=len(plan.rows))
  shared = strategy.place_shared(resident)
  program = functools.partial(_program, model, strategy=strategy)
  members = strategy.place_members(states)
  compiled = strategy.compile(program, members, shared, plan)
  cut = sum(
    x.addressable_shards[0].data.size < x.size
    for x in jax.tree.leaves(members)
    if isinstance(x, jax.Array)
  )
  return jax.device_get(compiled(members, shared, plan)), cut


def compare(chosen: dict[str, str]) -> dict[str, dict[str, float]]:
  """By mesh, the gaps of the worst member."""
  model = samples.config(
    {samples.MODALITY[kind]: text for kind, text in chosen.items()},
    combiner=COMBINER,
    exchanges=EXCHANGES,
  )
  module = models.create_model(model, tiny.task_of(types.BINARY))
  states = [
    checks.first_state(module, OPTIMIZER, samples.batch(), rate=0.1, seed=k)
    for k in range(MEMBERS)
  ]
  rng = np.random.default_rng(0)
  rows = np.stack([rng.permutation(samples.N) for _ in range(MEMBERS)])
  plan = batches.RowPlan(
    rows=rows[:, None].astype(np.int32),
    # Padding is not spread evenly over devices.
    weight=np.tile(np.float32(np.arange(samples.N) % 7 > 1), (MEMBERS, 1, 1)),
  )
  resident = batches.make_resident(samples.fleet_data())
  stacked = jax.tree.map(lambda *x: jnp.stack(x), *states)
  alone = [
    _run(
      model,
      Config(devices=1),
      jax.tree.map(lambda x, k=k: x[k : k + 1], stacked),
      resident,
      jax.tree.map(lambda x, k=k: x[k : k + 1], plan),
    )[0]
    for k in range(MEMBERS)
  ]
  found = {}
  for name, mesh in MESHES.items():
    every, cut = _run(model, mesh, stacked, resident, plan)
    gaps = {
      what: max(
        checks.gap(
          jax.tree.map(lambda x, k=k: x[k], every[what]),
          jax.tree.map(lambda x: x[0], alone[k][what]),
        )
        for k in range(MEMBERS)
      )
      for what in every
    }
    norm = min(checks.steps.norm(x['gradients']) for x in alone)
    found[name] = {**gaps, 'cut': cut, 'norm': norm}
  return found


def main() -> None:
  assert jax.local_device_count() == 4
  json.dump({k: compare(x) for k, x in MODELS.items()}, sys.stdout, indent=1)


if __name__ == '__main__':
  main()
