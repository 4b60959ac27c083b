"""What an ablation has to run: a graph of nodes, each keyed by its causes.

A node is one arm's training for one fold, seed and trial; it lands in the
store as a whole. Its key is a hash of all that determines it, so a node is run
once, whatever else is added to the ablation.
"""

import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import pathlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fusion_jax.ablation import arms as arms_lib
from fusion_jax.ablation import config as config_lib
from fusion_jax.core import config as core_config
from fusion_jax.core import errors, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import splits as splits_lib

# More would not end, and their records not fit into memory.
MOST_NODES = 20_000

_ROOT = pathlib.Path(__file__).resolve().parent.parent
_DATA = ('core', 'data')
_LEARNERS = tuple(
  f'ablation/{x}.py'
  for x in (
    'learner',
    'learners',
    'classical_learners',
    'neural_learner',
    'nodes',
    'rows',
  )
)
# The folders and files of the package that determine what a learner learns.
SOURCES: Mapping[str, tuple[str, ...]] = {
  arms_lib.NEURAL: (
    *_DATA,
    'parallel',
    'encoders',
    'fusion',
    'training',
    *_LEARNERS,
  ),
  arms_lib.ELASTIC_NET: (*_DATA, 'training', *_LEARNERS),
  arms_lib.TREES: (*_DATA, 'training', *_LEARNERS),
  arms_lib.RULE: (*_DATA, 'fusion', *_LEARNERS),
}
_ARRAY_PACKAGES = ('numpy', 'scipy', 'scikit-learn')
PACKAGES: Mapping[str, tuple[str, ...]] = {
  # The array packages reduce its pixels.
  arms_lib.NEURAL: ('jax', 'jaxlib', 'flax', 'optax', *_ARRAY_PACKAGES),
  arms_lib.ELASTIC_NET: _ARRAY_PACKAGES,
  arms_lib.TREES: _ARRAY_PACKAGES,
  arms_lib.RULE: _ARRAY_PACKAGES,
}

# Where the random search looks: ('scale', a) is the configured value times a
# log-uniform factor from 1 / a to a.
SPACES: Mapping[str, Mapping[str, tuple]] = {
  arms_lib.NEURAL: {
    'learning_rate': ('scale', 4.0),
    'weight_decay': ('scale', 10.0),
  },
  arms_lib.ELASTIC_NET: {'l1_ratio': ('uniform', 0.05, 1.0)},
  arms_lib.TREES: {
    'learning_rate': ('scale', 3.0),
    'max_leaf_nodes': ('choice', 4, 7, 15, 31),
    'l2': ('scale', 10.0),
  },
  arms_lib.RULE: {},
}


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

  Attributes:
    nodes: by arm, those of the table and those they need.
    listed: the arms of the table, in its order.
    trials: by arm, how many trials it gets.
  """

  nodes: Mapping[str, tuple[Node, ...]]
  listed: tuple[str, ...]
  trials: Mapping[str, int]

  def by_key(self) -> dict[str, Node]:
    """All nodes."""
    return {n.key: n for nodes in self.nodes.values() for n in nodes}


@functools.cache
def source_digest(learner: str) -> str:
  """Hash of the library's source files that determine a learner's result."""
  total = hashlib.sha256()
  for name in SOURCES[learner]:
    path = _ROOT / name
    files = sorted(path.rglob('*.py')) if path.is_dir() else [path]
    for file in files:
      total.update(file.relative_to(_ROOT).as_posix().encode() + b'\0')
      total.update(file.read_bytes() + b'\0')
  return total.hexdigest()


@functools.cache
def environment(learner: str) -> Mapping[str, str]:
  """Versions of the packages, and the backend, that determine a result."""
  found = {p: importlib.metadata.version(p) for p in PACKAGES[learner]}
  if learner == arms_lib.NEURAL:
    found['backend'] = jax.default_backend()
  return found


def hyperparameters(
  config: config_lib.ExperimentConfig, learner: str, trial: int
) -> dict[str, float]:
  """Trial 0 is the configured setting; the others are drawn at random.

  A trial's setting is the same in all folds and seeds, and does not depend on
  how many trials there are.
  """
  space = SPACES[learner]
  group = config.training if learner == arms_lib.NEURAL else config.classical
  setting = {name: getattr(group, name) for name in space}
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


def trials_of(
  config: config_lib.ExperimentConfig, parts: arms_lib.ArmConfig
) -> int:
  """How many settings an arm gets in each fold and seed."""
  # Rules have nothing to search; extractors serve every trial of others.
  searched = parts.strategy != arms_lib.UPSTREAM and SPACES[parts.learner]
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
    listed: arms of the table (`arms.select`), in its order.
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
  arms = _with_upstream(config.arms, listed)
  trials = {arm: trials_of(config, config.arms[arm]) for arm in arms}
  total = sum(trials.values()) * len(cells) * config.seeds
  if total > MOST_NODES:
    raise errors.UserError(
      f'{len(cells)} folds with seeds={config.seeds}, trials={config.trials} '
      f'and {len(arms)} arms are {total} trainings, at most {MOST_NODES} are '
      'possible: take fewer of them.'
    )
  for arm in arms:
    parts = config.arms[arm]
    settings = _arm_settings(config, parts)
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
          hyper = hyperparameters(config, parts.learner, trial)
          causes = {
            **base,
            **_causes(parts.learner),
            'settings': settings,
            'split': cell.digest,
            'small': cell.small,
            'random_seed': start,
            'trial': trial,
            'hyper': hyper,
            'upstream': list(upstream),
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


def _causes(learner: str) -> dict[str, Any]:
  return {
    'learner': learner,
    'source': source_digest(learner),
    'environment': environment(learner),
  }


def _arm_settings(config, parts: arms_lib.ArmConfig) -> dict[str, Any]:
  """What of the configuration determines an arm, but for hyperparameters."""
  settings = core_config.to_dict(parts)
  settings['preprocess'] = core_config.to_dict(config.preprocess)
  for name in ('summary', 'type', 'upstream'):
    del settings[name]
  if parts.learner == arms_lib.NEURAL:
    training = core_config.to_dict(config.training)
    for name in SPACES[arms_lib.NEURAL]:
      del training[name]
    settings['training'] = training
    # The number of devices is left out: a run may go on elsewhere.
    settings['parallel'] = core_config.to_dict(config.parallel)
    del settings['parallel']['devices']
  elif parts.learner != arms_lib.RULE:
    settings['inner_folds'] = config.classical.inner_folds
  return settings


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
