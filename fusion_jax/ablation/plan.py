"""What an ablation has to run: a graph of nodes, each keyed by its causes.

A node is one arm's training for one fold, seed and trial; it lands in the
store as a whole. Its key is a hash of all that determines it, so a node is run
once, whatever else is added to the ablation.
"""

import dataclasses
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import keys, learners
from fusion_jax.ablation import learner as learner_lib
from fusion_jax.core import errors, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import splits as splits_lib
from fusion_jax.parallel import config as parallel_config
from fusion_jax.parallel import strategy

# More would not end, and their records not fit into memory.
MOST_NODES = 20_000


@dataclasses.dataclass(frozen=True)
class Cell:
  """One fold of one repeat: where models are trained and tested.

  Attributes:
    repeat: number of the repeat.
    fold: number of the fold.
    digest: hash of the study ids of each part.
    small: whether training and validation have fewer studies together than
      `ExperimentConfig.small_below`.
  """

  repeat: int
  fold: int
  digest: str
  small: bool = False


@dataclasses.dataclass(frozen=True)
class Node:
  """One piece of work.

  Attributes:
    arm: whose it is.
    repeat: of the split.
    fold: of the split.
    seed: number of the seed.
    trial: number of the trial.
    random_seed: what its random numbers follow from.
    hyper: the trial's hyperparameters.
    upstream: keys of the nodes it needs, every trial of them.
    key: hash of all that determines it.
    small: see `Cell`.
  """

  arm: str
  repeat: int
  fold: int
  seed: int
  trial: int
  random_seed: int
  hyper: Mapping[str, float]
  upstream: tuple[str, ...]
  key: str
  small: bool = False

  @property
  def place(self) -> tuple[int, int, int]:
    """Repeat, fold and seed."""
    return self.repeat, self.fold, self.seed


@dataclasses.dataclass(frozen=True)
class Plan:
  """Nodes by arm, each arm after those it needs.

  Nodes of an arm that does not learn have one key: they are one piece of work.

  Attributes:
    nodes: by arm, those of the table and those they need.
    listed: the arms of the table, in its order.
    trials: by arm, how many trials it gets.
  """

  nodes: Mapping[str, tuple[Node, ...]]
  listed: tuple[str, ...]
  trials: Mapping[str, int]

  def distinct(self, arm: str) -> list[Node]:
    """The pieces of work of an arm: the first node of each key."""
    found: dict[str, Node] = {}
    for node in self.nodes[arm]:
      found.setdefault(node.key, node)
    return [*found.values()]

  def by_key(self) -> dict[str, Node]:
    """All nodes."""
    return {n.key: n for nodes in self.nodes.values() for n in nodes}


def hyperparameters(
  config: config_lib.ExperimentConfig,
  learner: str,
  trial: int,
  replaced: Mapping[str, Any] | None = None,
) -> dict[str, float]:
  """Trial 0 is the configured setting; the others are drawn at random.

  A trial's setting is the same in all folds and seeds, and does not depend on
  how many trials there are.

  Args:
    config: the configuration.
    learner: a key of `learners.LEARNERS`.
    trial: its number.
    replaced: by name, settings that an arm replaces (`Arm.train`).
  """
  cls = learners.LEARNERS[learner]
  space = cls.space
  group = getattr(config, cls.group) if space else None
  setting = {
    name: (replaced or {}).get(name, getattr(group, name)) for name in space
  }
  if trial == 0:
    return setting
  draw = np.random.default_rng(
    [config.seed, trial, zlib.crc32(learner.encode())]
  )
  for name, (how, *range_) in space.items():
    if how == 'scale':
      log = np.log(range_[0])
      setting[name] = float(setting[name] * np.exp(draw.uniform(-log, log)))
    elif how == 'uniform':
      setting[name] = float(draw.uniform(*range_))
    else:
      setting[name] = int(draw.choice(range_))
  return setting


def trials_of(config: config_lib.ExperimentConfig, parts: arm_lib.Arm) -> int:
  """How many settings an arm gets in each fold and seed."""
  # Rules have nothing to search; extractors serve every trial of others.
  searched = not parts.extracts and learners.of(parts).space
  return config.trials if searched else 1


def random_seed(config, repeat: int, fold: int, seed: int) -> int:
  """A seed from 0 to 2^31 - 1, the same for every arm and trial."""
  sequence = np.random.SeedSequence([config.seed, repeat, fold, seed])
  return int(sequence.generate_state(1)[0] >> 1)


def cells_of(
  config: config_lib.ExperimentConfig,
  cohort: cohort_lib.Cohort,
  splits: Sequence[splits_lib.Split],
) -> list[Cell]:
  """The cells of a cohort's splits."""
  return [
    Cell(
      s.repeat,
      s.fold,
      splits_lib.digest(s, cohort),
      len(s.train) + len(s.valid) < config.small_below,
    )
    for s in splits
  ]


def make_plan(
  config: config_lib.ExperimentConfig,
  *,
  listed: Sequence[str],
  task: types.Task,
  cohort_digest: str,
  cells: Sequence[Cell],
) -> Plan:
  """Lays out all nodes, upstream ones once.

  Args:
    config: the experiment.
    listed: arms of the table (`roster.select`), in its order.
    task: what is predicted.
    cohort_digest: of the cohort's content.
    cells: the folds of all repeats.

  Raises:
    UserError: if there are more nodes than a run could train.
  """
  base = {
    'cohort': cohort_digest,
    'task': [task.kind, list(task.names)],
    'seed': config.seed,
  }
  nodes: dict[str, tuple[Node, ...]] = {}
  known = config.known_arms
  arms = _with_upstream(known, listed)
  trials = {arm: trials_of(config, known[arm]) for arm in arms}
  total = sum(trials.values()) * len(cells) * config.seeds
  if total > MOST_NODES:
    raise errors.UserError(
      f'{len(cells)} folds with seeds={config.seeds}, trials={config.trials} '
      f'and {len(arms)} arms are {total} trainings, at most {MOST_NODES} are '
      'possible: take fewer of them.'
    )
  for arm in arms:
    parts = known[arm]
    shared = {
      **base,
      'settings': keys.settings(config, parts),
      'source': keys.source_digest(
        parts,
        config.settings_of(parts) if learners.of(parts).group else None,
      ),
      'environment': keys.environment(parts.learner),
    }
    found = []
    for cell in cells:
      for seed in range(config.seeds):
        upstream = tuple(
          n.key
          for other in parts.upstream
          for n in nodes[other]
          if n.place == (cell.repeat, cell.fold, seed)
        )
        start = random_seed(config, cell.repeat, cell.fold, seed)
        for trial in range(trials[arm]):
          hyper = hyperparameters(config, parts.learner, trial, parts.train)
          causes = {**shared, 'upstream': list(upstream)}
          if learners.of(parts).learns:
            causes |= {
              'split': cell.digest,
              'small': cell.small,
              'random_seed': start,
              'trial': trial,
              'hyper': hyper,
            }
          found.append(
            Node(
              arm,
              cell.repeat,
              cell.fold,
              seed,
              trial,
              start,
              hyper,
              upstream,
              _hash(causes),
              cell.small,
            )
          )
    nodes[arm] = tuple(found)
  return Plan(nodes, tuple(listed), trials)


def parallel_of(
  config: config_lib.ExperimentConfig, plan: Plan, arm: str
) -> parallel_config.ParallelConfig:
  """The devices of an arm, with what is cut over them decided.

  That follows from all the arm's models, so that it does not depend on how
  many of them an interrupted run still lacks.
  """
  parts = config.known_arms[arm]
  members = 1
  if learners.of(parts).learns:
    members = sum(
      learner_lib.models_per_node(parts, node.small) for node in plan.nodes[arm]
    )
  decided = strategy.create_strategy(config.parallel, members=members)
  return dataclasses.replace(config.parallel, shard=decided.shard)


def _with_upstream(arms, listed: Sequence[str]) -> list[str]:
  """`listed` and all that it needs, needed arms first."""
  order: list[str] = []

  def add(name):
    for other in arms[name].upstream:
      add(other)
    if name not in order:
      order.append(name)

  for name in listed:
    add(name)
  return order


def _hash(causes: Mapping[str, Any]) -> str:
  text = json.dumps(causes, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:24]
