"""The configuration of one ablation."""

import dataclasses
import functools
import hashlib
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import (
  arm_text,
  audit_config,
  classical_learners,
  families,
  learners,
  roster,
)
from fusion_jax.core import config as core_config
from fusion_jax.core import errors, registry, spec, types
from fusion_jax.data import config as data_config
from fusion_jax.data import preprocess, reader
from fusion_jax.evaluation import conditions as conditions_lib
from fusion_jax.evaluation import config as evaluation_config
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config
from fusion_jax.training import pretrained

# These may differ between two commands that share a run folder: they add
# nodes (see `extended`) or change what is done with finished ones.
EXTENDABLE = (
  'modalities',
  'families',
  'arms',
  'imports',
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
_GROWING = (
  'families',
  'arms',
  'imports',
  'run_arms',
  'seeds',
  'trials',
  'controls',
  'footprint',
)
# Beyond these a run would not end, or its comparisons not fit into memory.
MOST_SEEDS = 1000
MOST_TRIALS = 1000
MOST_EMAP = 2000
# Stands for every control condition.
ALL = 'all'
# Where decoded images are kept says nothing about what they show.
_IMMATERIAL = ('cohort.cache_dir',)


@dataclasses.dataclass(frozen=True)
class ControlsConfig:
  """Which conditions ask whether a gain is fusion; docs/controls.md.

  Attributes:
    conditions: names of `conditions.CONDITIONS`, 'shapley' for those that
      Shapley values of all modalities take, or 'all'; empty for none.
    emap_studies: how many studies of a test part, of whole patients, are
      paired with each other for 'emap', which is then compared on these.
  """

  conditions: tuple[str, ...] = ()
  emap_studies: int = 200

  @property
  def names(self) -> tuple[str, ...]:
    """The conditions in the order of `conditions.CONDITIONS`."""
    known = conditions_lib.CONDITIONS
    if ALL in self.conditions:
      return known
    return tuple(name for name in known if name in self.conditions)

  @property
  def shapley(self) -> bool:
    """Whether Shapley values are asked for."""
    return bool({ALL, conditions_lib.SHAPLEY} & {*self.conditions})


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
    modalities: what the families make arms for; of the cohort.
    families: names of the families of arms that are known.
    arms: by name, more arms as text (arm_text.py).
    imports: modules that register parts of other packages.
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
  classical: classical_learners.ClassicalConfig = (
    classical_learners.ClassicalConfig()
  )
  evaluation: evaluation_config.EvaluationConfig = (
    evaluation_config.EvaluationConfig()
  )
  audits: audit_config.AuditsConfig = audit_config.AuditsConfig()
  controls: ControlsConfig = ControlsConfig()
  footprint: bool = False
  parallel: parallel_config.ParallelConfig = parallel_config.ParallelConfig()
  modalities: tuple[arm_lib.Modality, ...] = families.USUAL
  families: tuple[str, ...] = (families.REVIEW,)
  arms: dict[str, str] = dataclasses.field(default_factory=dict)
  imports: tuple[str, ...] = ()
  run_arms: tuple[str, ...] = ()
  seeds: int = 1
  trials: int = 1
  seed: int = 0
  small_below: int = 800

  @functools.cached_property
  def known_arms(self) -> dict[str, arm_lib.Arm]:
    """By name, the arms of the families and those that `arms` defines.

    Raises:
      UserError: for an unknown family, a definition that is wrong or a module
        that cannot be imported.
    """
    registry.import_parts(self.imports, where='imports')
    made = families.make(self.families, self.modalities)
    groups = {
      cls.group: getattr(self, cls.group)
      for cls in learners.LEARNERS.values()
      if cls.group
    }
    return arm_text.define_all(made, self.arms, groups)

  def settings_of(self, arm: arm_lib.Arm) -> Any:
    """The settings of an arm's learner, with those that the arm replaces.

    Raises:
      ValueError: for an arm whose learner has none.
    """
    group = learners.of(arm).group
    if not group:
      raise ValueError(f"The learner '{arm.learner}' has no settings")
    return dataclasses.replace(getattr(self, group), **arm.train)

  def inner_folds_of(self, arm: arm_lib.Arm) -> int:
    """Folds of the inner cross-validation of an arm in small cohorts."""
    return arm.train.get('inner_folds', self.classical.inner_folds)


def of_cohort(config: ExperimentConfig) -> ExperimentConfig:
  """`config` with the modalities that its cohort is said to have.

  Where these are none but the usual ones, all of the usual ones: arms that
  need one that is not there are then left out with a reason.

  Raises:
    UserError: if there is no such cohort, a module cannot be imported, or
      modalities that were given are not legal.
  """
  # The kind of a modality may be another package's.
  registry.import_parts(config.imports, where='imports')
  families.check(config.modalities)
  found = tuple(arm_lib.Modality(*x) for x in reader.describe(config.cohort))
  if set(found) <= set(families.USUAL):
    found = families.USUAL
  return dataclasses.replace(config, modalities=found)


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
    raise _too_many(len(config.arms))
  classical_learners.check(config.classical)
  _check_controls(config.controls)
  audit_config.check(config.audits)
  training_config.check(config.training)
  data_config.check(config.cohort)
  preprocess.Preprocessor(config.preprocess)
  arms = config.known_arms
  if len(arms) > types.MOST_ARMS:
    raise _too_many(len(arms))
  _check_init('training.init', config.training, config.modalities)
  for name, arm in arms.items():
    if arm.train:
      _check_init(f'arms.{name}', config.settings_of(arm), config.modalities)
      _check_settings(name, config.settings_of(arm))
  roster.check_names(arms, config.run_arms)


def _too_many(count: int) -> errors.UserError:
  return errors.UserError(
    f'arms: {count} are defined, at most {types.MOST_ARMS} can be compared.'
  )


def _check_init(where, settings, modalities) -> None:
  """Checks that weights are for modalities that there are."""
  known = [x.name for x in modalities]
  for modality in pretrained.parse(getattr(settings, 'init', ())):
    if modality not in known:
      raise errors.unknown_name('modality', modality, known, where=where)


def _check_settings(name: str, settings: Any) -> None:
  check_group = {
    training_config.TrainingConfig: training_config.check,
    classical_learners.ClassicalConfig: classical_learners.check,
  }
  try:
    check_group[type(settings)](settings)
  except errors.UserError as e:
    raise errors.UserError(f'arms.{name}: {e}') from None


def _check_controls(controls: ControlsConfig) -> None:
  known = (*conditions_lib.CONDITIONS, conditions_lib.SHAPLEY, ALL)
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

  Raises:
    UserError: if an arm has another definition than it had.
  """
  usual = core_config.to_dict(ExperimentConfig())
  saved = {**usual, **saved}
  before = saved['run_arms']
  run_arms = config.run_arms
  if not before:
    run_arms = ()
  elif run_arms and not set(before) <= set(run_arms):
    run_arms = tuple(dict.fromkeys([*before, *run_arms]))
  conditions = saved['controls'].get('conditions', ())
  conditions = dict.fromkeys([*conditions, *config.controls.conditions])
  return dataclasses.replace(
    config,
    families=_united(saved['families'], config.families),
    arms={**saved['arms'], **config.arms},
    imports=_united(saved['imports'], config.imports),
    run_arms=run_arms,
    controls=dataclasses.replace(config.controls, conditions=tuple(conditions)),
    footprint=config.footprint or saved['footprint'],
    seeds=max(config.seeds, saved['seeds']),
    trials=max(config.trials, saved['trials']),
  )


def _united(before, now) -> tuple[str, ...]:
  return tuple(dict.fromkeys([*before, *now]))


def redefined(saved: Mapping[str, Any], config: ExperimentConfig) -> str:
  """The first arm whose definition is not the one of its folder; '' if none.

  Args:
    saved: what the folder's config.json holds.
    config: the configuration of this command.

  Returns:
    "arm 'NAME' is TEXT there and TEXT here".
  """
  before = saved.get('arms', {})
  made = families.make(
    saved.get('families', (families.REVIEW,)), config.modalities
  )
  for name, text in config.arms.items():
    there = before.get(name, f'{name}()' if name in made else text)
    if spec.parse(there) != spec.parse(text):
      return f"arm '{name}' is {there} there and {text} here"
  return ''


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
  here = core_config.to_dict(config)
  # What a folder does not name had its default.
  usual = _fixed_part(core_config.to_dict(ExperimentConfig()))
  there, here = {**usual, **_fixed_part(saved)}, _fixed_part(here)
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
