"""Which studies an arm's models are trained on."""

from __future__ import annotations

import typing

import numpy as np

from fusion_jax.core import errors, links, types
from fusion_jax.data import cohort as cohort_lib

if typing.TYPE_CHECKING:
  from fusion_jax.ablation import arm as arm_lib


def present(arm, cohort) -> np.ndarray:
  """(n,) bool: whether a study has any of the arm's modalities."""
  return np.any([cohort.present[m] for m in arm.modalities], axis=0)


def usable(
  arm: arm_lib.Arm, cohort: cohort_lib.Cohort, rows: np.ndarray
) -> np.ndarray:
  """The rows that an arm can learn from: something seen, some label known."""
  seen = present(arm, cohort) & links.known(cohort.task, cohort.labels).any(1)
  return rows[seen[rows]]


def check_labels(
  cohort: cohort_lib.Cohort, rows: np.ndarray, part: str, *, half: bool = False
) -> None:
  """Checks that there is something to learn.

  Args:
    cohort: the studies.
    rows: which of them.
    part: what the message calls them.
    half: whether they are one half of that part.

  Raises:
    UserError: if the studies `rows` have one class, one value or no event.
  """
  task = cohort.task
  labels = cohort.labels[rows]
  labels = labels[links.known(task, labels).any(axis=1)]
  where = f'One half of the {part} part' if half else f'The {part} part'
  column = task.names[-1 if task.kind == types.SURVIVAL else 0]
  if not len(labels):
    raise errors.UserError(
      f'{where} has no study with a known label that could be used.'
    )
  found = None
  if task.kind == types.SURVIVAL:
    if not (labels[:, 1] > 0).any():
      found = f"no event in '{column}'"
  elif task.kind == types.MULTILABEL:
    known = [np.unique(y[~np.isnan(y)]) for y in labels.T]
    if all(len(x) < 2 for x in known):
      found = 'one class only in every label'
  elif len(np.unique(labels)) == 1:
    value = labels[0, 0]
    if task.kind == types.MULTICLASS:
      found = f"one class only ('{task.names[int(value)]}')"
    elif task.kind == types.BINARY:
      found = f"one class only ('{column}' = {value:g})"
    elif part == 'training':
      found = f"one value only ('{column}' = {value:g})"
  if found and (task.kind != types.MULTICLASS or part == 'training'):
    raise errors.UserError(
      f'{where} holds {found} in {len(labels)} studies: nothing can be '
      'learnt from it.'
    )
