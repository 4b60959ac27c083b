"""What a node's result depends on beside data and splits, for its key.

The source files are the import closure (core/closure.py) of the arm's learner,
of the builders of its parts and of the code that turns jobs into results
(nodes.py), and no others: a file that is added, a comment, or another arm's
encoder changes no key. Of settings only those count that differ from their
defaults; the files that hold the defaults are in the closure.
"""

from __future__ import annotations

import functools
import importlib.metadata
import typing
from collections.abc import Iterator
from typing import Any

import jax

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import learners, neural_learner, roster, views
from fusion_jax.core import closure, registry, spec
from fusion_jax.core import config as core_config
from fusion_jax.data import kind as kinds
from fusion_jax.training import pretrained

if typing.TYPE_CHECKING:
  from fusion_jax.ablation import config as config_lib

_NODES = 'fusion_jax.ablation.nodes'
# Of an arm, what its result does not depend on; its upstream arms are told by
# the keys of their nodes.
_IMMATERIAL = ('summary', 'type', 'train', 'exchanges')


def modules(arm: arm_lib.Arm, group: Any = None) -> tuple[str, ...]:
  """The modules whose closure determines what an arm's models learn.

  Args:
    arm: the arm.
    group: its learner's settings, which name parts too; None for none.
  """
  found = [_NODES, learners.of(arm).__module__]
  for x in arm.inputs.values():
    if x.view not in views.UPSTREAM:
      found.append(kinds.KINDS.get(x.kind).build.__module__)
  for known, text in roster.parts(arm).values():
    found += _builders(known, spec.parse(text))
  for text in getattr(group, 'init', ()):
    for source in pretrained.parse([text]).values():
      found += _builders(pretrained.LAYOUTS, spec.Spec(source.layout, {}))
  for name, known in learners.of(arm).parts.items() if group else ():
    for text in _texts(getattr(group, name)):
      found += _builders(known, spec.parse(text))
  return tuple(dict.fromkeys(found))


def _builders(known: registry.Registry, part: spec.Spec) -> Iterator[str]:
  yield known.get(part.name).build.__module__
  waiting = list(part.arguments.values())
  # A part that is an argument of a part is of any registry that knows it.
  while waiting:
    value = waiting.pop()
    if isinstance(value, tuple):
      waiting += value
    elif isinstance(value, spec.Spec):
      for other in roster.registries():
        if value.name in other.names():
          yield from _builders(other, value)


def _texts(value: str | tuple[str, ...]) -> tuple[str, ...]:
  return (value,) if isinstance(value, str) else value


def source_digest(arm: arm_lib.Arm, group: Any = None) -> str:
  """Hash of the source files that determine what an arm's models learn."""
  return closure.digest(modules(arm, group))


@functools.cache
def environment(learner: str) -> dict[str, str]:
  """Versions of the packages, and the backend, that determine a result."""
  packages = learners.LEARNERS[learner].packages
  found = {p: importlib.metadata.version(p) for p in packages}
  found['python'] = closure.PYTHON
  if 'jax' in packages:
    found['backend'] = jax.default_backend()
  return found


def settings(
  config: config_lib.ExperimentConfig, arm: arm_lib.Arm
) -> dict[str, Any]:
  """What of the configuration determines an arm, but for hyperparameters."""
  cls = learners.of(arm)
  found = core_config.differing(arm)
  for name in _IMMATERIAL:
    found.pop(name, None)
  found['inputs'] = {
    m: {k: v for k, v in core_config.differing(x).items() if k != 'of'}
    for m, x in arm.inputs.items()
  }
  found['order'] = list(arm.inputs)
  for place, (known, text) in roster.parts(arm).items():
    text = str(known.check(text))
    if place in arm.inputs:
      found['inputs'][place]['encoder'] = text
    else:
      found[place] = text
  found['preprocess'] = core_config.differing(config.preprocess)
  if cls.group:
    own = core_config.differing(config.settings_of(arm))
    for name, known in cls.parts.items():
      if name in own:
        own[name] = [str(known.check(x)) for x in _texts(own[name])]
    if 'init' in own:
      # A file of weights counts by what is in it, wherever it lies.
      sources = neural_learner.init_of(arm, config.settings_of(arm))
      own['init'] = [
        [text.partition('=')[0], source.layout, source.digest()]
        for text, source in sources.items()
      ]
    found[cls.group] = {
      name: value
      for name, value in own.items()
      if name in cls.settings and name not in cls.space
    }
  if cls.fleet:
    # A run may go on elsewhere, on more devices or with less memory.
    found['parallel'] = core_config.to_dict(config.parallel)
    for name in ('devices', 'feed', 'memory_limit'):
      del found['parallel'][name]
  return found
