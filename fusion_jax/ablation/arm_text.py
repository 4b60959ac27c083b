"""Arms that users define: an arm that exists, with some of its parts replaced.

  joint_vit = joint(image=resnet(depth=2),combiner=concat(hidden=(32,)))
  late_pca  = late_mean(image=image_pca,ehr=ehr_linear,rule=weighted)
  slow      = ehr(epochs=60,learning_rate=.0003)

In the parentheses stand, by name,

  a modality      its encoder; of an arm that joins predictions, the arm whose
                  predictions are taken; or VIEW(of=ARM,encoder=SPEC) to change
                  how it is seen: raw, reduced, features or logits
  combiner, rule  the part
  learner         another learner of the same settings, such as kernel for an
                  arm of elastic nets
  exchange_K      what passes between the encoders after K of their stages
  a setting       of the learner, such as epochs

A definition under the name of a known arm takes its place, also for the arms
that stand on it.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import learners, roster, views
from fusion_jax.core import config as core_config
from fusion_jax.core import errors, spec

_EXCHANGE = re.compile(r'exchange_(\d{1,2})')
_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]{0,63}')
# What a view says of an input.
_OF, _ENCODER = 'of', 'encoder'
_LEARNER = 'learner'


def split(definition: str, *, flag: str = '--arm') -> tuple[str, str]:
  """Name and text of NAME=TEXT.

  Raises:
    UserError: if it is not of that form.
  """
  name, equals, text = definition.partition('=')
  if not equals or not _NAME.fullmatch(name.strip()) or not text.strip():
    raise errors.UserError(
      f"'{flag}={errors.brief(definition)}': expected NAME=ARM(part=value,...) "
      'where NAME has letters, digits and underscores.'
    )
  return name.strip(), text.strip()


def define_all(
  arms: Mapping[str, arm_lib.Arm],
  texts: Mapping[str, str],
  groups: Mapping[str, Any],
) -> dict[str, arm_lib.Arm]:
  """`arms` and those that `texts` define, each from what is known before it.

  Args:
    arms: those that there are.
    texts: by name, definitions.
    groups: by name, the groups of settings that learners read.

  Raises:
    UserError: naming the definition and what is wrong in it.
  """
  found = dict(arms)
  for name, text in texts.items():
    if not _NAME.fullmatch(name):
      raise errors.UserError(
        f'arms.{name}: the name of an arm has letters, digits and underscores.'
      )
    found[name] = define(name, text, found, groups)
  roster.check(found)
  return found


def define(
  name: str,
  text: str,
  arms: Mapping[str, arm_lib.Arm],
  groups: Mapping[str, Any],
) -> arm_lib.Arm:
  """The arm that `text` defines under `name`; its parts are not yet checked.

  Raises:
    UserError: see `define_all`.
  """
  where = f'arms.{name}'
  given = spec.parse(text, where=where)
  if given.name not in arms:
    raise errors.unknown_name('arm', given.name, arms, where=where)
  base = arms[given.name]
  arguments = dict(given.arguments)
  if _LEARNER in arguments:
    value = _bare(_spec(arguments.pop(_LEARNER), where), where)
    base = _learnt_by(base, value, f'{where}.{_LEARNER}')
  cls = learners.of(base)
  own = [
    x for x, used in (('combiner', cls.encodes), ('rule', cls.joins)) if used
  ]
  inputs, train = dict(base.inputs), dict(base.train)
  exchanges = dict(base.exchanges)
  replaced: dict[str, str] = {}
  for key, value in arguments.items():
    place = f'{where}.{key}'
    if key in inputs:
      inputs[key] = _input(inputs[key], value, place)
    elif key in own:
      replaced[key] = str(_spec(value, place))
    elif cls.encodes and (match := _EXCHANGE.fullmatch(key)):
      exchanges[int(match[1])] = str(_spec(value, place))
    elif key in cls.settings:
      train[key] = _setting(groups[cls.group], key, value, where)
    else:
      raise errors.unknown_name(
        f"part of arm '{given.name}'",
        key,
        [
          *inputs,
          *own,
          *(['exchange_1'] if cls.encodes else ()),
          _LEARNER,
          *cls.settings,
        ],
        where=where,
      )
  made = dataclasses.replace(
    base,
    inputs=inputs,
    train=train,
    exchanges=exchanges,
    type=arm_lib.review_type(base.strategy, inputs),
    **replaced,
  )
  if given.arguments:
    made = dataclasses.replace(made, summary=errors.brief(str(given)))
  return made


def _learnt_by(arm: arm_lib.Arm, learner: str, where: str) -> arm_lib.Arm:
  """The arm with another learner, which reads what it reads."""
  group = learners.of(arm).group
  alike = [k for k, x in learners.LEARNERS.items() if x.group == group]
  if not group or learner not in alike:
    raise errors.unknown_name('learner', learner, alike, where=where)
  known = learners.LEARNERS[learner].settings
  train = {k: x for k, x in arm.train.items() if k in known}
  return dataclasses.replace(arm, learner=learner, train=train)


def _input(x: arm_lib.Input, value: Any, where: str) -> arm_lib.Input:
  value = _spec(value, where)
  view = value.name in views.ALL and (
    value.name != arm_lib.PLAIN or _ENCODER in value.arguments
  )
  if not view:
    if x.view == views.LOGITS:
      return dataclasses.replace(x, of=_bare(value, where))
    return dataclasses.replace(x, encoder=str(value))
  of, encoder = '', x.encoder
  if value.name == views.FEATURES and encoder:
    encoder = arm_lib.PLAIN
  for key, part in value.arguments.items():
    if key == _OF:
      of = _bare(_spec(part, where), where)
    elif key == _ENCODER:
      encoder = str(_spec(part, where))
    else:
      raise errors.unknown_name(
        f"argument of view '{value.name}'", key, (_OF, _ENCODER), where=where
      )
  return arm_lib.Input(x.kind, encoder, of, value.name)


def _spec(value: Any, where: str) -> spec.Spec:
  if isinstance(value, str):
    return spec.parse(value, where=where)
  if not isinstance(value, spec.Spec):
    raise errors.UserError(
      f'{where}: expected a part such as name(argument=value), got '
      f'{spec.text(value)}.'
    )
  return value


def _bare(value: spec.Spec, where: str) -> str:
  if value.arguments:
    raise errors.UserError(
      f"{where}: expected the name of an arm, got '{value}'."
    )
  return value.name


def _setting(group: Any, name: str, value: Any, where: str) -> Any:
  """A setting's value, of the type that the group has for it."""
  values = value if isinstance(value, tuple) else (value,)
  text = ','.join(x if isinstance(x, str) else spec.text(x) for x in values)
  changed = core_config.apply_overrides(group, [f'{name}={text}'], flag=where)
  return getattr(changed, name)
