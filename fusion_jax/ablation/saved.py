"""Configurations as files: `config.json` of run folders, in its versions.

Version 2 has the key `version`. What a file does not name has its default, so
that a new setting orphans no run. Version 1, which had none, spelt out every
arm of the library; it is read by `load`, which translates it. Models of such a
run are not read: their keys and parts are of another library.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import families, views
from fusion_jax.core import closure, commands, errors, types
from fusion_jax.core import config as core_config

CONFIG = 'config.json'
VERSION = 2
_VERSION = 'version'
# Version 1's words for how an arm sees images.
_VIEWS = {
  'images': views.RAW,
  'pixels': views.REDUCED,
  'features': views.FEATURES,
}
# Parts that version 1 had under another name.
_RENAMED = {'concat_deep': 'concat(hidden=(64,64))'}
# What version 1 said of an arm that changes nothing.
_WORDS = ('summary', 'type')


def to_json(config: config_lib.ExperimentConfig) -> dict[str, Any]:
  """What config.json holds."""
  return {_VERSION: VERSION, **core_config.to_dict(config)}


def version_of(data: Mapping[str, Any], *, where: str) -> int:
  """The version of what a config.json holds.

  Raises:
    UserError: for one that is not known here.
  """
  arms = data.get('arms')
  former = isinstance(arms, Mapping) and any(
    isinstance(x, Mapping) for x in arms.values()
  )
  found = data.get(_VERSION, 1 if former else VERSION)
  if type(found) is not int or found not in (1, VERSION):
    raise errors.UserError(
      f"'{where}' is a configuration of version {found!r}; versions 1 and "
      f'{VERSION} are known.'
    )
  return found


def current(
  data: Mapping[str, Any], *, where: str, folder: str | os.PathLike
) -> dict[str, Any]:
  """What the config.json of a run folder holds, without its version.

  Raises:
    UserError: for a run of a former version, with the command that makes it
      anew.
  """
  if version_of(data, where=where) != VERSION:
    command = commands.line('ablate', f'--config={where}', '--out=NEW')
    raise errors.UserError(
      f"'{folder}' is a run of version 1 of the format; its models are not "
      f'read. To make it anew: {command}'
    )
  return {k: v for k, v in data.items() if k != _VERSION}


def check_imports(modules: Sequence[str], folder: pathlib.Path) -> None:
  """Checks that nothing would be imported from the run folder that names it.

  Raises:
    UserError: naming the module that would.
  """
  for name in modules:
    root = closure.root_of(name.partition('.')[0])
    if root and root.resolve().is_relative_to(folder.resolve()):
      raise errors.UserError(
        f"'{folder}' holds the module '{name}' that its {CONFIG} imports: no "
        'code of a run folder is run.'
      )


def load(path: str | os.PathLike) -> config_lib.ExperimentConfig:
  """Reads a configuration of any version.

  Raises:
    UserError: if the file is missing, is not JSON, does not fit or, being of
      version 1, holds what cannot be translated.
  """
  return from_json(core_config.read(path), where=str(path))


def from_json(
  data: Mapping[str, Any], *, where: str
) -> config_lib.ExperimentConfig:
  """The configuration that a parsed file holds.

  Raises:
    UserError: see `load`.
  """
  if isinstance(data, Mapping):
    if version_of(data, where=where) == 1:
      data = {**data, 'arms': _translated(data['arms'], where)}
    data = {k: v for k, v in data.items() if k != _VERSION}
  return core_config.from_dict(config_lib.ExperimentConfig, data, where=where)


def _translated(arms: Mapping[str, Any], where: str) -> dict[str, str]:
  """Definitions of the arms that are not as the library had them."""
  known = families.review(families.USUAL)
  found = {}
  for name, parts in arms.items():
    if name not in known:
      raise _cannot(f'arms.{name} is no arm of the library', where)
    usual = _former(known[name])
    given = dict(parts) if isinstance(parts, Mapping) else {'': parts}
    for key, value in given.items():
      if isinstance(value, str):
        given[key] = _RENAMED.get(value, value)
    changed = {
      k: v for k, v in given.items() if k not in _WORDS and v != usual.get(k)
    }
    for key in changed:
      if key not in usual or key in ('learner', 'strategy', 'modalities'):
        raise _cannot(f'arms.{name}.{key}={changed[key]}', where)
    if changed:
      found[name] = _definition(name, known[name], {**usual, **given}, changed)
  return found


def _cannot(what: str, where: str) -> errors.UserError:
  return errors.UserError(
    f"'{where}' is of version 1 and cannot be translated: {what}. Take it out "
    'of a copy of the file and define the arm with --arm=NAME=ARM(...).'
  )


def _former(arm: arm_lib.Arm) -> dict[str, Any]:
  """An arm of the library as version 1 had it."""
  words = {v: k for k, v in _VIEWS.items()}
  image, ehr = (arm.inputs.get(m) for m in (types.IMAGE, types.EHR))
  return {
    'learner': arm.learner,
    'strategy': arm.strategy,
    'modalities': list(arm.modalities),
    'image_input': words.get(image.view, '') if image else '',
    'image_encoder': image.encoder if image else '',
    'ehr_encoder': ehr.encoder if ehr else '',
    'combiner': arm.combiner,
    'rule': arm.rule,
    'upstream': list(arm.upstream),
  }


def _definition(name, arm, parts, changed) -> str:
  """The definition (arm_text.py) of an arm with some parts of version 1."""
  given: dict[str, str] = {}
  for key in ('combiner', 'rule'):
    if key in changed:
      given[key] = parts[key]
  if 'ehr_encoder' in changed:
    given[types.EHR] = parts['ehr_encoder']
  if arm.rule and 'upstream' in changed:
    given.update(zip(arm.modalities, parts['upstream'], strict=False))
  elif changed.keys() & {'image_input', 'image_encoder', 'upstream'}:
    within = []
    if parts['upstream']:
      within.append(f'of={parts["upstream"][0]}')
    if parts['image_encoder']:
      within.append(f'encoder={parts["image_encoder"]}')
    view = _VIEWS.get(parts['image_input'], parts['image_input'])
    given[types.IMAGE] = f'{view}({",".join(within)})'
  inside = ','.join(f'{k}={v}' for k, v in given.items())
  return f'{name}({inside})'
