"""Late fusion: rules over the predictions of single-modality models.

A rule sees logits and presence masks, never inputs or features, and whatever
it estimates comes from validation predictions. A study without any modality
gets the validation part's constant prediction. In the classes of the review
(Huang et al. 2020, npj Digit. Med. 3:136) all are late fusion.
"""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from fusion_jax.core import errors, links, registry, spec, types
from fusion_jax.fusion import rescale

RULES = registry.Registry('late rule', package='fusion_jax.fusion.rules')
CLASSES = (types.BINARY, types.MULTICLASS, types.MULTILABEL)
# What a recalibrated rule's state holds beside its own.
_SLOPE, _INTERCEPT = 'slope', 'intercept'


@dataclasses.dataclass(frozen=True)
class Validation:
  """Validation predictions of n studies by m modalities.

  Attributes:
    task: what is predicted.
    values: (m, n, s) logits, 0 where a modality is absent.
    here: (m, n) bool, where it is not.
    labels: (n, l), NaN where unknown.
    weight: (n,).
    fold: (n,) int, folds that keep patients whole; None without.
    constant: (s,) logits of the best constant prediction.
  """

  task: types.Task
  values: np.ndarray
  here: np.ndarray
  labels: np.ndarray
  weight: np.ndarray
  fold: np.ndarray | None
  constant: np.ndarray


class Rule(abc.ABC):
  """How predictions become one; a part has one subclass.

  Attributes:
    tasks: kinds of tasks that it can fuse.
    interactions: whether it is not additive in the modalities' evidence.
    folds: whether it cross-validates.
    recalibrated: whether what it gives is put on the scale of the task by a
      slope and an intercept, fitted on its own validation predictions
      (rescale.py).
  """

  tasks: tuple[str, ...] = types.TASK_KINDS
  recalibrated: bool = False
  interactions: ClassVar[bool] = False
  folds: ClassVar[bool] = False

  def fit(self, given: Validation) -> dict[str, Any]:
    """What it estimates: by name, numbers and lists of numbers."""
    del given
    return {}

  @abc.abstractmethod
  def fuse(
    self, fitted: 'LateRule', values: np.ndarray, here: np.ndarray
  ) -> np.ndarray:
    """(n, s) logits of (m, n, s) logits, 0 where not `here` (m, n).

    What it returns for a study without any modality is not used.
    """


@dataclasses.dataclass(frozen=True)
class LateRule:
  """A fitted rule.

  Attributes:
    rule: its spec.
    task: what is predicted.
    modalities: their names, in the order of what `state` says of them.
    constant: s logits for a study without any modality.
    state: what the rule estimated.
  """

  rule: str
  task: types.Task
  modalities: tuple[str, ...]
  constant: tuple[float, ...]
  state: Mapping[str, Any]

  def apply(
    self,
    logits: Mapping[str, np.ndarray],
    present: Mapping[str, np.ndarray],
  ) -> np.ndarray:
    """(n, s) logits of the fused prediction.

    Args:
      logits: by modality (n, s); rows where it is absent are not read.
      present: by modality (n,) bool.

    Raises:
      UserError: if a modality is missing or its logits have another width.
    """
    values, here = _stack(self.task, self.modalities, logits, present)
    rule = create(self.rule)
    fused = rule.fuse(self, values, here)
    if rule.recalibrated:
      fused = fused * np.asarray(self.state[_SLOPE])
      fused += np.asarray(self.state[_INTERCEPT])
    anyone = here.any(axis=0)[:, None]
    return np.where(anyone, fused, np.asarray(self.constant))

  def to_json(self) -> dict[str, Any]:
    """A JSON-ready copy."""
    return {
      'rule': self.rule,
      'task': {'kind': self.task.kind, 'names': list(self.task.names)},
      'modalities': list(self.modalities),
      'constant': list(self.constant),
      'state': dict(self.state),
    }

  @classmethod
  def from_json(cls, data: Mapping[str, Any]) -> 'LateRule':
    """The rule that `to_json` described."""
    task = types.Task(data['task']['kind'], tuple(data['task']['names']))
    return cls(
      data['rule'],
      task,
      tuple(data['modalities']),
      tuple(data['constant']),
      dict(data['state']),
    )


def create(rule: str) -> Rule:
  """The rule of a spec.

  Raises:
    UserError: for an unknown rule or argument.
  """
  return RULES.build(rule)


def recalibrated(rule: str) -> str | None:
  """The spec of a rule's recalibrated form; None if it has none or is it."""
  part = RULES.check(rule)
  known = RULES.get(part.name).arguments
  if 'recalibrated' not in known or part.arguments.get('recalibrated'):
    return None
  return str(spec.Spec(part.name, {**part.arguments, 'recalibrated': True}))


def fit_late(
  rule: str,
  *,
  task: types.Task,
  valid_logits: Mapping[str, np.ndarray],
  valid_present: Mapping[str, np.ndarray],
  valid_labels,
  valid_weight=None,
  valid_fold=None,
) -> LateRule:
  """Fits a rule on validation predictions.

  Args:
    rule: its spec.
    task: what is predicted.
    valid_logits: by modality (n, s); rows where it is absent are not read.
    valid_present: by modality (n,) bool.
    valid_labels: (n, l), NaN where unknown.
    valid_weight: (n,) or None.
    valid_fold: (n,) int, folds for rules that cross-validate (no patient is in
      two); None for none.

  Raises:
    UserError: for an unknown rule, or one that the task does not allow.
  """
  made = create(rule)
  if task.kind not in made.tasks:
    raise errors.UserError(
      f"The late rule '{rule}' does not support {task.kind} tasks. "
      f'It supports: {", ".join(made.tasks)}.'
    )
  modalities = tuple(valid_logits)
  values, here = _stack(task, modalities, valid_logits, valid_present)
  labels = np.asarray(valid_labels, np.float64)
  weight = np.ones(len(labels)) if valid_weight is None else valid_weight
  weight = np.asarray(weight, np.float64)
  constant = links.constant_logits(task, labels, weight)
  fold = None if valid_fold is None else np.asarray(valid_fold)
  given = Validation(task, values, here, labels, weight, fold, constant)
  found = LateRule(
    rule, task, modalities, tuple(constant.tolist()), made.fit(given)
  )
  if not made.recalibrated:
    return found
  rows = here.any(axis=0)
  fused = made.fuse(found, values[:, rows], here[:, rows])
  line = rescale.fit(task, fused, labels[rows], weight[rows])
  more = zip((_SLOPE, _INTERCEPT), (x.tolist() for x in line), strict=True)
  return dataclasses.replace(found, state={**found.state, **dict(more)})


def _stack(task, modalities, logits, present):
  """(m, n, s) logits, 0 where absent, and (m, n) presence."""
  values, here = [], []
  for name in modalities:
    for given in (logits, present):
      if name not in given:
        raise errors.UserError(
          f"The late rule was fitted on '{name}', which is not among: "
          f'{", ".join(given)}.'
        )
    value = np.asarray(logits[name], np.float64)
    if value.shape[1:] != (task.num_outputs,):
      raise errors.UserError(
        f"Logits of '{name}' have shape {value.shape}; expected "
        f'(studies, {task.num_outputs}).'
      )
    mask = np.asarray(present[name], bool)
    values.append(np.where(mask[:, None], value, 0))
    here.append(mask)
  return np.stack(values), np.stack(here)
