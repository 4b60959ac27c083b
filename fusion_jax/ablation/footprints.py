"""What a prediction of each arm takes: operations, latency, memory.

It is measured on one study that has all modalities, from its decoded image and
its standardised record to the logits, along everything fitted that it passes
through: an arm on frozen features or on predictions also takes what the arms
before it take, with both halves of each, and reduced pixels take their
projection. Reading and decoding files, and imputing and standardising columns
and channels, are left out.

Operations are a multiplication and an addition for each coefficient of a
linear model, for each number of a late rule and for each pixel and principal
component; for networks they are what the compiler counts. The area means and
histograms of reduced pixels multiply no fitted number: they are part of the
latency, not of the operations.
"""

import dataclasses
import functools
import os
import pathlib
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fusion_jax.ablation import (
  classical_learners,
  frozen,
  neural_learner,
  pretrained_learner,
  rule_learner,
)
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import learner as learner_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import kind as kinds
from fusion_jax.training import batches
from fusion_jax.training import footprint as footprint_lib

FILE = store_lib.FOOTPRINT

# By name in a summary's `cost`; a None has its `<name>_reason` beside it.
Amounts = dict[str, Any]

_PROCESSORS = pathlib.Path('/proc/cpuinfo')
_NO_STEPS = 'not trained by steps'


@dataclasses.dataclass(frozen=True)
class Part:
  """What the models of one arm take; those it builds on apart.

  Attributes:
    predict: predicts one study.
    flops: of that; None if unknown.
    memory_bytes: of a step of training; None if unknown.
    flops_reason: why they are unknown.
    memory_reason: why it is unknown.
  """

  predict: Callable[[], Any]
  flops: float | None
  memory_bytes: float | None
  flops_reason: str = 'the compiler counts no operations on this device'
  memory_reason: str = 'the compiler counts no memory on this device'


def measure(
  config: config_lib.ExperimentConfig,
  models: Mapping[str, Any],
  store: store_lib.Store,
  cohort: cohort_lib.Cohort,
  arms: Sequence[str],
) -> dict[str, Amounts]:
  """By arm, flops, latency_seconds, latency_iqr_seconds and memory_bytes.

  What was measured before is read from the run folder: an arm whose first
  models are the same is not measured again on the same kind of machine.

  Args:
    config: of the run.
    models: what models.json holds.
    store: the run folder.
    cohort: that was trained on.
    arms: those wanted.

  Raises:
    UserError: if no study has all modalities.
  """
  before = _measured(store)
  one = cohort.subset(complete(cohort)[:1])
  part = functools.cache(functools.partial(_part, config, models, store, one))
  here = {**machine(), 'jax': jax.__version__}
  causes, paths = {}, {}
  for arm in arms:
    path = _path(config.known_arms, arm)
    keys = [models['arms'][x][0]['key'] for x in path]
    causes[arm] = {'machine': here, 'models': keys}
    if before.get(arm, {}).get('causes') != causes[arm]:
      paths[arm] = [part(x) for x in path]
  latencies = footprint_lib.latencies(
    {arm: functools.partial(_predict, path) for arm, path in paths.items()}
  )
  fresh = {
    arm: {
      'causes': causes[arm],
      'amounts': {
        **together(path),
        'latency_seconds': latencies[arm].seconds,
        'latency_iqr_seconds': list(latencies[arm].iqr_seconds),
      },
    }
    for arm, path in paths.items()
  }
  found = {**before, **fresh}
  store.write_json(FILE, found)
  return {arm: found[arm]['amounts'] for arm in arms}


def _measured(store: store_lib.Store) -> dict[str, Any]:
  """By arm, what was measured before, if that can be read."""
  try:
    found = store.read_json(FILE)
  except errors.UserError:
    return {}
  return {k: x for k, x in found.items() if isinstance(x, dict)}


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


def machine() -> dict[str, Any]:
  """What a latency depends on here; nothing that tells one host from its twin.

  Networks run on `device`, everything else on `processor`.
  """
  return {
    'platform': f'{platform.system()} {platform.machine()}',
    'processor': _processor(),
    'processors': os.cpu_count(),
    'device': jax.local_devices()[0].device_kind,
  }


def _processor() -> str:
  try:
    text = _PROCESSORS.read_text(encoding='utf-8')
  except OSError:
    text = ''
  found = re.search(r'^model name\s*:\s*(.+)$', text, re.MULTILINE)
  return found[1].strip() if found else platform.processor() or 'unknown'


def together(parts: Sequence[Part]) -> Amounts:
  """What a prediction takes that passes through all `parts`.

  Parts are trained one after the other, so memory is that of the largest.
  """
  flops = [x.flops for x in parts]
  memory = [x.memory_bytes for x in parts if x.memory_bytes is not None]
  found: Amounts = {
    'flops': None if None in flops else float(sum(flops)),
    'memory_bytes': max(memory, default=None),
  }
  if found['flops'] is None:
    found['flops_reason'] = parts[flops.index(None)].flops_reason
  if found['memory_bytes'] is None:
    # What is trained by steps has another reason, which says more.
    reasons = [x.memory_reason for x in parts]
    others = [x for x in reasons if x != _NO_STEPS]
    found['memory_bytes_reason'] = (others or reasons)[0]
  return found


def _path(arms, arm) -> list[str]:
  """The arms that a prediction passes through, in that order, each once."""
  before = [x for other in arms[arm].upstream for x in _path(arms, other)]
  return [*dict.fromkeys(before), arm]


def _predict(path):
  for part in path:
    part.predict()


def _part(config, models, store, one, arm) -> Part:
  place = frozen.place_of(models['arms'][arm][0])
  loaded = frozen.Frozen(config, models, store, one, places={place}).load(arm)
  inputs = loaded.inputs[0]
  found = _own(loaded.learner, loaded, config, one)
  if not loaded.learner.arm.reduced:
    return found

  reduced = loaded.learner.arm.reduced

  def predict():
    for m in reduced:
      inputs.fitted.columns(one, m, kinds.LINEAR)
    found.predict()

  flops = found.flops
  for m in reduced if flops is not None else ():
    reduction = inputs.fitted.reduction(m)
    flops += inputs.fitted.kind(m).operations(reduction, one.modalities[m])
  return dataclasses.replace(found, predict=predict, flops=flops)


@functools.singledispatch
def _own(learner: learner_lib.Learner, loaded, config, one) -> Part:
  """What an arm's own models take."""
  raise TypeError(f'Nothing is known of {type(learner).__name__}.')


@_own.register
def _neural(learner: neural_learner.Neural, loaded, config, one) -> Part:
  inputs = loaded.inputs[0]
  each = [
    footprint_lib.measure(
      model_config=learner.model_config(inputs),
      task=one.task,
      data=batches.FleetData(one, (learner.source(inputs, half),)),
      fitted=model,
      config=config.settings_of(learner.arm),
      encode=learner.arm.extracts,
    )
    for half, model in enumerate(loaded.trained[0].models)
  ]
  halves = [Part(x.predict, x.flops, x.memory_bytes) for x in each]
  found = together(halves)
  return Part(lambda: _predict(halves), found['flops'], found['memory_bytes'])


@_own.register
def _pretrained(
  learner: pretrained_learner.Pretrained, loaded, config, one
) -> Part:
  found = _neural(learner, loaded, config, one)
  return dataclasses.replace(found, memory_bytes=None, memory_reason=_NO_STEPS)


@_own.register
def _rule(learner: rule_learner.Rule, loaded, config, one) -> Part:
  del config, one
  row = np.zeros(1, int)
  return Part(
    lambda: learner.logits(loaded.trained, loaded.inputs, [row]),
    flops=2.0 * loaded.trained[0].parameters,
    memory_bytes=None,
    memory_reason=_NO_STEPS,
  )


@_own.register
def _classical(
  learner: classical_learners.Classical, loaded, config, one
) -> Part:
  del config, one
  models = loaded.trained[0].models
  tables = [
    np.concatenate(
      [x for x, _ in learner.blocks(loaded.inputs[0], half).values()], axis=1
    )
    for half in range(len(models))
  ]
  trees = isinstance(learner, classical_learners.Trees)
  return Part(
    lambda: [m.logits(x) for m, x in zip(models, tables, strict=True)],
    flops=None if trees else sum(2.0 * m.coefficients.size for m in models),
    memory_bytes=None,
    flops_reason='the operations of trees are not counted',
    memory_reason=_NO_STEPS,
  )
