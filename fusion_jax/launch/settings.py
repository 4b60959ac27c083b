"""From flags to a configuration: named configs, flags, then --set."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.ablation import arm_text, saved, store
from fusion_jax.ablation import config as config_lib
from fusion_jax.core import config as core_config
from fusion_jax.core import errors
from fusion_jax.evaluation import registration
from fusion_jax.launch import configs


def named(name: str) -> config_lib.ExperimentConfig:
  """The configuration `name`: one of launch/configs or a saved .json.

  Raises:
    UserError: for an unknown name or an unreadable file.
  """
  if name.endswith('.json'):
    return saved.load(name)
  known = sorted(m.name for m in pkgutil.iter_modules(configs.__path__))
  if name not in known:
    raise errors.unknown_name('configuration', name, known, where='--config')
  module = importlib.import_module(f'{configs.__name__}.{name}')
  return module.get_config()


def registered(path: str | None) -> dict[str, Any]:
  """What a registration fixes, by dotted name in the configuration.

  Raises:
    UserError: if the file cannot be read.
  """
  if path is None:
    return {}
  fixed = registration.load(path)
  return {
    'evaluation.registered': path,
    'evaluation.metric': fixed.metric,
    'evaluation.margin': fixed.margin,
    'run_arms': ','.join(fixed.arms),
  }


def resolve(
  name: str,
  flags: Mapping[str, Any],
  overrides: Sequence[str],
  *,
  arms: Sequence[str] = (),
  imports: Sequence[str] = (),
  folder: str = '',
  described: bool = True,
) -> config_lib.ExperimentConfig:
  """The named configuration, changed by flags, then by `--set`.

  Args:
    name: see `named`.
    flags: by dotted name in the configuration, the flag's value; None where
      the flag was not given.
    overrides: 'dotted.name=value' as given to --set.
    arms: 'NAME=ARM(part=value,...)' as given to --arm; they are run beside
      those that are named.
    imports: modules that register parts, as given to --import.
    folder: a run folder, whose arms and parts are known without being given
      again; empty for none.
    described: whether arms are those of the cohort's own modalities, so that
      its descriptor must be there.

  Raises:
    UserError: for an unknown name or a value that is not legal.
  """
  config = named(name)
  given = [f'{k}={v}' for k, v in flags.items() if v is not None]
  config = core_config.apply_overrides(config, given, flag='--set')
  config = core_config.apply_overrides(config, overrides, flag='--set')
  kept = (store.Store(folder).saved_config() if folder else None) or {}
  config = _with_arms(config, arms, imports, kept)
  if described:
    config = config_lib.of_cohort(config)
  config_lib.check(config)
  if config.evaluation.registered:
    # What cannot be read is said before anything is trained.
    registration.load(config.evaluation.registered)
  return config


def _with_arms(config, arms, imports, kept) -> config_lib.ExperimentConfig:
  defined = dict(arm_text.split(x) for x in arms)
  if len(defined) < len(arms):
    raise errors.UserError('--arm: two definitions have the same name.')
  named = config.run_arms
  if named:
    named = tuple(dict.fromkeys([*named, *defined]))
  return dataclasses.replace(
    config,
    arms={**kept.get('arms', {}), **config.arms, **defined},
    imports=tuple(
      dict.fromkeys([*kept.get('imports', ()), *config.imports, *imports])
    ),
    run_arms=named,
  )
