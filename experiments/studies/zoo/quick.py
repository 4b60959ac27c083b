"""Trials in small: all members of a subject are one compiled program.

The model, the step and the methods are those of every training; what is left
out are epochs, validation and early stopping: each member takes a fixed number
of steps, and what it predicts follows in the same program.
"""

import time
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from experiments.studies.zoo import grounds, subjects, trials
from fusion_jax.ablation import learner as learner_lib
from fusion_jax.ablation import neural_learner, views
from fusion_jax.ablation import rows as rows_lib
from fusion_jax.fusion import model as models
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import batches, optimizers, protocol, step
from fusion_jax.training import config as training_config

STEPS, BATCH = 300, 64
# Networks of a few numbers on columns and reduced pixels.
SETTING = grounds.Setting(
  n=4000,
  n_five=2000,
  seeds=3,
  seeds_missing=2,
  learning_rate=1e-2,
  encoders=(
    ('image', (views.REDUCED, 'mlp(width=16,depth=1,dropout=0.1)')),
    ('volume', (views.REDUCED, 'mlp(width=16,depth=1,dropout=0.1)')),
    ('table', (views.RAW, 'mlp(width=16,dropout=0.1)')),
    ('series', (views.RAW, 'bag(width=16,depth=1,dropout=0.1)')),
    ('vector', (views.RAW, 'mlp(width=16,depth=1,dropout=0.1)')),
  ),
)


class Trainer:
  """Runs subjects on one ground; what all see of it is made once."""

  def __init__(self, ground: grounds.Ground, setting: grounds.Setting):
    self._ground = ground
    self._setting = setting
    self._parts: dict[tuple, batches.Part] = {}

  def run(
    self,
    subject: subjects.Subject,
    wanted: Sequence[trials.Cell],
    singles: Mapping[str, trials.Trial],
  ) -> trials.Trial:
    """See `trials.run`; late rules are those of there.

    Raises:
      UserError: for a part that cannot be built.
    """
    ground, setting = self._ground, self._setting
    if subject.kind == subjects.RULE:
      return trials.run(subject, ground, setting, wanted, singles)
    start = time.process_time()
    arm = subjects.arm(
      subject, ground.cohort, dict(setting.encoders), small=True
    )
    config = training_config.TrainingConfig(
      learning_rate=setting.learning_rate, augment=False, **arm.train
    )
    learner = neural_learner.Neural(
      arm, ground.cohort.task, config, parallel_config.ParallelConfig()
    )
    places = list(dict.fromkeys((x.world, x.gap) for x in wanted))
    inputs = [
      learner_lib.Inputs(ground.cohort, ground.place(*x).fitted) for x in places
    ]
    sources = tuple(
      batches.Source(
        {m: self._part(place, m, x, seen) for m, x in arm.inputs.items()}
      )
      for place, seen in zip(places, inputs, strict=True)
    )
    rows = [trials.rows_of(ground, cell) for cell in wanted]
    longest = max(map(len, rows))
    model_config = learner.model_config(inputs[0])
    found, parameters = _trained(
      model=models.create_model(model_config, ground.cohort.task),
      given=model_config.given,
      config=config,
      data=batches.FleetData(ground.cohort, sources),
      seed=np.array([x.seed for x in wanted], np.uint32),
      source=np.array([places.index((x.world, x.gap)) for x in wanted]),
      plan=np.stack([_plan(arm, ground, x) for x in wanted]),
      # Rows that fill up are the first one again.
      rows=np.stack([np.append(x, [x[0]] * (longest - len(x))) for x in rows]),
    )
    logits = {}
    for cell, at, values in zip(wanted, rows, found, strict=True):
      full = np.full(len(ground.cohort), np.nan)
      full[at] = values[: len(at)]
      logits[cell] = full
    return trials.Trial(logits, parameters, time.process_time() - start)

  def _part(self, place, modality, x, seen) -> batches.Part:
    key = (place, modality, x.view)
    if key not in self._parts:
      self._parts[key] = views.of_network(modality, x, seen, 0)
    return self._parts[key]


def _plan(arm, ground, cell) -> np.ndarray:
  """(steps, b) training rows, each drawn once before any is drawn again."""
  train = ground.place(cell.world, cell.gap).split.train
  train = rows_lib.usable(arm, ground.cohort, train)
  rng = np.random.default_rng([cell.seed, 1])
  rounds = -(-STEPS * BATCH // len(train))
  drawn = np.concatenate([rng.permutation(train) for _ in range(rounds)])
  return drawn[: STEPS * BATCH].reshape(STEPS, BATCH).astype(np.int32)


def _trained(*, model, given, config, data, seed, source, plan, rows):
  """(m, n) logits of rows (m, n), and the number of a model's parameters."""
  task = data.cohort.task
  resident = batches.make_resident(data)
  optimizer = optimizers.create_optimizer(
    optimizer=config.optimizer, clip_norm=config.clip_norm, groups=config.groups
  )
  methods = protocol.create_methods(
    config.methods,
    task=task,
    modalities=tuple(model.encoders),
    given=given,
  )

  def batch(resident, source, rows):
    weight = jnp.ones(rows.shape, jnp.float32)
    return batches.gather(resident, source, batches.RowPlan(rows, weight))

  def member(resident, seed, source, plan, rows):
    state = step.create_train_state(
      model=model,
      optimizer=optimizer,
      batch=batch(resident, source, plan[0]),
      key=jax.random.key(seed),
      total_steps=STEPS,
      learning_rate=config.learning_rate,
      weight_decay=config.weight_decay,
      methods=methods,
    )

    def one(state, rows):
      state, _ = step.train_step(
        state,
        batch(resident, source, rows),
        model=model,
        task=task,
        optimizer=optimizer,
        config=config,
        methods=methods,
      )
      return state, None

    state, _ = jax.lax.scan(one, state, plan)
    seen = batch(resident, source, rows)
    own = protocol.without_modules(state.params)
    return model.apply(state.used, seen)[0][:, 0], own

  run = jax.jit(jax.vmap(member, in_axes=(None, 0, 0, 0, 0)))
  logits, params = run(resident, seed, source, plan, rows.astype(np.int32))
  count = sum(x[0].size for x in jax.tree.leaves(params))
  return np.asarray(logits, np.float64), count
