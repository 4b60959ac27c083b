"""The configuration of one ablation."""

import dataclasses
import hashlib
import json
import math
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from fusion_jax.ablation import arms as arms_lib
from fusion_jax.ablation import audit_config
from fusion_jax.core import config as core_config
from fusion_jax.core import errors, types
from fusion_jax.data import config as data_config
from fusion_jax.data import preprocess
from fusion_jax.evaluation import config as evaluation_config
from fusion_jax.evaluation import controls as controls_lib
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config

# These may differ between two commands that share a run folder: they add
# nodes (see `extended`) or change what is done with finished ones.
EXTENDABLE = (
  'run_arms',
  'seeds',
  'trials',
  'evaluation',
  'audits',
  'controls',
  'footprint',
  'parallel',
)
# Of a run folder these can only grow.
_GROWING = ('run_arms', 'seeds', 'trials', 'controls', 'footprint')
# Beyond these a run would not end, or its comparisons not fit into memory.
MOST_SEEDS = 1000
MOST_TRIALS = 1000
MOST_EMAP = 2000
# Stands for every control condition.
ALL = 'all'
# Where decoded images are kept says nothing about what they show.
_IMMATERIAL = ('cohort.cache_dir',)


@dataclasses.dataclass(frozen=True)
class ClassicalConfig:
  """Hyperparameters of the classical learners' first trial.

  Attributes:
    l1_ratio: elastic net: share of the absolute penalty.
    learning_rate: gradient boosting: shrinkage of each tree.
    max_leaf_nodes: gradient boosting: leaves of a tree.
    l2: gradient boosting: penalty on leaf values.
    inner_folds: folds of the cross-validation that tunes both in small cohorts
      (`ExperimentConfig.small_below`).
  """

  l1_ratio: float = 0.5
  learning_rate: float = 0.1
  max_leaf_nodes: int = 15
  l2: float = 1.0
  inner_folds: int = 5


@dataclasses.dataclass(frozen=True)
class ControlsConfig:
  """Which conditions ask whether a gain is fusion; docs/controls.md.

  Attributes:
    conditions: names of `controls.CONDITIONS`, or 'all'; empty for none.
    emap_studies: how many studies of a test part, of whole patients, are
      paired with each other for 'emap', which is then compared on these.
  """

  conditions: tuple[str, ...] = ()
  emap_studies: int = 200

  @property
  def names(self) -> tuple[str, ...]:
    """The conditions in the order of `controls.CONDITIONS`."""
    known = controls_lib.CONDITIONS
    if ALL in self.conditions:
      return known
    return tuple(name for name in known if name in self.conditions)


def _default_arms() -> dict[str, arms_lib.ArmConfig]:
  return dict(arms_lib.ARMS)


@dataclasses.dataclass(frozen=True)
class ExperimentConfig:
  """Everything that determines an ablation.

  Attributes:
    cohort: what is read.
    splits: how patients are divided.
    preprocess: what is fitted on each training part.
    training: how neural arms are trained.
    classical: where the classical arms' search starts.
    evaluation: how arms are compared.
    audits: which attempts to predict without meaning are made.
    controls: which controls ask whether a gain is fusion.
    footprint: whether operations, latency and memory are measured.
    parallel: how devices are used.
    arms: what each known arm is made of.
    run_arms: the arms to run; empty for all that the cohort allows.
    seeds: models per arm and fold that differ only in their random numbers.
    trials: hyperparameter settings per arm, fold and seed; the first is the
      configured one, the others are drawn at random and the one with the
      lowest validation loss counts.
    seed: of everything random in training and search.
    small_below: a cohort is small where training and validation have fewer
      studies together than this. There elastic nets and trees are tuned by
      cross-validation and fitted on both parts, and second stages are averaged
      over several cuts of the training part (docs/strategies.md).
  """

  cohort: data_config.CohortConfig = data_config.CohortConfig()
  splits: data_config.SplitConfig = data_config.SplitConfig()
  preprocess: data_config.PreprocessConfig = data_config.PreprocessConfig()
  training: training_config.TrainingConfig = training_config.TrainingConfig()
  classical: ClassicalConfig = ClassicalConfig()
  evaluation: evaluation_config.EvaluationConfig = (
    evaluation_config.EvaluationConfig()
  )
  audits: audit_config.AuditsConfig = audit_config.AuditsConfig()
  controls: ControlsConfig = ControlsConfig()
  footprint: bool = False
  parallel: parallel_config.ParallelConfig = parallel_config.ParallelConfig()
  arms: dict[str, arms_lib.ArmConfig] = dataclasses.field(
    default_factory=_default_arms
  )
  run_arms: tuple[str, ...] = ()
  seeds: int = 1
  trials: int = 1
  seed: int = 0
  small_below: int = 800


def check(config: ExperimentConfig) -> None:
  """Checks what needs no data.

  Raises:
    UserError: naming the value and the legal ones.
  """
  for name, most in (('seeds', MOST_SEEDS), ('trials', MOST_TRIALS)):
    if not 1 <= getattr(config, name) <= most:
      raise errors.UserError(
        f'{name}={getattr(config, name)}: expected a whole number from 1 to '
        f'{most}.'
      )
  for name in ('seed', 'small_below'):
    if getattr(config, name) < 0:
      raise errors.UserError(
        f'{name}={getattr(config, name)}: expected 0 or a positive whole '
        'number.'
      )
  if len(config.arms) > types.MOST_ARMS:
    raise errors.UserError(
      f'arms: {len(config.arms)} are defined, at most {types.MOST_ARMS} can be '
      'compared.'
    )
  _check_classical(config.classical)
  _check_controls(config.controls)
  audit_config.check(config.audits)
  training_config.check(config.training)
  data_config.check(config.cohort)
  preprocess.Preprocessor(config.preprocess)
  arms_lib.check(config.arms)
  arms_lib.check_names(config.arms, config.run_arms)


def _check_classical(classical: ClassicalConfig) -> None:
  finite = math.isfinite
  for name, legal, expected in (
    ('l1_ratio', lambda x: 0 <= x <= 1, 'a number from 0 to 1'),
    ('learning_rate', lambda x: x > 0 and finite(x), 'a number above 0'),
    (
      'max_leaf_nodes',
      lambda x: 2 <= x <= 10_000,
      'a whole number from 2 to 10000',
    ),
    ('l2', lambda x: x >= 0 and finite(x), '0 or a positive number'),
    ('inner_folds', lambda x: 2 <= x <= 100, 'a whole number from 2 to 100'),
  ):
    value = getattr(classical, name)
    if not legal(value):
      raise errors.UserError(f'classical.{name}={value}: expected {expected}.')


def _check_controls(controls: ControlsConfig) -> None:
  known = (*controls_lib.CONDITIONS, ALL)
  for name in controls.conditions:
    if name not in known:
      raise errors.unknown_name(
        'condition', name, known, where='controls.conditions'
      )
  if not 2 <= controls.emap_studies <= MOST_EMAP:
    raise errors.UserError(
      f'controls.emap_studies={controls.emap_studies}: expected a whole number '
      f'from 2 to {MOST_EMAP}.'
    )


def check_saved(saved: Mapping[str, Any], *, where: str) -> None:
  """Checks what `extended` reads of a folder's config.json.

  Raises:
    UserError: naming what is not of its type, below `where`.
  """
  usual = core_config.to_dict(ExperimentConfig())
  known = {k: saved[k] for k in _GROWING if k in saved}
  core_config.from_dict(ExperimentConfig, {**usual, **known}, where=where)


def extended(
  saved: Mapping[str, Any], config: ExperimentConfig
) -> ExperimentConfig:
  """`config` with all that its run folder was ever asked for.

  A comparison of arms holds for all arms that were tried, so none can be left
  out afterwards; nor can seeds or trials.

  Args:
    saved: what the folder's config.json holds.
    config: the configuration of this command.
  """
  before = saved.get('run_arms', ())
  run_arms = config.run_arms
  if not before:
    run_arms = ()
  elif run_arms and not set(before) <= set(run_arms):
    run_arms = tuple(dict.fromkeys([*before, *run_arms]))
  conditions = saved.get('controls', {}).get('conditions', ())
  conditions = dict.fromkeys([*conditions, *config.controls.conditions])
  return dataclasses.replace(
    config,
    run_arms=run_arms,
    controls=dataclasses.replace(config.controls, conditions=tuple(conditions)),
    footprint=config.footprint or saved.get('footprint', False),
    seeds=max(config.seeds, saved.get('seeds', 1)),
    trials=max(config.trials, saved.get('trials', 1)),
  )


def _fixed_part(tree: dict) -> dict:
  """What commands that share a run folder have in common, by dotted name."""
  return {
    name: value
    for name, value in _flatten(tree).items()
    if name.split('.')[0] not in EXTENDABLE and name not in _IMMATERIAL
  }


def digest(config: ExperimentConfig) -> str:
  """Hex hash of what commands that share a run folder have in common."""
  fixed = _fixed_part(core_config.to_dict(config))
  text = json.dumps(fixed, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def default_folder(config: ExperimentConfig) -> pathlib.Path:
  """runs/<cohort>-<hash>: the same command finds its own folder again."""
  name = config.cohort.name.rstrip('/')
  name = pathlib.PurePath(name).name.removesuffix('.toml')
  if name == 'cohort':
    name = pathlib.PurePath(config.cohort.name).parent.name or name
  name = re.sub(r'[^A-Za-z0-9_.-]+', '_', name) or 'run'
  short = digest(config)[:8]
  return pathlib.Path('runs') / f'{name}-{short}'


def first_difference(saved: dict, config: ExperimentConfig) -> str:
  """The first setting in which a run folder's config differs; '' if none.

  Args:
    saved: what the folder's config.json holds.
    config: the configuration of this command.

  Returns:
    "name: value there, value here".
  """
  there = _fixed_part(saved)
  here = _fixed_part(core_config.to_dict(config))
  for name in sorted(there.keys() | here.keys()):
    if there.get(name) != here.get(name):
      shown = [json.dumps(x.get(name)) for x in (there, here)]
      return f'{name} is {shown[0]} there and {shown[1]} here'
  return ''


def _flatten(tree, prefix: str = '') -> dict:
  flat = {}
  for name, value in tree.items():
    if isinstance(value, dict):
      flat.update(_flatten(value, f'{prefix}{name}.'))
    else:
      flat[prefix + name] = value
  return flat
