"""Boosts the modality that lags, with the combiner `aug`.

Jiang et al. 2025, "Rethinking multimodal learning from the perspective of
mitigating classification ability disproportion", NeurIPS (AUG). Each modality's
logits have a loss of their own. Where it has more than its first layer, so have
the logits of all but the last layer, and those of the last one alone, whose
labels are what the others leave: y - lambda y p, p being the probability that
they give to it. Now and then, the modality that gave less probability to the
labels of the last epoch is given one more layer (adaptive classifier
assignment).

What differs: modalities learn in one step, where the authors' code takes a step
for each in turn, and the loss of the fused prediction, which the paper does not
have, is that of the task and stays. Of more than two modalities the one with
the least probability is given the layer, if the mean of the others' exceeds it
by a share of `margin`. As in the code lambda is 0.5, the margin 0.01, and there
are ten looks, spread over the most epochs that there can be, and one after the
first.
"""

import dataclasses

import jax
import jax.numpy as jnp

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, scores, tasks

GATES = 'gates'


@dataclasses.dataclass(frozen=True)
class AUG(protocol.Method):
  """Losses of the layers of each modality, and the gates of these.

  Attributes:
    task: one of `scores.TASKS`.
    modalities: of the model.
    residual: lambda.
    margin: share by which others exceed a modality that is given a layer.
    looks: how often, over all epochs.
  """

  task: types.Task
  modalities: tuple[str, ...]
  residual: float
  margin: float
  looks: int

  def memory(self, params):
    """By modality, the epoch's (sum, weight) of labels' probabilities."""
    del params
    return {m: (jnp.float32(0), jnp.float32(0)) for m in self.modalities}

  def losses(self, logits, out, batch, collective):
    """By 'aug/NAME/MODALITY', their (sum, weight).

    Raises:
      UserError: if a model of several modalities has another combiner.
    """
    del logits
    found: dict[str, tuple] = {}
    if len(out['features']) < 2:
      return found  # There is nothing to lag behind.
    if 'boosted' not in out:
      names = ', '.join(sorted(out['features']))
      raise errors.UserError(
        'aug adds the losses of the combiner of this name, which a model of '
        f'{names} does not have: give it combiner=aug.'
      )
    for m, x in out['boosted'].items():
      whole, before, last = (x[:, k] for k in range(3))
      own = batch.replace(weight=batch.weight * batch.present[m])
      _, weight = tasks.loss_sums(self.task, whole, own, collective)
      more = own.replace(weight=own.weight * out['opened'][m])
      found[f'aug/whole/{m}'] = tasks.loss_sums(
        self.task, whole, own, collective
      )
      # Their weight must not depend on the model: a closed layer's loss is 0.
      found[f'aug/before/{m}'] = (
        tasks.loss_sums(self.task, before, more, collective)[0],
        weight,
      )
      found[f'aug/last/{m}'] = self._left(last, before, more), weight
    return found

  def _left(self, last, before, batch):
    """The sum of losses of the last layer, of what the others leave."""
    p = jax.lax.stop_gradient(scores.of_labels(self.task, before, batch.labels))
    log_q = scores.log_of_labels(self.task, last, batch.labels)
    weight = batch.weight[:, None] * batch.label_mask
    return -((1 - self.residual * p) * log_q * weight).sum()

  def after_step(self, memory, taken):
    """With the probabilities of the step's labels."""
    if 'boosted' not in taken.out:
      return memory
    return {
      m: jax.tree.map(
        jnp.add,
        memory[m],
        scores.sums(
          self.task,
          taken.out['boosted'][m][:, 0],
          taken.batch,
          taken.batch.present[m],
          taken.collective,
        ),
      )
      for m in self.modalities
    }

  def lags(self, memory) -> dict[str, jax.Array]:
    """By modality, () whether it is to be given a layer."""
    means = {m: s / jnp.maximum(w, 1e-6) for m, (s, w) in memory.items()}
    least = jnp.stack(list(means.values())).min()
    found = {}
    for m, own in means.items():
      others = [x for o, x in means.items() if o != m]
      mean = sum(others) / max(len(others), 1)
      found[m] = (own <= least) & (mean > (1 + self.margin) * own)
    return found

  def after_epoch(self, memory, ended):
    """Forgets the epoch, once its gates are opened if it is time."""
    every = jnp.maximum(ended.epochs // self.looks, 1)
    looks = (ended.epoch % every == 0) | (ended.epoch == 1)
    lags = self.lags(memory)

    def opened(path, gates):
      m = path[-1].key
      if path[0].key != GATES or m not in lags:
        return gates
      order = jnp.arange(len(gates))
      more = (order <= gates.sum()).astype(gates.dtype)
      return jnp.where(looks & lags[m], more, gates)

    return (
      jax.tree.map(jnp.zeros_like, memory),
      jax.tree_util.tree_map_with_path(opened, ended.collections),
    )


@protocol.METHODS.register(
  'aug',
  summary='boosts the modality that lags (AUG, Jiang 2025)',
  tasks=scores.TASKS,
  combiner='aug',
)
def aug(
  *,
  task: types.Task,
  modalities: tuple[str, ...],
  residual: float = 0.5,
  margin: float = 0.01,
  looks: int = 10,
) -> AUG:
  """`residual` is the share of what others say; `looks` how often to look."""
  if not 0 <= residual <= 1:
    raise errors.UserError(
      f'aug(residual={residual:g}): expected a number from 0 to 1.'
    )
  if not margin >= 0:
    raise errors.UserError(
      f'aug(margin={margin:g}): expected a number of at least 0.'
    )
  if looks < 1:
    raise errors.UserError(
      f'aug(looks={looks}): expected a whole number of at least 1.'
    )
  return AUG(task, tuple(modalities), residual, margin, looks)
