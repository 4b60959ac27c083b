"""What trained models make of images of one cohort with records of another.

Explanations change one modality very often and leave the other as it is. Here
each modality is a `Side` of its own: what a model needs of a side is computed
once for it, and only the head is run on pairs of an image and a record. The
programs of neural models are compiled for batches of one size, so that they
serve any number of changes.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import frozen, learners
from fusion_jax.ablation import learner as learner_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import links, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import preprocess
from fusion_jax.fusion import model as models
from fusion_jax.training import batches

# Studies and pairs that one call of a compiled program takes.
_STUDIES = 64
_PAIRS = 512


class Side:
  """Studies whose images, or whose records, are shown.

  Attributes:
    cohort: n studies. That of records need have no images.
    seen: what models made of it; it must not change any more.
  """

  def __init__(self, cohort: cohort_lib.Cohort):
    self.cohort = cohort
    self.seen: dict[tuple, Any] = {}

  def __len__(self) -> int:
    return len(self.cohort)


@dataclasses.dataclass(frozen=True, eq=False)
class _Node:
  """One trained node of an arm."""

  key: str
  learner: learner_lib.Learner
  trained: learner_lib.Trained
  fitted: preprocess.Fitted


class Crossed:
  """A run's models, applied to pairs of an image and a record."""

  def __init__(
    self,
    config: config_lib.ExperimentConfig,
    trained: Mapping[str, Any],
    store: store_lib.Store,
    task: types.Task,
  ):
    """Nothing is loaded before it is asked for.

    Args:
      config: what the arms are made of.
      trained: what models.json holds.
      store: where the models are.
      task: what is predicted.
    """
    self._config = config
    self._store = store
    self._task = task
    self._entries = {
      (arm, frozen.place_of(x)): x['key']
      for arm, entries in trained['arms'].items()
      for x in entries
    }
    self._nodes: dict[tuple, _Node] = {}

  def places(self, arm: str) -> list[frozen.Place]:
    """Of the arm's models."""
    return [place for name, place in self._entries if name == arm]

  def fitted(self, arm: str, place: frozen.Place) -> preprocess.Fitted:
    """The preprocessing that the arm's model was trained with."""
    return self._node(arm, place).fitted

  def logits(
    self,
    arm: str,
    place: frozen.Place,
    sides: Mapping[str, Side],
    at: Mapping[str, np.ndarray],
  ) -> np.ndarray:
    """(p, s) float64 logits of p pairs; the constant where both are absent.

    Args:
      arm: whose model.
      place: which of them.
      sides: by modality, of the arm's at least.
      at: by modality, (p,) numbers of the studies whose image and record make
        up a pair.
    """
    node = self._node(arm, place)
    parts = node.learner.arm
    at = {m: np.asarray(at[m]) for m in parts.modalities}
    present = {m: sides[m].cohort.present[m][rows] for m, rows in at.items()}
    if node.learner.joins:
      logits, here = {}, {}
      for term, (other, modalities) in parts.terms.items():
        logits[term] = self.logits(other, place, sides, at)
        here[term] = np.any([present[m] for m in modalities], axis=0)
      found = node.trained.models[0].apply(logits, here)
    elif parts.exchanges:
      found = self._whole(node, sides, at)
    else:
      run = self._neural if node.learner.encodes else self._classical
      found = node.learner.mean(
        [
          run(node, place, half, sides, at)
          for half in range(len(node.trained.models))
        ]
      )
    absent = ~np.any([*present.values()], axis=0)
    constant = links.logits_from_scores(self._task, node.fitted.constant[None])
    return np.where(absent[:, None], constant, found)

  def _node(self, arm, place) -> _Node:
    if (arm, place) not in self._nodes:
      key = self._entries[arm, place]
      learner = learners.create_learner(
        self._config.known_arms[arm],
        self._task,
        training=self._config.training,
        parallel=self._config.parallel,
      )
      trained, fitted = learner.load(self._store.model_folder(key))
      self._nodes[arm, place] = _Node(key, learner, trained, fitted)
    return self._nodes[arm, place]

  def _inputs(self, node, place, side, modality) -> learner_lib.Inputs:
    """What the node sees of a side, with features of its extractor."""
    parts = node.learner.arm
    features = {}
    if modality in parts.second_stage:
      other = self._node(parts.inputs[modality].of, place)
      features[modality] = tuple(
        np.asarray(self._encoded(other, place, half, side, modality).pooled)[
          : len(side)
        ]
        for half in range(len(other.trained.models))
      )
    return learner_lib.Inputs(side.cohort, node.fitted, features)

  def _classical(self, node, place, half, sides, at) -> np.ndarray:
    columns = []
    for m in node.learner.arm.modalities:
      seen, key = sides[m].seen, (node.key, half, m)
      if key not in seen:
        inputs = self._inputs(node, place, sides[m], m)
        seen[key], _ = node.learner.blocks(inputs, half, (m,))[m]
      columns.append(seen[key][at[m]])
    model = node.trained.models[half]
    return model.logits(np.concatenate(columns, axis=1))

  def _whole(self, node, sides, at) -> np.ndarray:
    """By running the whole model, as its encoders see each other."""
    found = []
    pairs = len(next(iter(at.values())))
    for start in range(0, pairs, _PAIRS):
      rows = {m: x[start : start + _PAIRS] for m, x in at.items()}
      shown = {
        m: sides[m].cohort.modalities[m].take(x) for m, x in rows.items()
      }
      made = sides[next(iter(rows))].cohort.unlabelled(shown)
      inputs = learner_lib.Inputs(made, node.fitted)
      everyone = np.arange(len(made))
      found += node.learner.logits([node.trained], [inputs], [everyone])
    return np.concatenate(found)

  def _neural(self, node, place, half, sides, at) -> np.ndarray:
    features = {m: self._encoded(node, place, half, sides[m], m) for m in at}
    present = {
      m: np.pad(
        sides[m].cohort.present[m], (0, len(features[m].pooled) - len(sides[m]))
      )
      for m in at
    }
    config = node.learner.model_config(learner_lib.Inputs(None, node.fitted))
    _, head = _programs(config, self._task)
    model = node.trained.models[half]
    pairs = len(next(iter(at.values())))
    found = []
    for start in range(0, pairs, _PAIRS):
      rows = {m: x[start : start + _PAIRS] for m, x in at.items()}
      count = len(next(iter(rows.values())))
      rows = {m: np.pad(x, (0, _PAIRS - count)) for m, x in rows.items()}
      logits = head(model.variables, features, present, rows)
      found.append(np.asarray(logits)[:count])
    out = np.concatenate(found).astype(np.float64)
    return out * model.label_std + model.label_mean

  def _encoded(self, node, place, half, side, modality) -> types.Features:
    """Features of a side; at its end repeated, up to a power of two."""
    key = node.key, half, modality
    if key not in side.seen:
      inputs = self._inputs(node, place, side, modality)
      source = node.learner.source(inputs, half, (modality,))
      config = node.learner.model_config(inputs)
      encode, _ = _programs(config, self._task)
      variables = node.trained.models[half].variables
      n = len(side)
      # Few sizes, so that few programs are compiled.
      size = _STUDIES << max(0, int(np.ceil(np.log2(n / _STUDIES))))
      found = []
      for rows in np.minimum(np.arange(size), n - 1).reshape(-1, _STUDIES):
        resident = batches.make_resident(
          batches.FleetData(repeated(side.cohort, rows), (_take(source, rows),))
        )
        found.append(encode(variables, resident, modality))
      side.seen[key] = jax.tree.map(lambda *x: jnp.concatenate(x), *found)
    return side.seen[key]


def repeated(cohort: cohort_lib.Cohort, rows: np.ndarray) -> cohort_lib.Cohort:
  """What models see of the studies `rows`, any of them several times."""
  return cohort_lib.Cohort(
    name=cohort.name,
    task=cohort.task,
    digest=cohort.digest,
    study=np.arange(len(rows)).astype(str),
    patient=cohort.patient[rows],
    labels=cohort.labels[rows],
    modalities={m: x.take(rows) for m, x in cohort.modalities.items()},
  )


def _take(source: batches.Source, rows: np.ndarray) -> batches.Source:
  """What is seen of some studies."""
  parts = {
    m: part
    if part.vector is None
    else dataclasses.replace(part, vector=part.vector[rows])
    for m, part in source.parts.items()
  }
  return dataclasses.replace(source, parts=parts)


@functools.cache
def _programs(config: models.ModelConfig, task: types.Task):
  """Compiled functions for features of one modality and for logits of pairs.

  Raises:
    ValueError: for a model whose encoders exchange something.
  """
  model = models.create_model(config, task)
  if model.exchanges:
    raise ValueError('Its encoders cannot be run one by one.')

  @functools.partial(jax.jit, static_argnums=2)
  def encode(variables, resident, modality):
    rows = jnp.arange(_STUDIES)
    plan = batches.RowPlan(rows=rows, weight=jnp.ones(_STUDIES))
    batch = batches.gather(resident, 0, plan)
    # The other encoder is not run.
    blank = types.Features.of_vector(jnp.zeros((_STUDIES, 1)))
    others = [m for m in model.encoders if m != modality]
    batch = batch.replace(
      present={
        modality: batch.present[modality],
        **{m: jnp.zeros(_STUDIES, bool) for m in others},
      },
      features={**batch.features, **{m: blank for m in others}},
    )
    features = model.apply(variables, batch, train=False, method=model.encode)
    return features[modality]

  @jax.jit
  def head(variables, features, present, at):
    # What a combiner does not read of the features is never gathered.
    batch = types.Batch(
      inputs={},
      present={m: p[at[m]] for m, p in present.items()},
      labels=jnp.zeros((_PAIRS, task.num_labels)),
      label_mask=jnp.zeros((_PAIRS, task.num_labels), bool),
      weight=jnp.ones(_PAIRS),
      row=jnp.arange(_PAIRS),
      features={
        m: jax.tree.map(lambda x, rows=at[m]: x[rows], f)
        for m, f in features.items()
      },
    )
    return model.apply(variables, batch)[0]

  return encode, head
