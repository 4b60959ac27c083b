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


@flax.struct.dataclass
class MemberState:
  """One member between epochs.

  Attributes:
    train: what the steps change.
    source: () int32 the source of its inputs.
    steps: () int32 steps in one of its epochs.
    epochs: () int32 most epochs.
    patience: () int32 epochs without a lower validation loss before it stops.
    epoch: () int32 epochs done.
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
  best: dict[str, Any]
  best_loss: jax.Array
  best_epoch: jax.Array
  stopped: jax.Array
  failed_step: jax.Array


@flax.struct.dataclass
class EpochPlan:
  """What one epoch feeds: training batches, then validation batches."""

  train: batches.RowPlan
  valid: batches.RowPlan


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
  """

  model: models.FusionModel
  task: types.Task
  optimizer: optax.GradientTransformation
  config: training_config.TrainingConfig
  methods: Sequence[protocol.Method]
  augment: step.BatchChange | None
  map_members: Callable[..., Any]
  collective: tasks.Collective

  def initialise(
    self, members, shared: batches.Resident, plan: batches.RowPlan
  ):
    """First states; `members` holds (m,) of what differs between them."""

    def one(member, rows):
      # Only its shapes count: parameters are drawn from the key.
      first = batches.gather(
        shared, member['source'], jax.tree.map(lambda x: x[0], rows)
      )
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
      )
      return MemberState(
        train=train,
        source=member['source'],
        steps=member['steps'],
        epochs=member['epochs'],
        patience=member['patience'],
        epoch=jnp.zeros((), jnp.int32),
        best=train.used,
        best_loss=jnp.full((), jnp.inf, jnp.float32),
        best_epoch=jnp.zeros((), jnp.int32),
        stopped=jnp.zeros((), bool),
        failed_step=jnp.zeros((), jnp.int32),
      )

    return self.map_members(one)(members, plan)

  def epoch(self, members, shared: batches.Resident, plan: EpochPlan):
    """One epoch of every member that has not stopped.

    Returns the new states, and (m,) training and validation losses, which are
    NaN for members that had stopped before.
    """

    def run(member, plan):
      member, train_loss = self._train(member, shared, plan.train)
      found = self._all_logits(
        member.train.used, member.source, shared, plan.valid
      )
      valid_loss = self.valid_loss(*found, plan.valid)
      return self.judge(member, valid_loss), (train_loss, valid_loss)

    def rest(member, plan):
      del plan
      return member, (jnp.full((), jnp.nan), jnp.full((), jnp.nan))

    def one(member, plan):
      # Mapped one after the other, members that have stopped cost nothing.
      # Under vmap this is a selection, and they still compute: see running.py.
      return jax.lax.cond(member.stopped, rest, run, member, plan)

    return self.map_members(one)(members, plan)

  def advance(self, carry, source, shared, rows):
    """One step on one batch.

    `carry` is the training state, the first step whose loss was not finite (0
    if none was), and the (sum, weight) of the epoch's losses so far.
    """
    train, failed, sums = carry
    batch = batches.gather(shared, source, rows)
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
    loss, weight = metrics['loss']
    first_fault = (failed == 0) & ~jnp.isfinite(loss)
    failed = jnp.where(first_fault, train.step, failed)
    return train, failed, (sums[0] + loss, sums[1] + weight)

  def _train(self, member, shared, plan):
    # A scan, not a loop in Python: one dispatch an epoch instead of one a step,
    # which is most of the time of small models.
    def feed(carry, item):
      number, rows = item

      def go(carry):
        return self.advance(carry, member.source, shared, rows)

      # Members have epochs of different lengths, and one plan for all.
      return jax.lax.cond(
        number < member.steps, go, lambda carry: carry, carry
      ), None

    zero = jnp.zeros((), jnp.float32)
    steps = plan.rows.shape[0]
    carry = (member.train, member.failed_step, (zero, zero))
    carry, _ = jax.lax.scan(feed, carry, (jnp.arange(steps), plan))
    train, failed, (loss, weight) = carry
    member = member.replace(train=train, failed_step=failed)
    return member, loss / jnp.maximum(weight, 1e-6)

  def logits(self, variables, source, shared, rows):
    """(b, outputs) logits of one batch, its labels and which are known."""
    batch = batches.gather(shared, source, rows)
    # Not in training: statistics over studies are the stored ones.
    logits, _ = self.model.apply(variables, batch)
    return logits, batch.labels, batch.label_mask

  def _all_logits(self, variables, source, shared, plan):
    """What `logits` gives for each batch of `plan` (s, b)."""

    def feed(_, rows):
      return None, self.logits(variables, source, shared, rows)

    return jax.lax.scan(feed, None, plan)[1]

  def valid_loss(self, logits, labels, mask, plan):
    """The mean loss of (s, b, ...) validation batches, taken as one.

    The loss of a survival task compares all of them.
    """
    flat = types.Batch(
      inputs={},
      present={},
      labels=labels.reshape(-1, labels.shape[-1]),
      label_mask=mask.reshape(-1, mask.shape[-1]),
      weight=plan.weight.reshape(-1),
      row=plan.rows.reshape(-1),
    )
    sums = tasks.loss_sums(
      self.task, logits.reshape(-1, logits.shape[-1]), flat, self.collective
    )
    loss, weight = self.collective.psum(sums)
    return loss / jnp.maximum(weight, 1e-6)

  def judge(self, member, valid_loss):
    """The member after an epoch: its best variables, and whether it stops."""
    # Never true of NaN, so that a loss that is not finite is never the best.
    better = valid_loss < member.best_loss
    epoch = member.epoch + 1
    best_epoch = jnp.where(better, epoch, member.best_epoch)
    going = (epoch - best_epoch < member.patience) & (epoch < member.epochs)
    return member.replace(
      epoch=epoch,
      best=jax.tree.map(
        lambda new, old: jnp.where(better, new, old),
        member.train.used,
        member.best,
      ),
      best_loss=jnp.where(better, valid_loss, member.best_loss),
      best_epoch=best_epoch,
      stopped=~going | (member.failed_step > 0),
    )

  def predict(self, members, shared: batches.Resident, plan: batches.RowPlan):
    """(m, s, b, outputs) logits; `members` holds 'variables' and 'source'."""

    def one(member, plan):
      return self._all_logits(
        member['variables'], member['source'], shared, plan
      )[0]

    return self.map_members(one)(members, plan)

  def encode(
    self,
    members,
    shared: batches.Resident,
    plan: batches.RowPlan,
    *,
    modality: str,
  ):
    """(m, s, b, c) pooled features of `modality`."""

    def one(member, plan):
      def feed(_, rows):
        return None, self.features(
          member['variables'], member['source'], shared, rows, modality
        )

      return jax.lax.scan(feed, None, plan)[1]

    return self.map_members(one)(members, plan)

  def features(self, variables, source, shared, rows, modality: str):
    """(b, c) pooled features of `modality` of one batch."""
    batch = batches.gather(shared, source, rows)
    found = self.model.apply(
      variables, batch, train=False, method=self.model.encode
    )
    return found[modality].pooled


def stacked(*x):
  """Leaves of several states as one, on the host."""
  # Keys are no numbers to NumPy.
  keys = jax.dtypes.issubdtype(x[0].dtype, jax.dtypes.prng_key)
  return jnp.stack(x) if keys else np.stack(x)
