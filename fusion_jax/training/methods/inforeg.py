"""Slows the modality that leads while most is learnt.

Huang et al. 2025, "Adaptive unimodal regulation for balanced multimodal
information acquisition", CVPR (InfoReg). Each modality's own loss is added to
the task's. As long as the trace of the Fisher information of the leading
modality's encoder grows fast (the prime learning window), what its encoder has
learnt in this epoch is held back: to its gradients is added beta exp(tanh(gap))
(theta - theta'), where theta' are the parameters at the start of the epoch, and
gap is by how much the probability that the modality alone gives to the labels
of a batch exceeds the other's.

What differs: what a modality predicts alone is the prediction of the model's
own combiner, where the paper has heads. The authors' code decides for each data
set which modality can lead and how large its beta is; here it is whichever
does, and one beta. With more than two modalities a score is held against the
mean of the others'. As there, growth is (T - T') / T of sums of traces over the
last ten epochs and over the ten that ended one epoch before, a trace is the sum
over arrays with two axes or more of the mean squared gradient, and gaps are
summed over a batch.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from fusion_jax.core import errors, types
from fusion_jax.fusion import model as models
from fusion_jax.training import protocol, scores, tasks

# Epochs over which traces are summed.
SPAN = 10
_TINY = 1e-12


def trace(gradients: Any) -> jax.Array:
  """() of the diagonal of the empirical Fisher information, array by array."""
  leaves = [x for x in jax.tree.leaves(gradients) if x.ndim > 1]
  return sum((jnp.square(x).mean() for x in leaves), jnp.float32(0))


def growth(traces: jax.Array) -> jax.Array:
  """() of (SPAN + 1,) traces by epoch, the last one last, 0 before the first.

  1 before any is known.
  """
  now, before = traces[1:].sum(), traces[:-1].sum()
  grown = (now - before) / jnp.maximum(now, _TINY)
  return jnp.where(now > 0, grown, 1.0)


@dataclasses.dataclass(frozen=True)
class InfoReg(protocol.Method):
  """Losses of each modality alone, and a brake on the leading encoder.

  Attributes:
    task: one of `scores.TASKS`.
    modalities: of the model.
    beta: strength of the brake.
    window: growth of the trace below which the window is closed.
    kept: what it remembers, in a step.
    params: before the step, in a step.
  """

  task: types.Task
  modalities: tuple[str, ...]
  beta: float
  window: float
  kept: Any = None
  params: Any = None

  alone: ClassVar[bool] = True

  def memory(self, params):
    """Encoders at the start of the epoch, and traces."""
    names = [models.encoder_name(m) for m in self.modalities]
    return {
      'start': {x: params[x] for x in names if x in params},
      'sums': {m: jnp.float32(0) for m in self.modalities},
      'traces': {m: jnp.zeros(SPAN + 1) for m in self.modalities},
    }

  def recalling(self, memory, params):
    """With what it remembers, and the parameters."""
    return dataclasses.replace(self, kept=memory, params=params)

  def losses(self, logits, out, batch, collective):
    """By 'inforeg/MODALITY', its (sum, weight)."""
    del logits
    found: dict[str, tuple] = {}
    if len(out['alone']) < 2:
      return found  # It would be the task's own loss once more.
    for m, alone in out['alone'].items():
      own = batch.replace(weight=batch.weight * batch.present[m])
      found[f'inforeg/{m}'] = tasks.loss_sums(self.task, alone, own, collective)
    return found

  def strengths(self, out, batch, collective) -> dict[str, jax.Array]:
    """By modality, the () factor on how far its encoder has gone."""
    totals = {
      m: scores.sums(self.task, x, batch, batch.present[m], collective)[0]
      for m, x in out['alone'].items()
    }
    best = jnp.stack(list(totals.values())).max()
    found = {}
    for m, own in totals.items():
      others = [x for o, x in totals.items() if o != m]
      gap = jnp.tanh(own - sum(others) / max(len(others), 1))
      leads = (own >= best) & (gap > 0) & bool(others)
      opened = growth(self.kept['traces'][m]) > self.window
      found[m] = jnp.where(leads & opened, self.beta * jnp.exp(gap), 0.0)
    return found

  def gradients(self, gradients, out, batch, *, key, collective):
    """Gradients, the leading encoder's with a pull back to where it was."""
    del key
    changed = dict(gradients)
    for m, strength in self.strengths(out, batch, collective).items():
      name = models.encoder_name(m)
      if name in gradients:
        changed[name] = jax.tree.map(
          lambda g, now, then, s=strength: g + s * (now - then),
          gradients[name],
          self.params[name],
          self.kept['start'][name],
        )
    return changed

  def after_step(self, memory, taken):
    """With the traces of the step's gradients."""
    more = {
      m: x + trace(taken.gradients.get(models.encoder_name(m), ()))
      for m, x in memory['sums'].items()
    }
    return {**memory, 'sums': more}

  def after_epoch(self, memory, ended):
    """With the epoch's traces, and encoders as they are now."""
    return {
      'start': {x: ended.params[x] for x in memory['start']},
      'sums': jax.tree.map(jnp.zeros_like, memory['sums']),
      'traces': {
        m: jnp.concatenate([x[1:], memory['sums'][m][None]])
        for m, x in memory['traces'].items()
      },
    }, ended.collections


@protocol.METHODS.register(
  'inforeg',
  summary='holds the leading encoder back at first (InfoReg, Huang 2025)',
  tasks=scores.TASKS,
)
def inforeg(
  *,
  task: types.Task,
  modalities: tuple[str, ...],
  beta: float = 0.95,
  window: float = 0.04,
) -> InfoReg:
  """`beta` is the strength, `window` the growth at which it ends."""
  if not beta >= 0:
    raise errors.UserError(
      f'inforeg(beta={beta:g}): expected a number of at least 0.'
    )
  if not 0 <= window <= 1:
    raise errors.UserError(
      f'inforeg(window={window:g}): expected a number from 0 to 1.'
    )
  return InfoReg(task, tuple(modalities), beta, window)
