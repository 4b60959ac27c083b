"""The one model class: encoders, exchanges between them, and a combiner."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.encoders import protocol
from fusion_jax.fusion import protocol as fusion_protocol


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
  """An encoder of one modality.

  Attributes:
    kind: of what it encodes, a key of `protocol.ENCODERS`.
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
  """

  encoders: tuple[tuple[str, EncoderConfig], ...]
  combiner: str = 'concat'
  frozen: tuple[str, ...] = ()

  @property
  def modalities(self) -> tuple[str, ...]:
    """Those the model sees."""
    return tuple(m for m, _ in self.encoders)


def _blank(tree: Any, present: jax.Array) -> Any:
  """`tree` of (b, ...) arrays with zeros for studies that are not present."""

  def one(x):
    keep = present.reshape((-1,) + (1,) * (x.ndim - 1))
    return jnp.where(keep, x, jnp.zeros_like(x))

  return jax.tree.map(one, tree)


class FusionModel(nn.Module):
  """Encoders by modality, exchanges between their stages, one combiner.

  A single modality is the same class with one encoder. What an absent
  modality holds changes no output and receives no gradient.

  Attributes:
    encoders: by modality, modules that follow `encoders.protocol.Encoder`.
    combiner: (features, present, train) -> (logits, out).
    exchanges: by stage number k, (hidden, present) -> hidden, run after every
      encoder has done its stage k.
    frozen: modalities whose features are cut from the gradient.
  """

  encoders: Mapping[str, nn.Module]
  combiner: nn.Module
  exchanges: Mapping[int, Callable[..., Any]] = dataclasses.field(
    default_factory=dict
  )
  frozen: tuple[str, ...] = ()

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
    hidden = {m: self.encoders[m].stem(inputs[m], train=train) for m in live}
    stages = max((len(self.encoders[m].stages) for m in live), default=0)
    for k in range(stages):
      for m in live:
        if k < len(self.encoders[m].stages):
          hidden[m] = self.encoders[m].stages[k](hidden[m], train=train)
      if k in self.exchanges:
        hidden = self.exchanges[k](hidden, present)
    features = dict(batch.features)
    for m in live:
      features[m] = self.encoders[m].readout(hidden[m], inputs[m], train=train)
      if m in self.frozen:
        features[m] = jax.lax.stop_gradient(features[m])
    return {m: _blank(features[m], present[m]) for m in self.encoders}

  def __call__(self, batch: types.Batch, *, train: bool = False):
    """Returns ((b, s) logits, out); out holds 'features' by modality."""
    features = self.encode(batch, train=train)
    present = {m: batch.present[m] for m in self.encoders}
    logits, out = self.combiner(features, present, train=train)
    return logits, {**out, 'features': features}


def create_model(
  config: ModelConfig, task: types.Task, *, axis_name: str | None = None
) -> FusionModel:
  """Builds the model that `config` names, with `task.num_outputs` logits.

  Args:
    config: its parts.
    task: what is predicted.
    axis_name: the mapped axis over which a batch is cut, which statistics over
      studies have to cross; None where XLA sees whole batches.

  Raises:
    UserError: for an unknown encoder, combiner or argument.
  """
  encoders = {
    modality: protocol.ENCODERS[encoder.kind].build(
      encoder.spec, axis_name=axis_name, **dict(encoder.given)
    )
    for modality, encoder in config.encoders
  }
  combiner = fusion_protocol.COMBINERS.build(
    config.combiner, num_outputs=task.num_outputs
  )
  return FusionModel(
    encoders=encoders, combiner=combiner, frozen=tuple(config.frozen)
  )
