"""Shared and distinct representations, weighed for each label.

Yao et al. 2024, "DrFuse: learning disentangled representation for clinical
multi-modal fusion with missing modality and modal inconsistency", AAAI: of each
modality are made a representation that the modalities share and one that it has
alone. The shared ones, as probabilities sigmoid(h), are averaged over what a
study has, and the logit of the mean is taken. For each label an attention of
its own weighs the distinct ones and the shared one, and a linear layer of its
own predicts from their weighted values.

What differs: any number of modalities, none of which is always there; the
encoders are the same for both representations, which part in a linear layer
each. The losses that make one shared and the other distinct, and the attention
rank what predicts best, are added by the training method `drfuse`: without it
nothing but the names tells the representations apart.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.fusion import attention, checks, protocol

# Of log probabilities of what is absent: they add nothing to a sum.
_NOTHING = -1e9
_HEAD = nn.initializers.lecun_normal(in_axis=1, out_axis=0)


def mean_logit(logits: jax.Array, here: jax.Array) -> jax.Array:
  """(b, c) logits of the mean probability over (b, m, c) logits.

  Only those count that are `here`, (b, m) bool; 0 where none is.
  """
  here = here[..., None]
  yes, no = (
    jax.nn.logsumexp(
      jnp.where(here, jax.nn.log_sigmoid(sign * logits), _NOTHING), axis=1
    )
    for sign in (1, -1)
  )
  return jnp.where(here.any(1), yes - no, 0)


class DrFuse(nn.Module):
  """Representations, an attention and a linear layer for each output.

  Attributes:
    num_outputs: number s of logits.
    width: of the representations.
    dropout: rate on what is attended to.
  """

  num_outputs: int
  width: int = 64
  dropout: float = 0.5

  @nn.compact
  def __call__(self, features, present, *, train: bool):
    """Returns ((b, s) logits, out).

    out['attention'] (b, s, modalities + 1) holds the weights of each one's
    distinct representation in sorted order and of the shared one, which is
    last; out['distinct'], out['shared'] (b, modalities, width) and
    out['together'] (b, width) the representations, 'together' being the logit
    of the shared ones' mean; out['predicted'] (b, modalities + 1, s) the
    logits of each representation alone. 0 of what is absent.
    """
    names = sorted(features)
    here = jnp.stack([present[m] for m in names], axis=1)  # (b, m)
    distinct, shared = (
      jnp.stack(
        [
          nn.Dense(self.width, name=f'{what}_{m}')(features[m].pooled)
          for m in names
        ],
        axis=1,
      )
      for what in ('distinct', 'shared')
    )  # (b, m, width)
    # Into one space, in which they can be compared.
    shared = nn.Dense(self.width, name='project')(nn.relu(shared))
    distinct, shared = (
      jnp.where(here[..., None], x, 0) for x in (distinct, shared)
    )
    together = mean_logit(shared, here)
    parts = jnp.concatenate([distinct, together[:, None]], axis=1)
    there = jnp.concatenate([here, here.any(1, keepdims=True)], axis=1)

    query = nn.Dense(self.width, name='query')(parts)
    query = jnp.where(there[..., None], query, 0).sum(1)
    query /= jnp.maximum(there.sum(1, keepdims=True), 1).astype(query.dtype)
    keys = nn.DenseGeneral((self.num_outputs, self.width), name='keys')(parts)
    scores = jnp.einsum('bw,bpsw->bsp', query, keys) * self.width**-0.5
    weights = attention.shares(scores, there[:, None], axis=-1)
    values = nn.Dense(self.width, name='values')(parts)
    x = jnp.einsum('bsp,bpw->bsw', weights, values)
    x = nn.Dropout(self.dropout, deterministic=not train)(x)
    kernel = self.param('head', _HEAD, (self.num_outputs, self.width))
    bias = self.param('bias', nn.initializers.zeros, (self.num_outputs,))
    return jnp.einsum('bsw,sw->bs', x, kernel) + bias, {
      'attention': weights,
      'distinct': distinct,
      'shared': shared,
      'together': together,
      'predicted': self._predicted(names, parts, there),
    }

  def _predicted(self, names, parts, there):
    each = [
      nn.Dense(self.num_outputs, name=f'alone_{m}')(parts[:, k])
      for k, m in enumerate(names)
    ]
    each.append(
      nn.Dense(self.num_outputs, name='together')(parts[:, len(names)])
    )
    return jnp.where(there[..., None], jnp.stack(each, axis=1), 0)


@protocol.COMBINERS.register(
  'drfuse',
  summary='shared and distinct representations (DrFuse, Yao 2024)',
  interactions=True,
  missing=('test', 'training'),
)
def drfuse(
  *, num_outputs: int, width: int = 64, dropout: float = 0.5
) -> DrFuse:
  """Meant with the training method of the same name."""
  checks.at_least_one('drfuse', width=width)
  checks.rate('drfuse', dropout=dropout)
  return DrFuse(num_outputs, width, dropout)
