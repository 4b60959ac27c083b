"""What elastic nets and trees can learn from: rows with a known label."""

import numpy as np

from fusion_jax.core import errors, links, types


def arrays(x, labels, weight) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """float64 columns, labels and weights; ones where `weight` is None."""
  x = np.asarray(x, np.float64)
  labels = np.asarray(labels, np.float64)
  weight = np.ones(len(x)) if weight is None else weight
  return x, labels, np.asarray(weight, np.float64)


def outputs(task: types.Task) -> list[tuple[types.Task, list[int]]]:
  """What each model predicts, and its columns of the labels.

  One binary task for each label of a multilabel task, else the task itself.
  """
  if task.kind == types.MULTILABEL:
    return [
      (types.Task(types.BINARY, (name,)), [k])
      for k, name in enumerate(task.names)
    ]
  return [(task, list(range(task.num_labels)))]


def of_each_output(
  task: types.Task, train, valid
) -> list[tuple[types.Task, list, list, str]]:
  """What is fitted: (task, train, valid, obstacle) of each model.

  The parts hold the usable rows. The obstacle, where there is one, is a
  sentence that says why nothing can be learnt.
  """
  found = []
  for one, labels in outputs(task):
    parts = []
    for x, y, weight in (train, valid):
      _, *part = usable(one, x, y[:, labels], weight)
      parts.append(part)
    obstacle = obstacle_of(one, parts[0][1], 'training')
    obstacle = obstacle or obstacle_of(one, parts[1][1], 'validation')
    found.append((one, *parts, obstacle))
  if all(obstacle for *_, obstacle in found):
    raise errors.UserError(found[0][-1])
  return found


def usable(
  task: types.Task, x, labels, weight
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
  """Numbers of the rows whose label is known; their x, labels and weight.

  Weights get a mean of 1.
  """
  rows = np.flatnonzero(links.known(task, labels)[:, 0] & (weight > 0))
  weight = weight[rows]
  weight = weight / weight.mean() if len(weight) else weight
  return rows, x[rows], labels[rows], weight


def obstacle_of(task: types.Task, labels, part: str) -> str:
  """Why nothing can be learnt from (n, l) known labels; empty if it can."""
  what = f"'{task.names[-1 if task.kind == types.SURVIVAL else 0]}'"
  if not len(labels):
    if task.kind == types.MULTICLASS:
      what = 'class'
    return f'The {part} part has no study with a known label {what}.'
  if task.kind == types.SURVIVAL and not (labels[:, 1] > 0).any():
    return f'The {part} part has no event in {what}.'
  classes = task.kind in (types.BINARY, types.MULTICLASS)
  if not classes or part != 'training' or len(np.unique(labels)) > 1:
    return ''
  value = labels[0, 0]
  if task.kind == types.BINARY:
    what += f' = {value:g}'
  else:
    what = f"'{task.names[int(value)]}'"
  return (
    f'The training part holds one class only ({what}, {len(labels)} studies): '
    'a classifier needs at least two.'
  )


def check_columns(x: np.ndarray, expected: int) -> None:
  """Checks that (n, p) rows have the columns that a model was fitted on.

  Raises:
    UserError: if they have not.
  """
  if x.shape[1] != expected:
    raise errors.UserError(
      f'The table has {x.shape[1]} columns; the model was fitted on {expected}.'
    )
