"""Trained models of a run, as they are, applied to a cohort."""

import dataclasses
from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import learner as learner_lib
from fusion_jax.ablation import learners
from fusion_jax.ablation import store as store_lib
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import preprocess

# Repeat, fold and seed.
Place = tuple[int, int, int]


@dataclasses.dataclass(frozen=True, eq=False)
class Loaded:
  """The models of one arm and what each sees of the cohort.

  Attributes:
    learner: applies them.
    places: of each model.
    trained: the models.
    inputs: what each sees.
  """

  learner: learner_lib.Learner
  places: list[Place]
  trained: list[learner_lib.Trained]
  inputs: list[learner_lib.Inputs]


class Frozen:
  """Predictions of a run's arms on one cohort of n studies.

  What several arms need, such as an extractor's features, is made once.
  """

  def __init__(
    self,
    config: config_lib.ExperimentConfig,
    models: Mapping[str, Any],
    store: store_lib.Store,
    cohort: cohort_lib.Cohort,
    *,
    places: Collection[Place] | None = None,
    rows: Callable[[Place], np.ndarray] | None = None,
  ):
    """Nothing is loaded before it is asked for.

    Args:
      config: what the arms are made of, and which devices to use.
      models: what models.json holds.
      store: where the models are.
      cohort: what is predicted.
      places: whose models are used; None for all.
      rows: by place, numbers of the studies to predict; None for all studies.
    """
    self._config = config
    self._models = models
    self._store = store
    self._cohort = cohort
    self._places = places
    self._rows = rows or (lambda place: np.arange(len(cohort)))
    self._logits: dict[str, dict] = {}
    self._features: dict[str, dict] = {}
    # By repeat and fold, the preprocessing of the models loaded so far.
    self.fits: dict[tuple[int, int], preprocess.Fitted] = {}

  def logits(self, arm: str) -> dict[Place, np.ndarray]:
    """By place, (n, s) logits, NaN in rows that were not asked for."""
    if arm not in self._logits:
      found = self.load(arm)
      rows = [self._rows(place) for place in found.places]
      values = found.learner.predict(found.trained, found.inputs, rows)
      self._logits[arm] = {
        place: self._spread(x, at)
        for place, x, at in zip(found.places, values, rows, strict=True)
      }
    return self._logits[arm]

  def load(self, arm: str) -> Loaded:
    """The models of an arm, with what they need of the arms before it."""
    parts = self._config.known_arms[arm]
    learner = learners.create_learner(
      parts,
      self._cohort.task,
      training=self._config.training,
      parallel=self._config.parallel,
    )
    places, trained, inputs = [], [], []
    models: dict[str, tuple] = {}
    for entry in self._models['arms'][arm]:
      place = place_of(entry)
      if self._places is not None and place not in self._places:
        continue
      # All places of an arm that does not learn have one model.
      key = entry['key']
      if key not in models:
        models[key] = learner.load(self._store.model_folder(key))
      model, fitted = models[key]
      if fitted is not None and learner.learns:
        self.fits[place[:2]] = fitted
      features = {
        m: self._encode(parts.inputs[m].of)[place] for m in parts.second_stage
      }
      logits = {}
      if learner.joins:
        for term, (other, _) in parts.terms.items():
          logits[term] = self.logits(other)[place]
      places.append(place)
      trained.append(model)
      inputs.append(learner_lib.Inputs(self._cohort, fitted, features, logits))
    return Loaded(learner, places, trained, inputs)

  def _encode(self, arm: str) -> dict[Place, tuple[np.ndarray, ...]]:
    """By place and half, (n, c) features of all studies."""
    if arm not in self._features:
      found = self.load(arm)
      values = found.learner.encode(found.trained, found.inputs)
      self._features[arm] = dict(zip(found.places, values, strict=True))
    return self._features[arm]

  def _spread(self, values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    out = np.full((len(self._cohort), values.shape[1]), np.nan)
    out[rows] = values
    return out


def place_of(entry: Mapping[str, Any]) -> Place:
  """The place of an entry of models.json."""
  return entry['repeat'], entry['fold'], entry['seed']


def sound(models: Mapping[str, Any]) -> bool:
  """Whether models.json has the form that is read here."""
  named = [models.get(x) for x in ('arms', 'task', 'shapes')]
  if not all(isinstance(x, dict) for x in named):
    return False
  arms, task, _ = named
  return {'kind', 'names'} <= task.keys() and all(
    isinstance(entries, list)
    and all(
      isinstance(x, dict) and {'repeat', 'fold', 'seed', 'key'} <= x.keys()
      for x in entries
    )
    for entries in arms.values()
  )
