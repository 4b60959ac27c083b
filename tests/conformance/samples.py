"""What the suite runs registered parts on: a cohort of every kind, small parts.

Nothing here names a part. Those of other packages are covered as well: by their
entry points, or as modules that CONFORMANCE_PARTS names, separated by commas.
"""

import dataclasses
import functools
import os
import typing

import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.core import registry, spec, types
from fusion_jax.data import cohort as cohorts
from fusion_jax.data import five, preprocess
from fusion_jax.encoders import protocol
from fusion_jax.fusion import model as models
from fusion_jax.fusion import protocol as fusion_protocol
from fusion_jax.training import batches
from fusion_jax.training import protocol as training_protocol
from tests import tiny

registry.import_parts(
  [x for x in os.environ.get('CONFORMANCE_PARTS', '').split(',') if x],
  where='CONFORMANCE_PARTS',
)

N = 24
TRAIN = np.arange(16)
# The modality of the cohort that is of a kind.
MODALITY = {kind: m for m, (kind, _) in five.KINDS.items()}
MODALITIES = tuple(MODALITY.values())
KIND = {m: kind for kind, m in MODALITY.items()}
KINDS = tuple(MODALITY)
# Those whose encoders compile in a moment.
CHEAP = ('table', 'vector')

_LARGEST = 8
_ITEMS = 2
_DEEPEST = 2


@functools.cache
def cohort(kind: str = types.BINARY) -> cohorts.Cohort:
  """24 studies of all modalities, of which each lacks some.

  Studies have one image or two, and one study has nothing at all.
  """
  task = tiny.task_of(kind)
  made = five.make(
    n=N, size=8, seed=0, task=types.Task(types.BINARY, ('label',))
  )
  pair = {m: x.data for m, x in made.modalities.items()}
  image, volume = pair[five.IMAGE], pair[five.VOLUME]
  images = np.concatenate([image.images, image.images[::-1]], axis=1)
  mask = np.stack([np.ones(N, bool), np.arange(N) % 2 > 0], axis=1)
  changed = {
    five.IMAGE: {'images': images, 'mask': mask},
    five.VOLUME: {'volumes': volume.volumes[:, ::2, ::2, ::2]},
    five.SERIES: {'length': 8},
  }
  modalities = {}
  for k, (name, x) in enumerate(made.modalities.items()):
    data = dataclasses.replace(x.data, **changed.get(name, {}))
    lost = ((np.arange(N) + k) % 5 == 0) | (np.arange(N) == 7)
    modalities[name] = type(x).of(x.kind, x.side, data).without(lost)
  rng = np.random.default_rng(0)
  return dataclasses.replace(
    made,
    task=task,
    labels=tiny.labels_of(kind, rng.normal(size=N), rng),
    modalities=modalities,
  )


@functools.cache
def fitted(kind: str = types.BINARY) -> preprocess.Fitted:
  return preprocess.Preprocessor().fit(cohort(kind), TRAIN)


@functools.cache
def fleet_data(kind: str = types.BINARY) -> batches.FleetData:
  """The cohort as its first 16 studies have it preprocessed."""
  whole, fit = cohort(kind), fitted(kind)
  parts = {
    m: batches.Part(
      fit.kinds[m],
      derived=fit.derived(whole, m),
      constants=fit.kind(m).constants(fit.fits[m]),
    )
    for m in whole.modalities
  }
  return batches.FleetData(whole, (batches.Source(parts),))


@functools.cache
def batch(kind: str = types.BINARY) -> types.Batch:
  """All studies, every sixth of them mere padding."""
  made = _gathered(kind, jnp.float32(jnp.arange(N) % 6 > 0))
  if kind == types.REGRESSION:
    made = made.replace(labels=(made.labels - 50.0) / 10.0)
  return made


@functools.cache
def whole_batch() -> types.Batch:
  """All studies."""
  return _gathered(types.BINARY, jnp.ones(N))


def _gathered(kind, weight):
  plan = batches.RowPlan(rows=jnp.arange(N), weight=weight)
  return batches.gather(batches.make_resident(fleet_data(kind)), 0, plan)


def _small(value: typing.Any) -> typing.Any:
  """Whole numbers as the power of 2 below them, 8 at most; two of a tuple.

  Powers of 2, so that widths stay multiples of numbers of heads or groups.
  """
  if type(value) is int and value > 1:
    return min(_LARGEST, 1 << (value.bit_length() - 1))
  if isinstance(value, tuple):
    return tuple(map(_small, value[:_ITEMS]))
  return value


def specs(
  known: registry.Registry, name: str, *, exact: bool = True
) -> list[str]:
  """A registered part in small, in as many forms as show all that it can be.

  The first has its defaults. The others change all arguments at once that are
  one of some names, or yes or no, until each has had all of its values.

  Args:
    known: the registry of the part.
    name: of the part.
    exact: whether dropout is off.
  """
  arguments = known.get(name).arguments
  given = {
    # A part that is an argument of a part, of the same registry if it is there.
    k: spec.parse(specs(known, a.default.name, exact=exact)[0])
    if isinstance(a.default, spec.Spec) and a.default.name in known.names()
    else _small(a.default)
    for k, a in arguments.items()
  }
  if type(given.get('depth')) is int:
    given['depth'] = min(given['depth'], _DEEPEST)
  # Of units and of whole blocks.
  for rate in {'dropout', 'drop'} & given.keys() if exact else ():
    given[rate] = 0.0
  others = {}
  for k, a in arguments.items():
    values = typing.get_args(a.kind) if _is_choice(a.kind) else ()
    if a.kind is bool:
      values = (True, False)
    others[k] = [x for x in values if x != a.default]
  found = [given] + [
    {**given, **{k: x[form] for k, x in others.items() if form < len(x)}}
    for form in range(max(map(len, others.values()), default=0))
  ]
  return [str(known.check(spec.Spec(name, x))) for x in found]


def _is_choice(kind) -> bool:
  return typing.get_origin(kind) is typing.Literal


def every(known: registry.Registry) -> list[str]:
  """All forms of all parts of a registry."""
  return [x for name in known.names() for x in specs(known, name)]


def encoders() -> list[tuple[str, str]]:
  """(kind, spec) of all forms of all encoders."""
  return [(kind, x) for kind in KINDS for x in every(protocol.encoders(kind))]


def default(kind: str) -> str:
  """The encoder of a kind that arms have where none is named."""
  return specs(protocol.encoders(kind), protocol.default(kind))[0]


def combiner_of(method: str) -> str:
  """The combiner that a training method is for, in small; '' for any."""
  claims = training_protocol.METHODS.get(spec.parse(method).name).claims
  wanted = claims.get('combiner')
  return specs(fusion_protocol.COMBINERS, wanted)[0] if wanted else ''


def config(
  chosen: dict[str, str],
  *,
  combiner: str = '',
  exchanges: tuple[tuple[int, str], ...] = (),
  frozen: tuple[str, ...] = (),
) -> models.ModelConfig:
  """A model of encoders by modality; the combiner is some one if not given."""
  fit = fitted()
  return models.ModelConfig(
    tuple(
      (
        m,
        models.EncoderConfig(
          KIND[m], text, tuple(fit.kind(m).given(fit.fits[m]).items())
        ),
      )
      for m, text in chosen.items()
    ),
    combiner or every(fusion_protocol.COMBINERS)[0],
    frozen,
    exchanges,
  )


def drawn(shapes: typing.Any, seed: int = 1) -> typing.Any:
  """Variables of these shapes as if they were trained; no program is compiled.

  Kernels keep the size of what they are given; scales and statistics are about
  1, so that nothing is divided by next to nothing.
  """
  rng = np.random.default_rng(seed)

  def one(x):
    made = rng.normal(size=x.shape)
    if x.ndim > 1:
      made /= np.sqrt(np.prod(x.shape[:-1]))
    else:
      made = 1.0 + 0.3 * np.tanh(made)
    return jnp.asarray(made, x.dtype)

  return jax.tree.map(one, shapes)
