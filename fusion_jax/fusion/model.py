"""The one model class: encoders, exchanges between them, and a combiner."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import errors, types
from fusion_jax.encoders import protocol
from fusion_jax.fusion import protocol as fusion_protocol

# Of features by modality.
Change = Callable[[dict[str, types.Features]], dict[str, types.Features]]


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
  """An encoder of one modality.

  Attributes:
    kind: of what it encodes, see `protocol.encoders`.
    spec: of the encoder.
    given: what the library gives the builder, by name (`registry.Entry`).
  """

  kind: str
  spec: str
  given: tuple[tuple[str, Any], ...] = ()


@dataclasses.dataclass(frozen=True)
class ModelConfig:
  """What a fusion model is made of; hashable.

  Attributes:
    encoders: by modality the model sees.
    combiner: spec of the combiner.
    frozen: modalities whose encoder receives no gradient.
    exchanges: (k, spec) pairs: what passes between encoders after k of their
      stages, 0 being after the stem; at most one for each k.
  """

  encoders: tuple[tuple[str, EncoderConfig], ...]
  combiner: str = 'concat'
  frozen: tuple[str, ...] = ()
  exchanges: tuple[tuple[int, str], ...] = ()

  @property
  def modalities(self) -> tuple[str, ...]:
    """Those the model sees."""
    return tuple(m for m, _ in self.encoders)

  @property
  def given(self) -> dict[str, dict[str, Any]]:
    """By modality, what the library gives its encoder's builder."""
    return {m: dict(x.given) for m, x in self.encoders}


def _blank(tree: Any, present: jax.Array) -> Any:
  """`tree` of (b, ...) arrays with zeros for studies that are not present."""

  def one(x):
    keep = present.reshape((-1,) + (1,) * (x.ndim - 1))
    return jnp.where(keep, x, jnp.zeros_like(x))

  return jax.tree.map(one, tree)


def encoder_name(modality: str) -> str:
  """The name of an encoder's part in the tree of parameters."""
  return f'encoders_{modality}'


class FusionModel(nn.Module):
  """Encoders by modality, exchanges between their stages, one combiner.

  A single modality is the same class with one encoder. What an absent
  modality holds changes no output and receives no gradient.

  Attributes:
    encoders: by modality, modules that follow `encoders.protocol.Encoder`.
    combiner: (features, present, train) -> (logits, out).
    exchanges: by k as text, modules that follow `protocol.Exchange`, run once
      every encoder has done k of its stages, or all if it has fewer.
    frozen: modalities whose features are cut from the gradient.
    still: modalities whose encoders run in training as they do outside it, so
      that a frozen one neither drops anything out nor moves its statistics;
      those of `frozen` are among them.
    remat: whether the backward pass runs each stage again instead of keeping
      what the forward pass made inside it.
  """

  encoders: Mapping[str, nn.Module]
  combiner: nn.Module
  exchanges: Mapping[str, nn.Module] = dataclasses.field(default_factory=dict)
  frozen: tuple[str, ...] = ()
  still: tuple[str, ...] = ()
  remat: bool = False

  def encode(
    self, batch: types.Batch, *, train: bool
  ) -> dict[str, types.Features]:
    """Features by modality; those in `batch.features` are used as they are."""
    live = [m for m in self.encoders if m not in batch.features]
    present = {m: batch.present[m] for m in self.encoders}
    inputs = {
      m: {**_blank(batch.inputs[m], present[m]), 'present': present[m]}
      for m in live
    }
    learns = {m: train and m not in (*self.frozen, *self.still) for m in live}
    hidden = {
      m: self.encoders[m].stem(inputs[m], train=learns[m]) for m in live
    }
    stages = max((len(self.encoders[m].stages) for m in live), default=0)
    self._check_exchanges(stages)
    for k in range(stages + 1):
      for m in live:
        if 0 < k <= len(self.encoders[m].stages):
          stage = self.encoders[m].stages[k - 1]
          hidden[m] = self._run(stage, hidden[m], learns[m])
      if str(k) in self.exchanges:
        # A frozen encoder must not learn through what others see of it.
        seen = {
          m: jax.lax.stop_gradient(x) if m in self.frozen else x
          for m, x in hidden.items()
        }
        hidden = self.exchanges[str(k)](seen, present, train=train)
    features = dict(batch.features)
    for m in live:
      features[m] = self.encoders[m].readout(hidden[m], train=learns[m])
      if m in self.frozen:
        features[m] = jax.lax.stop_gradient(features[m])
    return {m: _blank(features[m], present[m]) for m in self.encoders}

  def _run(self, stage, hidden, train):
    def run(module, hidden):
      return module(hidden, train=train)

    return (nn.remat(run) if self.remat else run)(stage, hidden)

  def _check_exchanges(self, stages: int) -> None:
    for k in self.exchanges:
      if int(k) > stages:
        raise errors.UserError(
          f'There is an exchange after {k} stages, but the encoders have at '
          f'most {stages}: give 0 (after the stem) to {stages}.'
        )

  def __call__(
    self,
    batch: types.Batch,
    *,
    train: bool = False,
    alone: bool = False,
    subsets: tuple[tuple[str, ...], ...] = (),
    change: Change | None = None,
  ):
    """Returns ((b, s) logits, out); out holds 'features' by modality.

    With `alone`, out['alone'] holds by modality the (b, s) logits of the
    combiner where every study has that modality's features at most. Likewise
    out['subsets'] by each of `subsets`, which name modalities. `change`
    is applied to features before they are joined.
    """
    features = self.encode(batch, train=train)
    if change is not None:
      features = change(features)
    present = {m: batch.present[m] for m in self.encoders}
    logits, out = self.combiner(features, present, train=train)
    out = {**out, 'features': features}
    if alone:
      out['alone'] = {
        m: self._seeing((m,), features, present, train) for m in self.encoders
      }
    if subsets:
      out['subsets'] = {
        x: self._seeing(x, features, present, train) for x in subsets
      }
    return logits, out

  def _seeing(self, modalities, features, present, train):
    only = {
      m: p if m in modalities else jnp.zeros_like(p) for m, p in present.items()
    }
    seen = {m: _blank(x, only[m]) for m, x in features.items()}
    return self.combiner(seen, only, train=train)[0]


def create_model(
  config: ModelConfig,
  task: types.Task,
  *,
  axis_name: str | None = None,
  remat: bool = False,
) -> FusionModel:
  """Builds the model that `config` names, with `task.num_outputs` logits.

  Args:
    config: its parts.
    task: what is predicted.
    axis_name: the mapped axis over which a batch is cut, which statistics over
      studies have to cross; None where XLA sees whole batches.
    remat: see `FusionModel`.

  Raises:
    UserError: for an unknown encoder, combiner, exchange or argument, or two
      exchanges at one place.
  """
  encoders = {
    modality: protocol.encoders(encoder.kind).build(
      encoder.spec, axis_name=axis_name, **dict(encoder.given)
    )
    for modality, encoder in config.encoders
  }
  combiner = fusion_protocol.COMBINERS.build(
    config.combiner, num_outputs=task.num_outputs
  )
  exchanges = {
    str(k): fusion_protocol.EXCHANGES.build(part)
    for k, part in config.exchanges
  }
  if len(exchanges) < len(config.exchanges) or any(
    k < 0 for k, _ in config.exchanges
  ):
    raise errors.UserError(
      'Exchanges come after 0, 1, 2, ... stages, one at most after each: '
      f'got {", ".join(str(k) for k, _ in config.exchanges)}.'
    )
  return FusionModel(
    encoders=encoders,
    combiner=combiner,
    exchanges=exchanges,
    frozen=tuple(config.frozen),
    remat=remat,
  )
