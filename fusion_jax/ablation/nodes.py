"""What a node is given and what it gives: the same for every learner.

This file and what it imports are part of every node's key (keys.py): it names
the classes of what it is given in annotations only. What the runner does
besides changes no result.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Sequence

import numpy as np

from fusion_jax.ablation import learner as learner_lib
from fusion_jax.core import errors, links
from fusion_jax.data import preprocess

if typing.TYPE_CHECKING:
  from fusion_jax.ablation import config as config_lib
  from fusion_jax.ablation import plan as plan_lib
  from fusion_jax.ablation import store as store_lib
  from fusion_jax.data import cohort as cohort_lib
  from fusion_jax.data import splits as splits_lib

# In a node's arrays.
FEATURES = 'features_{half}'
LOGITS = 'logits_{part}'
# Of a split, those that are predicted.
PARTS = ('valid', 'test')


def best_trial(
  store: store_lib.Store, plan: plan_lib.Plan, arm: str, place: tuple
) -> plan_lib.Node | None:
  """The finished trial with the lowest validation loss; None if there is none.

  Args:
    store: where the nodes are.
    plan: what they are.
    arm: whose.
    place: repeat, fold and seed.
  """
  found = []
  for node in plan.nodes[arm]:
    if node.place == place and store.has(node.key):
      loss = store.record(node.key)['valid_loss']
      found.append((np.inf if loss is None else loss, node.trial, node))
  return min(found)[-1] if found else None


class Nodes:
  """The nodes of one run."""

  def __init__(
    self,
    config: config_lib.ExperimentConfig,
    cohort: cohort_lib.Cohort,
    splits: Sequence[splits_lib.Split],
    plan: plan_lib.Plan,
    store: store_lib.Store,
  ):
    self._config = config
    self._cohort = cohort
    self._splits = {(s.repeat, s.fold): s for s in splits}
    self._plan = plan
    self._store = store
    self._fitted = functools.cache(self._fit_preprocessing)
    self._features = functools.lru_cache(maxsize=8)(self._read_features)

  def best(self, arm: str, place: tuple) -> plan_lib.Node | None:
    """See `best_trial`."""
    return best_trial(self._store, self._plan, arm, place)

  def job(
    self, node: plan_lib.Node, learner: learner_lib.Learner
  ) -> learner_lib.Job:
    """What a node's learner is given.

    Raises:
      UserError: naming the fold, if nothing can be learnt from it.
    """
    arm = learner.arm
    split = self._splits[node.repeat, node.fold]
    features = {
      m: self._features(self.best(arm.inputs[m].of, node.place).key)
      for m in arm.second_stage
    }
    logits = {}
    if learner.joins:
      for term, (other, _) in arm.terms.items():
        logits[term] = self._spread(self.best(other, node.place), split)
    inputs = learner_lib.Inputs(
      self._cohort, self._fitted(node.repeat, node.fold), features, logits
    )
    job = learner_lib.Job(
      inputs,
      split,
      node.random_seed,
      node.hyper,
      cuts=learner_lib.SMALL_CUTS if node.small else 1,
      inner_folds=self._config.inner_folds_of(arm) if node.small else 0,
    )
    try:
      learner.check(job)
    except errors.UserError as e:
      raise errors.UserError(f'{place_text(node.place)}: {e}') from None
    return job

  def results(
    self,
    learner: learner_lib.Learner,
    jobs: Sequence[learner_lib.Job],
    trained: Sequence[learner_lib.Trained],
  ) -> tuple[list[dict[str, np.ndarray]], list[float]]:
    """For each node, the arrays it lands with and its validation loss."""
    inputs = [j.inputs for j in jobs]
    if learner.arm.extracts:
      arrays = [
        {FEATURES.format(half=h): x for h, x in enumerate(features)}
        for features in learner.encode(trained, inputs)
      ]
      losses = [
        float(np.mean([m.valid_loss for m in t.models])) for t in trained
      ]
      return arrays, losses
    return self._predict(learner, jobs, inputs, trained)

  def _predict(self, learner, jobs, inputs, trained):
    """Logits on validation and test rows, and validation losses."""
    rows = [np.concatenate([j.split.valid, j.split.test]) for j in jobs]
    logits = learner.predict(trained, inputs, rows)
    arrays, losses = [], []
    for x, job, model in zip(logits, jobs, trained, strict=True):
      at = job.split.valid
      valid, test = np.split(x, [len(at)])
      if model.valid_logits is not None:
        own = model.valid_logits
        valid = np.where(np.isnan(own), valid, own)
      arrays.append(
        {LOGITS.format(part='valid'): valid, LOGITS.format(part='test'): test}
      )
      weight = self._cohort.weight
      losses.append(
        links.mean_loss(
          self._cohort.task,
          valid,
          self._cohort.labels[at],
          None if weight is None else weight[at],
        )
      )
    return arrays, losses

  def _fit_preprocessing(self, repeat, fold) -> preprocess.Fitted:
    preprocessor = preprocess.Preprocessor(self._config.preprocess)
    return preprocessor.fit(self._cohort, self._splits[repeat, fold].train)

  def _read_features(self, key) -> tuple[np.ndarray, ...]:
    arrays = self._store.read(key).arrays
    return tuple(arrays[FEATURES.format(half=h)] for h in range(len(arrays)))

  def _spread(self, node, split) -> np.ndarray:
    """(n, s) logits of validation and test rows, NaN elsewhere."""
    arrays = self._store.read(node.key).arrays
    out = np.full((len(self._cohort), self._cohort.task.num_outputs), np.nan)
    for part in PARTS:
      out[getattr(split, part)] = arrays[LOGITS.format(part=part)]
    return out


def place_text(place: tuple[int, int, int]) -> str:
  """A place as a message names it."""
  repeat, fold, seed = place
  return f'repeat {repeat}, fold {fold}, seed {seed}'
