"""Pretrains by matching modalities of a study and guessing hidden columns.

Du et al. 2024, "TIP: tabular-image pre-training for multimodal classification
with incomplete data", ECCV, section 3.2: three losses that need no label. The
contrastive one is that of the method `contrastive`. For matching, a multimodal
encoder sees the tokens of two modalities and tells whether they are of one
study; beside the right pair are two wrong ones, each study being given the
other modality of a study that the contrastive heads take for similar. For the
last, a share of a table's columns is hidden, and what they held is guessed from
the table's other columns and the other modality.

What differs: any two modalities are matched, and every table is guessed beside
each other modality; the multimodal encoder is one class token that attends to
the tokens of both, so that it can be made of any encoder's tokens, and all
hidden columns are guessed from it; a hidden value is one that the encoder knows
as missing, no token of its own, and a missing one is never guessed; all three
losses see the table with hidden columns. The multimodal encoder and all heads
are dropped afterwards: the arm's own combiner, not this one, joins modalities
in the supervised training, which shares the schedule of the learning rate.
"""

import dataclasses
import itertools
from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from fusion_jax.fusion import attention, checks
from fusion_jax.training import protocol, reconstruction
from fusion_jax.training.methods import contrastive

NAME = 'match'
# What the inputs of a table are called, and what stands for a missing one.
_NUMBERS, _OBSERVED, _CODES, _PIECES = (
  'numeric',
  'observed',
  'categorical',
  'pieces',
)
_MISSING = 0


def is_table(inputs) -> bool:
  """Whether inputs have columns that can be hidden."""
  return _NUMBERS in inputs


def hide(inputs, numbers: jax.Array, codes: jax.Array):
  """A table's inputs with some cells as if they were missing.

  Args:
    inputs: by name, arrays of b studies.
    numbers: (b, fn) bool, which numbers are hidden.
    codes: (b, fc) bool, which codes.
  """
  found = dict(inputs)
  found[_NUMBERS] = jnp.where(numbers, 0.0, inputs[_NUMBERS])
  found[_OBSERVED] = jnp.where(numbers, 0.0, inputs[_OBSERVED])
  found[_CODES] = jnp.where(codes, _MISSING, inputs[_CODES])
  if _PIECES in inputs:
    found[_PIECES] = jnp.where(numbers[..., None], 0.0, inputs[_PIECES])
  return found


class Pairs(nn.Module):
  """An encoder of the tokens of two modalities, and what is told from it.

  Attributes:
    width: of the class token.
    depth: how often it attends to the tokens.
    heads: of its attention.
    levels: (modality, numbers that a code of it can be).
  """

  width: int
  depth: int
  heads: int
  levels: tuple[tuple[str, int], ...]

  @nn.compact
  def __call__(self, out, batch, seen=None):
    """By pair of modalities, (n,) logits and by table (n, size) guesses.

    `seen` holds by pair both modalities' features of n studies; those of `out`
    if None.
    """
    features = out['features']
    names = sorted(features)
    if seen is None:
      seen = {
        (a, b): (features[a], features[b])
        for a, b in itertools.combinations(names, 2)
      }
    embed = {m: nn.Dense(self.width, name=f'embed_{m}') for m in names}
    first = self.param('class', nn.initializers.normal(1.0), (self.width,))
    blocks = [
      attention.CrossBlock(self.heads, name=f'block_{k}')
      for k in range(self.depth)
    ]
    norm, verdict = nn.LayerNorm(name='norm'), nn.Dense(1, name='verdict')
    columns = {
      m: nn.Dense(x.size, name=f'columns_{m}')
      for m in names
      if (x := target_of(batch, m, self.levels)) is not None and x.size
    }
    found = {}
    for pair, both in seen.items():
      tokens = jnp.concatenate(
        [embed[m](x.tokens) for m, x in zip(pair, both, strict=True)], 1
      )
      mask = jnp.concatenate([x.token_mask for x in both], 1)
      x = jnp.broadcast_to(first, (len(tokens), 1, self.width))
      for block in blocks:
        x, _ = block(x, tokens, mask, train=False)
      x = norm(x[:, 0])
      found[pair] = (
        verdict(x)[:, 0],
        {m: columns[m](x) for m in pair if m in columns},
      )
    return found


def target_of(batch, modality, levels) -> reconstruction.Target | None:
  """What is to be guessed of a modality of a batch: a table as it was."""
  inputs = batch.kept.get(NAME, {}).get('tables', {}).get(modality)
  if inputs is None:
    inputs = batch.inputs.get(modality, {})
  if not is_table(inputs):
    return None
  return reconstruction.of(
    inputs, batch.present[modality], dict(levels).get(modality, 0)
  )


@dataclasses.dataclass(frozen=True)
class Match(protocol.Method):
  """The three losses, in a phase of their own.

  Attributes:
    modalities: of the model.
    levels: (modality, numbers that a code of it can be).
    width: of projections and of the encoder of pairs.
    depth: of that.
    heads: of its attention.
    rate: share of a table's columns that are hidden.
    temperature: by which cosines are divided.
    pretrain: share of the steps.
  """

  modalities: tuple[str, ...]
  levels: tuple[tuple[str, int], ...]
  width: int
  depth: int
  heads: int
  rate: float
  temperature: float
  pretrain: float

  first: ClassVar[bool] = True
  compares: ClassVar[bool] = True

  def batch(self, key, batch):
    """The batch with columns of its tables hidden, which are kept."""
    keys = jax.vmap(lambda row: jax.random.fold_in(key, row))(batch.row)
    inputs, tables, hidden = dict(batch.inputs), {}, {}
    for number, m in enumerate(sorted(self.modalities)):
      x = inputs.get(m, {})
      if not is_table(x):
        continue
      widths = [x[name].shape[1] for name in (_NUMBERS, _CODES)]
      draws = jax.vmap(
        lambda k, number=number, widths=widths: jax.random.uniform(
          jax.random.fold_in(k, number), (sum(widths),)
        )
      )(keys)
      hidden[m] = tuple(jnp.split(draws < self.rate, widths[:1], axis=1))
      tables[m] = {
        name: jnp.asarray(x[name]) for name in (_NUMBERS, _OBSERVED, _CODES)
      }
      inputs[m] = hide(x, *hidden[m])
    own = {
      'key': jax.random.key_data(keys),
      'tables': tables,
      'hidden': hidden,
    }
    return batch.replace(inputs=inputs, kept={**batch.kept, NAME: own})

  def modules(self):
    """Heads and the encoder of pairs, if there are pairs."""
    if len(self.modalities) < 2:
      return {}
    return {
      f'{NAME}_projections': contrastive.Projections(
        2 * self.width, self.width
      ),
      f'{NAME}_pairs': Pairs(self.width, self.depth, self.heads, self.levels),
    }

  def phases(self):
    """Pretraining and what follows."""
    if len(self.modalities) < 2:
      return ()
    return protocol.pretraining(NAME, self.pretrain, 0.0)

  def losses(self, logits, out, batch, collective):
    """By 'match/LOSS/ONE-OTHER', its (sum, weight)."""
    del logits
    if len(self.modalities) < 2:
      return {}
    projected = out['own'][f'{NAME}_projections'](out)
    found, seen, there = {}, {}, {}
    pairs = itertools.combinations(sorted(self.modalities), 2)
    for number, (a, b) in enumerate(pairs):
      here = batch.present[a] & batch.present[b] & (batch.weight > 0)
      weight = batch.weight * here
      alike = contrastive.info_nce(
        projected[a],
        projected[b],
        here,
        temperature=self.temperature,
        collective=collective,
      )
      found[f'{NAME}/contrast/{a}-{b}'] = (weight * alike).sum(), weight.sum()
      seen[a, b], others = self._shown(
        (a, b), number, out['features'], projected, here, batch, collective
      )
      there[a, b] = here, here & others
    told = out['own'][f'{NAME}_pairs'](out, batch, seen)
    for (a, b), (verdicts, guesses) in told.items():
      here, others = there[a, b]
      right, *wrong = jnp.split(verdicts, 3)
      total = count = 0.0
      for x, label, counted in (
        (right, 1.0, here),
        *((x, 0.0, others) for x in wrong),
      ):
        loss = optax.sigmoid_binary_cross_entropy(x, jnp.full(x.shape, label))
        total += (batch.weight * counted * loss).sum()
        count += (batch.weight * counted).sum()
      found[f'{NAME}/pairs/{a}-{b}'] = total, count
      for m, x in guesses.items():
        error, cells = reconstruction.errors_of(
          jnp.split(x, 3)[0],
          target_of(batch, m, self.levels),
          batch.kept[NAME]['hidden'][m],
        )
        weight = batch.weight * here
        found[f'{NAME}/columns/{a}-{b}/{m}'] = (
          (weight * error).sum(),
          (weight * cells).sum(),
        )
    return found

  def _shown(self, pair, number, features, projected, here, batch, collective):
    """Features of right pairs, then of two wrong ones; and who has these."""
    a, b = pair
    keys = jax.random.wrap_key_data(jnp.asarray(batch.kept[NAME]['key']))
    rows = collective.gather(jnp.asarray(batch.row))
    mine = len(batch.row) * collective.index() + jnp.arange(len(batch.row))
    valid = collective.gather(here)[None] & (
      mine[:, None] != jnp.arange(len(rows))[None]
    )
    shown = {m: [features[m]] for m in pair}
    for turn, (one, other) in enumerate(((a, b), (b, a))):
      scores = contrastive.similarities(
        projected[one],
        projected[other],
        here,
        temperature=self.temperature,
        collective=collective,
      )
      # A draw from the softmax, the same however the batch is ordered or cut.
      noise = gumbel(keys, 2 * number + turn, rows)
      scores = jnp.where(valid, scores + noise, -jnp.inf)
      chosen = jax.lax.stop_gradient(scores).argmax(1)
      shown[one].append(features[one])
      shown[other].append(
        jax.tree.map(
          lambda x, k=chosen: collective.gather(x)[k], features[other]
        )
      )
    joined = tuple(
      jax.tree.map(lambda *x: jnp.concatenate(x), *shown[m]) for m in pair
    )
    return joined, valid.any(1)


def gumbel(keys: jax.Array, number: int, rows: jax.Array) -> jax.Array:
  """(b, B) Gumbel draws, one for each key of a study and row of another."""

  def one(key):
    own = jax.random.fold_in(key, number)
    return jax.vmap(lambda r: jax.random.gumbel(jax.random.fold_in(own, r)))(
      rows
    )

  return jax.vmap(one)(keys)


@protocol.METHODS.register(
  NAME, summary='matches modalities and guesses columns first (TIP, Du 2024)'
)
def match(
  *,
  modalities: tuple[str, ...],
  kinds_give: dict,
  width: int = 64,
  depth: int = 2,
  heads: int = 4,
  rate: float = 0.5,
  temperature: float = 0.1,
  pretrain: float = 0.3,
) -> Match:
  """`rate` of the columns are hidden; `pretrain` is a share of the steps."""
  checks.attention(NAME, width=width, heads=heads)
  checks.at_least_one(NAME, depth=depth)
  protocol.check_numbers(NAME, 0, 1, rate=rate)
  protocol.check_numbers(NAME, 0.01, float('inf'), temperature=temperature)
  protocol.check_numbers(NAME, 0.01, 0.9, pretrain=pretrain)
  levels = reconstruction.levels_of(kinds_give)
  return Match(
    modalities, levels, width, depth, heads, rate, temperature, pretrain
  )
