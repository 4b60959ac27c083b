"""Programs that train and apply the members of a fleet.

Folds, seeds and trials of one arm differ in rows, keys and hyperparameters,
all of which are data: the arm is one compiled program, mapped over members.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np
import optax

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.training import batches, protocol, step, tasks
from fusion_jax.training import config as training_config

INIT = 'init'


@flax.struct.dataclass
class MemberState:
  """One member between two segments of an epoch.

  Attributes:
    train: what the steps change.
    source: () int32 the source of its inputs.
    steps: () int32 steps in one of its epochs.
    epochs: () int32 most epochs.
    patience: () int32 epochs without a lower validation loss before it stops.
    epoch: () int32 epochs done.
    sums: by name of a metric, () float32 (sum, weight) of the epoch so far:
      'loss', and the norms of gradients that are watched.
    watched: (e, k, 2) by epoch and modality in sorted order the validation
      loss of it alone and the mean norm of its encoder's gradients, NaN of
      epochs to come; None where they are not watched.
    best: averaged variables at the lowest validation loss.
    best_loss: () float32 that loss.
    best_epoch: () int32 the epoch after which it was reached, from 1.
    stopped: () bool, once `epochs` are done, `patience` is spent or the loss
      is not finite.
    failed_step: () int32 first step whose loss was not finite, from 1; or 0.
  """

  train: step.TrainState
  source: jax.Array
  steps: jax.Array
  epochs: jax.Array
  patience: jax.Array
  epoch: jax.Array
  sums: dict[str, tuple[jax.Array, jax.Array]]
  watched: jax.Array | None
  best: dict[str, Any]
  best_loss: jax.Array
  best_epoch: jax.Array
  stopped: jax.Array
  failed_step: jax.Array

  @property
  def applied(self) -> dict[str, Any]:
    """What `Programs.evaluate` needs of it."""
    return {
      'variables': self.train.used,
      'source': self.source,
      'stopped': self.stopped,
    }


@flax.struct.dataclass
class Segment:
  """Some batches, one after the other, and the arrays they are taken from.

  How many there are is data: a program is compiled for the longest segment, and
  what its plan holds beyond `count` is padding that costs nothing.

  Attributes:
    arrays: the whole cohort; or, where it is streamed, windows of it whose
      leaves are (s, ...) by batch.
    start: () int32 batches of the epoch that were before.
    count: () int32 batches to take.
  """

  arrays: batches.Resident
  start: Any
  count: Any

  def raw(self, source, plan: batches.RowPlan, k) -> batches.Raw:
    """Batch `k` of `plan` (s, b) as members of `source` see it."""
    rows = jax.tree.map(lambda x: x[k], plan)
    if not self.arrays.whole:
      return batches.raw(self.arrays, source, rows)
    # A window holds the one source that its member sees.
    window = jax.tree.map(lambda x: x[k], self.arrays)
    return batches.raw(window, 0, rows)

  def fold(self, f, first, *, source, plan: batches.RowPlan, turns):
    """The last of `first`, f(0, first, batch), f(1, ...) after so many turns.

    Each turn gets the rows of the next one, after its own work, rather than its
    own before it: XLA cannot fuse across turns, so that whatever is done with a
    batch is compiled alike wherever its rows come from, and however many
    batches there are, to the last bit. A loop of a number of turns that is
    data, not a scan, since turns that are not taken cost nothing.
    """
    last = plan.rows.shape[0] - 1

    def turn(k, carry):
      found, raw = carry
      found = f(k, found, raw.batch())
      return found, self.raw(source, plan, jnp.minimum(k + 1, last))

    first = first, self.raw(source, plan, 0)
    return jax.lax.fori_loop(0, turns, turn, first)[0]


@dataclasses.dataclass(frozen=True)
class Programs:
  """Builds the programs of one model.

  Attributes:
    model: what is trained.
    task: gives the loss.
    optimizer: from `optimizers.create_optimizer`.
    config: of the training.
    methods: applied around each step.
    augment: changes training batches at random, or None.
    map_members: turns a function of one member into one of all.
    collective: how a shard of a batch reaches the others.
    watched: epochs of which it is kept how each modality learns; 0 for none.
  """

  model: models.FusionModel
  task: types.Task
  optimizer: optax.GradientTransformation
  config: training_config.TrainingConfig
  methods: Sequence[protocol.Method]
  augment: step.BatchChange | None
  map_members: Callable[..., Any]
  collective: tasks.Collective
  watched: int = 0

  @property
  def _modalities(self) -> list[str]:
    return sorted(self.model.encoders)

  def _no_sums(self):
    names = [f'{step.WATCHED}{m}' for m in self._modalities]
    return {
      name: (jnp.zeros((), jnp.float32), jnp.zeros((), jnp.float32))
      for name in ('loss', *(names if self.watched else ()))
    }

  def initialise(self, members, segment: Segment, plan: batches.RowPlan):
    """First states; `members` holds (m,) of what differs between them.

    Under INIT it may hold (m, ...) variables to start from, by collection and
    module.
    """

    def one(member, plan):
      # Only its shapes count: parameters are drawn from the key.
      first = segment.raw(member['source'], plan, 0).batch()
      train = step.create_train_state(
        model=self.model,
        optimizer=self.optimizer,
        batch=first,
        key=jax.random.key(member['seed']),
        # Of the longest training it may have: when it will stop is not known,
        # and the schedule must not depend on who is trained beside it.
        total_steps=member['steps'] * member['epochs'],
        learning_rate=member['learning_rate'],
        weight_decay=member['weight_decay'],
        average=self.config.average > 0,
        methods=self.methods,
      )
      if INIT in member:
        train = train.starting_from(member[INIT])
        memory = tuple(m.memory(train.params) for m in self.methods)
        train = train.replace(memory=memory)
      return MemberState(
        train=train,
        source=member['source'],
        steps=member['steps'],
        epochs=member['epochs'],
        patience=member['patience'],
        epoch=jnp.zeros((), jnp.int32),
        sums=self._no_sums(),
        watched=jnp.full(
          (self.watched, len(self._modalities), 2), jnp.nan, jnp.float32
        )
        if self.watched
        else None,
        best=train.used,
        best_loss=jnp.full((), jnp.inf, jnp.float32),
        best_epoch=jnp.zeros((), jnp.int32),
        stopped=jnp.zeros((), bool),
        failed_step=jnp.zeros((), jnp.int32),
      )

    return self.map_members(one)(members, plan)

  def train(self, members, segment: Segment, plan: batches.RowPlan):
    """A segment of an epoch of every member that has not stopped.

    Members have epochs of different lengths; each takes those of the segment's
    steps that it has.

    Returns the new states, and (m,) steps that each has taken so far.
    """

    def one(member, plan):
      steps = jnp.clip(member.steps - segment.start, 0, segment.count)
      # Under vmap those that have stopped still compute: see running.py.
      steps = jnp.where(member.stopped, 0, steps)
      train, failed, sums = segment.fold(
        self.advance,
        (member.train, member.failed_step, member.sums),
        source=member.source,
        plan=plan,
        turns=steps,
      )
      member = member.replace(train=train, failed_step=failed, sums=sums)
      return member, train.step

    return self.map_members(one)(members, plan)

  def advance(self, number, carry, batch: types.Batch):
    """One step on one batch, whatever its number.

    `carry` is the training state, the first step whose loss was not finite (0
    if none was), and the (sum, weight) of the epoch's metrics so far.
    """
    del number
    train, failed, sums = carry
    train, metrics = step.train_step(
      train,
      batch,
      model=self.model,
      task=self.task,
      optimizer=self.optimizer,
      config=self.config,
      methods=self.methods,
      augment=self.augment,
      collective=self.collective,
    )
    loss, _ = metrics['loss']
    first_fault = (failed == 0) & ~jnp.isfinite(loss)
    failed = jnp.where(first_fault, train.step, failed)
    sums = {
      name: (total + metrics[name][0], weight + metrics[name][1])
      for name, (total, weight) in sums.items()
    }
    return train, failed, sums

  def evaluate(self, members, segment: Segment, plan: batches.RowPlan):
    """Each batch's logits, labels and which of them are known.

    Last, where a method watches it, by modality the logits of what is
    predicted from it alone, and which studies have it.

    (m, s, b, ...) of `MemberState.applied`; zeros of members that have stopped.
    """
    watched = bool(self.watched) or any(m.watches for m in self.methods)

    def give(variables, batch):
      # Not in training: statistics over studies are the stored ones.
      logits, out = self.model.apply(variables, batch, alone=watched)
      alone = {
        m: (x, batch.present[m]) for m, x in out.get('alone', {}).items()
      }
      return logits, batch.labels, batch.label_mask, alone

    def one(member, plan):
      def run(member, plan):
        return _of_each(give, member, segment, plan)

      def rest(member, plan):
        shapes = jax.eval_shape(run, member, plan)
        return jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes)

      return jax.lax.cond(member['stopped'], rest, run, member, plan)

    return self.map_members(one)(members, plan)

  def judge(self, members, nothing, plan):
    """Ends an epoch of every member that has not stopped.

    `plan` is the (m, s, b) plan of the validation batches and what `evaluate`
    gave for them.

    Returns the new states, and (m,) training and validation losses, which are
    NaN for members that had stopped before.
    """
    del nothing  # No array of the cohort.

    def run(member, plan):
      rows, found = plan
      train_loss = _mean(member.sums['loss'])
      valid_loss, alone = self._valid_losses(*found, rows)
      member = self._judged(member, valid_loss, alone)
      return member, (train_loss, valid_loss)

    def rest(member, plan):
      del plan
      return member, (jnp.full((), jnp.nan), jnp.full((), jnp.nan))

    def one(member, plan):
      return jax.lax.cond(member.stopped, rest, run, member, plan)

    return self.map_members(one)(members, plan)

  def _valid_losses(self, logits, labels, mask, alone, plan):
    """The mean loss of (s, b, ...) validation batches, taken as one.

    And by modality that of what is predicted from it alone. The loss of a
    survival task compares all of them.
    """
    flat = types.Batch(
      inputs={},
      present={},
      labels=labels.reshape(-1, labels.shape[-1]),
      label_mask=mask.reshape(-1, mask.shape[-1]),
      weight=plan.weight.reshape(-1),
      row=plan.rows.reshape(-1),
    )

    def mean(logits, batch):
      sums = tasks.loss_sums(
        self.task, logits.reshape(-1, logits.shape[-1]), batch, self.collective
      )
      return _mean(self.collective.psum(sums))

    return mean(logits, flat), {
      m: mean(x, flat.replace(weight=flat.weight * present.reshape(-1)))
      for m, (x, present) in alone.items()
    }

  def _after_epoch(self, member, valid_loss, alone):
    """The training state after what methods do between two epochs."""
    train, memory = member.train, []
    for method, own in zip(self.methods, train.memory, strict=True):
      own, collections = method.after_epoch(
        own,
        protocol.Ended(
          epoch=member.epoch + 1,
          epochs=member.epochs,
          params=train.params,
          collections=train.collections,
          valid=valid_loss,
          alone=alone,
        ),
      )
      memory.append(own)
      train = train.replace(collections=collections)
    return train.replace(memory=tuple(memory))

  def _with_epoch(self, member, alone):
    if not self.watched:
      return None
    row = jnp.stack(
      [
        jnp.stack([alone[m], _mean(member.sums[f'{step.WATCHED}{m}'])])
        for m in self._modalities
      ]
    )
    return member.watched.at[member.epoch].set(row)

  def _judged(self, member, valid_loss, alone):
    """The member after an epoch: its best variables, and whether it stops."""
    # Never true of NaN, so that a loss that is not finite is never the best.
    better = valid_loss < member.best_loss
    epoch = member.epoch + 1
    best_loss = jnp.where(better, valid_loss, member.best_loss)
    if share := protocol.untrained(self.methods):
      # Until the task's loss counts the newest is the best, however bad it is.
      taken, most = epoch * member.steps, member.epochs * member.steps
      early = taken <= jnp.float32(share) * most
      better |= early
      best_loss = jnp.where(early, jnp.inf, best_loss)
    best_epoch = jnp.where(better, epoch, member.best_epoch)
    going = (epoch - best_epoch < member.patience) & (epoch < member.epochs)
    return member.replace(
      train=self._after_epoch(member, valid_loss, alone),
      epoch=epoch,
      sums=self._no_sums(),
      watched=self._with_epoch(member, alone),
      best=jax.tree.map(
        lambda new, old: jnp.where(better, new, old),
        member.train.used,
        member.best,
      ),
      best_loss=best_loss,
      best_epoch=best_epoch,
      stopped=~going | (member.failed_step > 0),
    )

  def predict(self, members, segment: Segment, plan: batches.RowPlan):
    """(m, s, b, outputs) logits; `members` holds 'variables' and 'source'."""

    def give(variables, batch):
      return self.model.apply(variables, batch)[0]

    def one(member, plan):
      return _of_each(give, member, segment, plan)

    return self.map_members(one)(members, plan)

  def encode(
    self, members, segment: Segment, plan: batches.RowPlan, *, modality: str
  ):
    """(m, s, b, c) pooled features of `modality`, likewise."""

    def give(variables, batch):
      found = self.model.apply(
        variables, batch, train=False, method=self.model.encode
      )
      return found[modality].pooled

    def one(member, plan):
      return _of_each(give, member, segment, plan)

    return self.map_members(one)(members, plan)


def _mean(sums: tuple[jax.Array, jax.Array]) -> jax.Array:
  total, weight = sums
  return total / jnp.maximum(weight, 1e-6)


def _of_each(give, member, segment: Segment, plan: batches.RowPlan):
  """(s, ...) of what `give` makes of variables and each batch; zeros beyond."""

  def at(batch):
    return give(member['variables'], batch)

  def write(k, found, batch):
    return jax.tree.map(lambda out, x: out.at[k].set(x), found, at(batch))

  one = jax.eval_shape(
    lambda: at(segment.raw(member['source'], plan, 0).batch())
  )
  size = plan.rows.shape[0]
  return segment.fold(
    write,
    jax.tree.map(lambda x: jnp.zeros((size, *x.shape), x.dtype), one),
    source=member['source'],
    plan=plan,
    turns=segment.count,
  )


def stacked(*x):
  """Leaves of several states as one, on the host."""
  # Keys are no numbers to NumPy.
  keys = jax.dtypes.issubdtype(x[0].dtype, jax.dtypes.prng_key)
  return jnp.stack(x) if keys else np.stack(x)


def joined(*x):
  """Leaves of states of one member each as one, on the host."""
  keys = jax.dtypes.issubdtype(x[0].dtype, jax.dtypes.prng_key)
  return jnp.concatenate(x) if keys else np.concatenate(x)
