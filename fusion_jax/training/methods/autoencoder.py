"""Adds the loss of giving all modalities back from one joint code.

A joint autoencoder after Ngiam et al. 2011, "Multimodal deep learning", ICML,
section 3.3: the features of all modalities make one code, from which a decoder
for each gives its inputs back; the same is asked of the code of each modality
alone, so that it has to hold what the modality tells of the others. With
`variational` the code is a Gaussian, the product of one expert for each
modality that a study has and of the prior N(0, 1), and the loss the evidence
bound (Wu and Goodman 2018, "Multimodal generative models for scalable
weakly-supervised learning", NeurIPS, sections 2.2 and 2.3), of all modalities
and of each alone.

What differs: decoders give back what `training/reconstruction.py` takes of the
inputs (a small picture, a table's observed values, a vector; no series), each
modality's error being a mean over its values, and the divergence from the prior
is divided by the number of all values, so that no modality counts by its size;
no subset of two or more but the whole is drawn. The code is for this loss
alone: the combiner joins the features in its own way, and the label is no
modality.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.fusion import checks
from fusion_jax.training import protocol, reconstruction

NAME = 'autoencoder'
# Largest absolute log variance of an expert.
_SURE = 8.0


def product(
  mean: jax.Array, log_variance: jax.Array, here: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """(b, c) mean and variance of the product of experts and the prior N(0, 1).

  Args:
    mean: (b, m, c) of each expert.
    log_variance: (b, m, c).
    here: (b, m) bool, which experts count.
  """
  precision = jnp.where(here[..., None], jnp.exp(-log_variance), 0.0)
  total = 1.0 + precision.sum(1)
  return (precision * mean).sum(1) / total, 1.0 / total


def divergence(mean: jax.Array, variance: jax.Array) -> jax.Array:
  """(b,) Kullback-Leibler divergence of (b, c) Gaussians from N(0, 1)."""
  return 0.5 * (mean**2 + variance - 1.0 - jnp.log(variance)).sum(-1)


class Coder(nn.Module):
  """A joint code, and a decoder for each modality.

  Attributes:
    width: of the code.
    hidden: width of hidden layers.
    variational: whether the code is drawn from a product of experts.
    levels: (modality, numbers that a code of it can be).
  """

  width: int
  hidden: int
  variational: bool
  levels: tuple[tuple[str, int], ...]

  @nn.compact
  def __call__(self, out, batch, noise=None):
    """What all modalities, and each alone, make of every modality.

    Returns by subset ('' for all, otherwise one modality) its (b,) presence, a
    dict of (b, size) predictions and (b,) divergences from the prior (0 if not
    variational).
    """
    names = sorted(out['features'])
    here = jnp.stack([batch.present[m] for m in names], 1)  # (b, m)
    pooled = {m: out['features'][m].pooled for m in names}
    decoders = self._decoders(batch, names)
    code_of = (self._drawn if self.variational else self._plain)(pooled, noise)
    found = {}
    subsets = ['', *(names if len(names) > 1 else ())]
    for number, subset in enumerate(subsets):
      seen = here & jnp.array([subset in ('', m) for m in names])
      code, apart = code_of(seen, number)
      given = {m: decode(code) for m, decode in decoders.items()}
      found[subset] = seen.any(1), given, apart
    return found

  def _plain(self, pooled, noise):
    """Makes codes of one hidden layer; what is absent has no part in it."""
    del noise
    parts = [
      nn.Dense(self.hidden, use_bias=False, name=f'part_{m}')(x)
      for m, x in pooled.items()
    ]
    presence = nn.Dense(self.hidden, name='presence')
    last = nn.Dense(self.width, name='code')

    def code(seen, number):
      del number
      total = presence(seen.astype(jnp.float32))
      for k, part in enumerate(parts):
        total += jnp.where(seen[:, k, None], part, 0.0)
      return last(nn.relu(total)), jnp.zeros(len(seen))

    return code

  def _drawn(self, pooled, noise):
    """Draws codes from products of experts; their means without noise."""
    experts = []
    for m, x in pooled.items():
      x = nn.relu(nn.Dense(self.hidden, name=f'part_{m}')(x))
      experts.append(nn.Dense(2 * self.width, name=f'expert_{m}')(x))
    means, log_variances = jnp.split(jnp.stack(experts, 1), 2, axis=-1)
    # No expert is so sure that it is the only one, nor overflows.
    log_variances = jnp.clip(log_variances, -_SURE, _SURE)

    def code(seen, number):
      mean, variance = product(means, log_variances, seen)
      drawn = mean
      if noise is not None:
        drawn = mean + jnp.sqrt(variance) * noise[:, number]
      return drawn, divergence(mean, variance)

    return code

  def _decoders(self, batch, names):
    """By modality that can be given back, what decodes it."""
    found = {}
    for m in names:
      target = target_of(batch, m, self.levels)
      if target is not None and target.size:
        hidden = nn.Dense(self.hidden, name=f'decoder_{m}')
        last = nn.Dense(target.size, name=f'given_{m}')
        found[m] = lambda x, h=hidden, o=last: o(nn.relu(h(x)))
    return found


def target_of(batch, modality, levels) -> reconstruction.Target | None:
  """What is to be given back of a modality of a batch.

  None of what is not a raw input.
  """
  if modality not in batch.inputs:
    return None
  return reconstruction.of(
    batch.inputs[modality],
    batch.present[modality],
    dict(levels).get(modality, 0),
  )


@dataclasses.dataclass(frozen=True)
class Autoencoder(protocol.Method):
  """The errors of all that decoders give back.

  Attributes:
    modalities: of the model.
    levels: (modality, numbers that a code of it can be).
    width: of the code.
    hidden: width of hidden layers.
    variational: whether the code is drawn.
    beta: weight of the divergence from the prior.
    weight: of all after the first phase.
    pretrain: share of the steps of the first phase.
  """

  modalities: tuple[str, ...]
  levels: tuple[tuple[str, int], ...]
  width: int
  hidden: int
  variational: bool
  beta: float
  weight: float
  pretrain: float

  def batch(self, key, batch):
    """The batch with noise for each study and each code of it."""
    if not self.variational:
      return batch
    shape = (1 + len(self.modalities), self.width)
    noise = jax.vmap(
      lambda row: jax.random.normal(jax.random.fold_in(key, row), shape)
    )(batch.row)
    return batch.replace(kept={**batch.kept, NAME: noise})

  def modules(self):
    """The code and decoders."""
    coder = Coder(self.width, self.hidden, self.variational, self.levels)
    return {NAME: coder}

  def phases(self):
    """Reconstruction first, then what is asked for."""
    return protocol.pretraining(NAME, self.pretrain, self.weight)

  def losses(self, logits, out, batch, collective):
    """By 'autoencoder/MODALITY' and 'autoencoder/prior', the (sum, weight)."""
    del logits, collective
    noise = batch.kept[NAME] if self.variational else None
    found = out['own'][NAME](out, batch, noise)
    targets = {m: target_of(batch, m, self.levels) for m in found[''][1]}
    sums: dict[str, tuple] = {}
    values = sum(x.entries for x in targets.values())
    prior = (jnp.zeros(()), jnp.zeros(()))
    for here, given, apart in found.values():
      weight = batch.weight * here
      for m, x in given.items():
        total, count = reconstruction.errors_of(x, targets[m])
        old = sums.get(f'{NAME}/{m}', (0.0, 0.0))
        sums[f'{NAME}/{m}'] = (
          old[0] + (weight * total).sum(),
          old[1] + (weight * count).sum(),
        )
      apart = jnp.where(here, apart, 0.0)
      prior = prior[0] + (weight * apart).sum(), prior[1] + weight.sum()
    if self.variational and values:
      sums[f'{NAME}/prior'] = (self.beta / values * prior[0], prior[1])
    return sums


@protocol.METHODS.register(
  NAME, summary='gives all modalities back from one code (MVAE, Wu 2018)'
)
def autoencoder(
  *,
  modalities: tuple[str, ...],
  kinds_give: dict,
  width: int = 32,
  hidden: int = 128,
  variational: bool = False,
  beta: float = 1.0,
  pretrain: float = 0.3,
  weight: float = 0.0,
) -> Autoencoder:
  """`pretrain` is a share of the steps; `weight` is of the losses after it."""
  checks.at_least_one(NAME, width=width, hidden=hidden)
  protocol.check_numbers(NAME, 0, float('inf'), beta=beta)
  protocol.check_pretraining(NAME, pretrain=pretrain, weight=weight)
  levels = reconstruction.levels_of(kinds_give)
  return Autoencoder(
    modalities, levels, width, hidden, variational, beta, weight, pretrain
  )
