"""Combines gradients of the fused and of each modality's own loss.

Wei and Hu 2024, "MMPareto: boosting multimodal learning with innocent unimodal
assistance", ICML. Each modality's own loss is added to the task's. Where the
two gradients of an encoder point apart, it is given their combination of least
norm (two objectives of the multiple-gradient descent algorithm), which serves
both; where they do not, their sum. Of a combination that is shorter than the
sum the size is restored, since it is what stochastic gradients' noise, and so
generalisation, follows from.

What differs: what a modality predicts alone is the prediction of the model's
own combiner where the paper has a linear head for each. As in the authors' code
directions are compared over a whole encoder, sizes are restored array by array,
and all is multiplied by `gamma`, 1.5 there.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from fusion_jax.core import errors, types
from fusion_jax.fusion import model as models
from fusion_jax.training import protocol, tasks

_TINY = 1e-12


def _dot(a, b):
  products = jax.tree.map(lambda x, y: (x * y).sum(), a, b)
  return sum(jax.tree.leaves(products))


def pareto_weight(fused: Any, own: Any) -> jax.Array:
  """() weight of `fused` in the combination with `own` of least norm.

  One half where the gradients point into one half space.
  """
  cross = _dot(fused, own)
  apart = _dot(fused, fused) + _dot(own, own) - 2 * cross
  least = (_dot(own, own) - cross) / jnp.maximum(apart, _TINY)
  return jnp.where(cross < 0, jnp.clip(least, 0, 1), 0.5)


def combined(fused: Any, own: Any, gamma: float) -> Any:
  """The gradient that an encoder is given instead of the sum of two."""
  weight = pareto_weight(fused, own)

  def one(a, b):
    both = 2 * (weight * a + (1 - weight) * b)
    size, whole = (jnp.sqrt((x * x).sum()) for x in (both, a + b))
    restored = jnp.where(size > _TINY, whole / jnp.maximum(size, _TINY), 1.0)
    return gamma * jnp.maximum(restored, 1.0) * both

  return jax.tree.map(one, fused, own)


@dataclasses.dataclass(frozen=True)
class MMPareto(protocol.Method):
  """Losses of each modality alone, whose gradients do no harm.

  Attributes:
    task: gives the losses.
    gamma: factor on what encoders are given.
  """

  task: types.Task
  gamma: float

  alone: ClassVar[bool] = True
  by_loss: ClassVar[tuple[str, ...]] = ('loss', 'mmpareto')

  def losses(self, logits, out, batch, collective):
    """By 'mmpareto/MODALITY', its (sum, weight)."""
    del logits
    found: dict[str, tuple] = {}
    if len(out['alone']) < 2:
      return found  # It would be the task's own loss once more.
    for m, alone in out['alone'].items():
      own = batch.replace(weight=batch.weight * batch.present[m])
      found[f'mmpareto/{m}'] = tasks.loss_sums(
        self.task, alone, own, collective
      )
    return found

  def gradients(self, gradients, out, batch, *, key, collective):
    """Gradients whose encoders' parts are combined anew."""
    del batch, key, collective
    changed = dict(gradients)
    for m in out['alone']:
      name = models.encoder_name(m)
      own = out['gradients'].get(f'mmpareto/{m}')
      if own is None or name not in gradients:
        continue  # A single modality, or an encoder without parameters.
      fused, own = out['gradients']['loss'][name], own[name]
      # What further losses add stays as it is.
      changed[name] = jax.tree.map(
        lambda whole, a, b, new: whole - a - b + new,
        gradients[name],
        fused,
        own,
        combined(fused, own, self.gamma),
      )
    return changed


@protocol.METHODS.register(
  'mmpareto', summary="adds each modality's loss without harm (MMPareto)"
)
def mmpareto(*, task: types.Task, gamma: float = 1.5) -> MMPareto:
  """`gamma` is the factor on what encoders are given."""
  if not gamma > 0:
    raise errors.UserError(
      f'mmpareto(gamma={gamma:g}): expected a number above 0.'
    )
  return MMPareto(task, gamma)
