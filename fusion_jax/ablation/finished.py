"""A run whose nodes are finished, for what is made of its models afterwards."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import frozen, outcome
from fusion_jax.ablation import plan as plan_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import predictions as predictions_lib

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
