"""What the models of each arm take: operations, latency, memory.

The models alone are measured, on one study that has all modalities: neither
preprocessing nor reading. An arm on frozen features or predictions also takes
what the arms before it take.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.ablation import arms as arms_lib
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import frozen
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.training import batches
from fusion_jax.training import footprint as footprint_lib

FILE = 'footprint.json'

# By name in a summary's `cost`.
Amounts = dict[str, float | None]


def measure(
  config: config_lib.ExperimentConfig,
  models: Mapping[str, Any],
  store: store_lib.Store,
  cohort: cohort_lib.Cohort,
  arms: Sequence[str],
) -> dict[str, Amounts]:
  """By arm, flops, latency_seconds and memory_bytes; None where unknown.

  What was measured before is read from the run folder: an arm whose first
  model is the same is not measured again.

  Args:
    config: of the run.
    models: what models.json holds.
    store: the run folder.
    cohort: that was trained on.
    arms: those wanted.

  Raises:
    UserError: if no study has all modalities.
  """
  before = store.read_json(FILE)
  one = cohort.subset(complete(cohort)[:1])
  own: dict[str, Amounts] = {}

  def whole(arm) -> Amounts:
    parts = config.arms[arm]
    found = dict(own_of(arm))
    for other in parts.upstream:
      found = together(found, whole(other))
    return found

  def own_of(arm) -> Amounts:
    if arm not in own:
      first = models['arms'][arm][0]
      if before.get(arm, {}).get('key') == first['key']:
        own[arm] = {n: before[arm][n] for n in _NAMES}
      else:
        own[arm] = _own(config, models, store, one, arm, first)
    return own[arm]

  found = {arm: whole(arm) for arm in arms}
  kept = {
    arm: {'key': models['arms'][arm][0]['key'], **amounts}
    for arm, amounts in own.items()
  }
  store.write_json(FILE, {**before, **kept})
  return found


def complete(cohort: cohort_lib.Cohort) -> np.ndarray:
  """Numbers of the studies that can be measured on: all modalities are there.

  Raises:
    UserError: if there is none.
  """
  found = np.flatnonzero(np.all(list(cohort.present.values()), axis=0))
  if not len(found):
    raise errors.UserError(
      f"Cohort '{cohort.name}' has no study with all modalities to measure a "
      'prediction on (--footprint).'
    )
  return found


_NAMES = ('flops', 'latency_seconds', 'memory_bytes')


def _own(config, models, store, one, arm, first) -> Amounts:
  place = frozen.place_of(first)
  loaded = frozen.Frozen(config, models, store, one, places={place}).load(arm)
  learner, trained = loaded.learner, loaded.trained[0]
  inputs = loaded.inputs[0]
  kind = config.arms[arm].learner
  if kind == arms_lib.NEURAL:
    each = [
      footprint_lib.measure(
        model_config=learner.model_config(inputs),
        task=one.task,
        data=batches.FleetData(one, (learner.source(inputs, half),)),
        fitted=model,
        config=config.training,
      )
      for half, model in enumerate(trained.models)
    ]
    # Halves predict both, but train one after the other.
    return {
      'flops': _sum([x.flops for x in each]),
      'latency_seconds': sum(x.latency_seconds for x in each),
      'memory_bytes': _most([x.memory_bytes for x in each]),
    }
  row = np.zeros(1, int)
  if kind == arms_lib.RULE:
    seconds = footprint_lib.latency(
      lambda: learner.logits([trained], [inputs], [row])
    )
  else:
    tables = [
      np.concatenate(
        [x for x, _ in learner.blocks(inputs, half).values()], axis=1
      )
      for half in range(len(trained.models))
    ]
    seconds = footprint_lib.latency(
      lambda: [m.logits(x) for m, x in zip(trained.models, tables, strict=True)]
    )
  # A multiplication and an addition for each coefficient; what scikit-learn's
  # trees do is not counted.
  linear = kind != arms_lib.TREES
  return {
    'flops': 2.0 * trained.parameters if linear else None,
    'latency_seconds': seconds,
    'memory_bytes': None,
  }


def together(mine: Amounts, before: Amounts) -> Amounts:
  """What two models take of which one needs the other."""
  return {
    'flops': _sum([mine['flops'], before['flops']]),
    'latency_seconds': _sum(
      [mine['latency_seconds'], before['latency_seconds']]
    ),
    'memory_bytes': _most([mine['memory_bytes'], before['memory_bytes']]),
  }


def _sum(amounts):
  return None if None in amounts else float(sum(amounts))


def _most(amounts):
  # Where only one of them is a neural model, its memory is the larger one.
  return max((x for x in amounts if x is not None), default=None)
