"""From flags to a configuration: named configs, flags, then --set."""

import importlib
import pathlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any

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
    return core_config.load(config_lib.ExperimentConfig, pathlib.Path(name))
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
  name: str, flags: Mapping[str, Any], overrides: Sequence[str]
) -> config_lib.ExperimentConfig:
  """The named configuration, changed by flags, then by `--set`.

  Args:
    name: see `named`.
    flags: by dotted name in the configuration, the flag's value; None where
      the flag was not given.
    overrides: 'dotted.name=value' as given to --set.

  Raises:
    UserError: for an unknown name or a value that is not legal.
  """
  config = named(name)
  given = [f'{k}={v}' for k, v in flags.items() if v is not None]
  config = core_config.apply_overrides(config, given, flag='--set')
  config = core_config.apply_overrides(config, overrides, flag='--set')
  config_lib.check(config)
  if config.evaluation.registered:
    # What cannot be read is said before anything is trained.
    registration.load(config.evaluation.registered)
  return config
