"""On-the-fly gradient modulation with generalisation enhancement.

Peng et al. 2022, "Balanced multimodal learning via on-the-fly gradient
modulation", CVPR, equations 8 to 12. The modality that already predicts the
labels better than the others has the gradients of its encoder shrunk; noise of
the gradients' own size makes up for what shrinking takes from stochastic
gradients.

What differs: the paper, which has two modalities and a linear head, takes
a modality's score from the head's columns that belong to it; here it is the
probability that the model gives to the labels if it sees that modality alone,
which any combiner has. With more than two modalities a score is held against
the mean of the others'.
"""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from fusion_jax.core import errors, types
from fusion_jax.fusion import model as models
from fusion_jax.training import protocol

# Those whose labels have probabilities, which are compared.
TASKS = (types.BINARY, types.MULTICLASS, types.MULTILABEL)


@dataclasses.dataclass(frozen=True)
class OGMGE(protocol.Method):
  """Shrinks gradients of the encoder that leads.

  Attributes:
    task: one of TASKS.
    alpha: how fast gradients shrink with the lead.
    noise: whether noise is added to those of kernels.
  """

  task: types.Task
  alpha: float
  noise: bool

  alone: ClassVar[bool] = True

  def score(self, logits, batch):
    """(b,) mean probability of a study's known labels, and their number."""
    labels = batch.labels
    if self.task.kind == types.MULTICLASS:
      log_p = jax.nn.log_softmax(logits)
      codes = labels[:, :1].astype(jnp.int32)
      p = jnp.exp(jnp.take_along_axis(log_p, codes, axis=1))
    else:
      p = jax.nn.sigmoid(jnp.where(labels > 0, logits, -logits))
    return (p * batch.label_mask).sum(1), batch.label_mask.sum(1)

  def factors(self, out, batch, collective) -> dict[str, jax.Array]:
    """By modality, the () factor on the gradients of its encoder."""
    scores = {}
    for m, logits in out['alone'].items():
      weight = batch.weight * batch.present[m]
      p, known = self.score(logits, batch)
      total, count = collective.psum(
        ((weight * p).sum(), (weight * known).sum())
      )
      scores[m] = total / jnp.maximum(count, 1e-6)
    found = {}
    for m, own in scores.items():
      others = [s for o, s in scores.items() if o != m]
      mean = sum(others) / max(len(others), 1)
      lead = own / jnp.maximum(mean, 1e-6)
      # Without another modality in the batch there is nothing to lead.
      leads = (lead > 1) & (mean > 0)
      found[m] = jnp.where(leads, 1 - jnp.tanh(self.alpha * lead), 1.0)
    return found

  def gradients(
    self, gradients: Any, out, batch, *, key, collective
  ) -> dict[str, Any]:
    """Gradients whose encoders' parts are shrunk, and noisy."""
    changed = dict(gradients)
    factors = self.factors(out, batch, collective)
    for number, m in enumerate(sorted(factors)):
      name = models.encoder_name(m)
      if name not in gradients:
        continue  # An encoder without parameters.
      leaves, tree = jax.tree.flatten(gradients[name])
      own = jax.random.fold_in(key, number)
      changed[name] = tree.unflatten(
        self._modulated(g, factors[m], jax.random.fold_in(own, k))
        for k, g in enumerate(leaves)
      )
    return changed

  def _modulated(self, gradient, factor, key):
    shrunk = factor * gradient
    if not self.noise or gradient.ndim < 2:
      return shrunk
    draws = jax.random.normal(key, gradient.shape)
    # Where nothing was shrunk, nothing was lost.
    return shrunk + jnp.where(factor < 1, gradient.std() * draws, 0.0)


@protocol.METHODS.register(
  'ogm_ge',
  summary="shrinks gradients of the leading modality's encoder (OGM-GE)",
  tasks=TASKS,
)
def ogm_ge(
  *, task: types.Task, alpha: float = 0.5, noise: bool = True
) -> OGMGE:
  """`alpha` is of equation 10; `noise` is the second half of the name."""
  if not alpha >= 0:
    raise errors.UserError(
      f'ogm_ge(alpha={alpha:g}): expected a number of at least 0.'
    )
  return OGMGE(task, alpha, noise)
