"""A run whose nodes are finished, for what is made of its models afterwards."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import frozen, outcome
from fusion_jax.ablation import plan as plan_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import commands, errors
from fusion_jax.core import config as core_config
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import predictions as predictions_lib

# What a summary says where its curves had to be left out.
STALE = (
  'Curves of missing modalities or of fewer patients were made before arms, '
  'seeds or settings of the evaluation changed, or are damaged, and are left '
  f'out: run {commands.line("robustness")} again.'
)
_STATE = 'state'

# Trains the nodes of a plan; by arm, why some could not be.
Train = Callable[[plan_lib.Plan], Mapping[str, str]]


@dataclasses.dataclass(frozen=True, eq=False)
class Finished:
  """A run whose nodes are finished.

  Attributes:
    config: what was run.
    cohort: on which studies.
    splits: of them.
    plan: the nodes.
    store: where they are.
    models: what models.json holds.
    train: for the twins that 'ensemble' needs where there is one seed.
    say: told which condition is being worked on.
  """

  config: config_lib.ExperimentConfig
  cohort: cohort_lib.Cohort
  splits: Sequence[splits_lib.Split]
  plan: plan_lib.Plan
  store: store_lib.Store
  models: Mapping[str, Any]
  train: Train
  say: Callable[[str], None]


def table(
  cohort: cohort_lib.Cohort,
  arm: str,
  place: frozen.Place,
  condition: str,
  rows: np.ndarray,
  logits: np.ndarray,
) -> predictions_lib.Predictions:
  """Test predictions of one model under a condition."""
  found = outcome.table(
    cohort, arm, place, part=predictions_lib.TEST, rows=rows, logits=logits
  )
  return dataclasses.replace(found, condition=np.full(len(found), condition))


def keep_curves(
  store: store_lib.Store,
  config: config_lib.ExperimentConfig,
  models: Mapping[str, Any],
  curves: Mapping[str, Any],
) -> None:
  """Keeps curves beside the summary of the run that they are of."""
  state = _state(config, models)
  store.write_json(store_lib.ROBUSTNESS, {**curves, _STATE: state})


def kept_curves(
  store: store_lib.Store,
  config: config_lib.ExperimentConfig,
  models: Mapping[str, Any],
) -> tuple[dict[str, Any], bool]:
  """The curves that were kept, if models and settings are still the same.

  Returns:
    The sections of a summary, and whether there are some of another state or
    damaged ones, which are left out.
  """
  try:
    found = store.read_json(store_lib.ROBUSTNESS)
  except errors.UserError:
    return {}, True
  state = found.pop(_STATE, None)
  if state == _state(config, models):
    return found, False
  return {}, bool(found)


def _state(config, models) -> str:
  """Of the models and of how they are evaluated, a hash."""
  causes = {
    'models': {
      arm: [x['key'] for x in entries]
      for arm, entries in models['arms'].items()
    },
    'evaluation': core_config.to_dict(config.evaluation),
  }
  text = json.dumps(causes, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()
