"""Elastic nets and boosted trees: what a learner without a network can do.

Both are tuned as the networks are: the strength of the penalty and the number
of boosting rounds are those with the lowest loss (`core/links.py`) on the
fold's validation rows. Both run on one thread, so that a fit does not depend
on how many cores a machine has.
"""

import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import threadpoolctl

from fusion_jax.core import errors, links, types
from fusion_jax.training import boosting, elastic_net
from fusion_jax.training import rows as rows_lib


@dataclasses.dataclass(frozen=True, eq=False)
class Linear:
  """A fitted elastic net: logits = x @ coefficients + intercept.

  Attributes:
    task: what is predicted.
    coefficients: (p, s), in the units of x as it was given.
    intercept: (s,); for survival the mean log hazard in training is 0.
    penalties: (s,) the chosen penalties; one value repeated unless multilabel,
      infinite for a label that could not be learnt.
    notes: what a reader of the fit should know, one line each.
  """

  task: types.Task
  coefficients: np.ndarray
  intercept: np.ndarray
  penalties: np.ndarray
  notes: tuple[str, ...] = ()

  @property
  def cost(self) -> dict[str, float]:
    """Number of parameters, and how many coefficients are not 0."""
    return {
      'parameters': self.coefficients.size + self.intercept.size,
      'nonzero': int(np.count_nonzero(self.coefficients)),
    }

  def logits(self, x) -> np.ndarray:
    """(n, s) logits of (n, p) rows; multiclass up to a constant per row."""
    x = np.asarray(x, np.float64)
    rows_lib.check_columns(x, len(self.coefficients))
    # A fixed summation order: a row's logits do not depend on its company.
    return np.einsum('np,ps->ns', x, self.coefficients) + self.intercept

  def scores(self, x) -> np.ndarray:
    """(n, s) scores of (n, p) rows."""
    return links.scores_from_logits(self.task, self.logits(x))

  def save(self, path) -> None:
    """Writes an npz file."""
    about = {'kind': self.task.kind, 'names': self.task.names}
    with open(path, 'wb') as f:
      np.savez(
        f,
        coefficients=self.coefficients,
        intercept=self.intercept,
        penalties=self.penalties,
        about=np.array(json.dumps({**about, 'notes': self.notes})),
      )

  @classmethod
  def load(cls, path) -> 'Linear':
    """Reads what `save` wrote."""
    with np.load(path, allow_pickle=False) as f:
      about = json.loads(str(f['about']))
      return cls(
        types.Task(about['kind'], tuple(about['names'])),
        f['coefficients'],
        f['intercept'],
        f['penalties'],
        tuple(about['notes']),
      )


def fit_elastic_net(
  *,
  task: types.Task,
  x,
  labels,
  weight,
  x_valid,
  labels_valid,
  weight_valid,
  l1_ratio: float = 0.5,
  seed: int = 0,
) -> Linear:
  """Fits elastic nets from strong to weak penalty and keeps the best.

  Columns are standardised (constant ones get coefficient 0), so the penalty
  does not depend on units. Multilabel tasks get one net, and one penalty, per
  label; multiclass one multinomial net; survival a Cox model (`links.py`).

  Args:
    task: what is predicted.
    x: (n, p) without missing values.
    labels: (n, l), NaN where unknown; such rows are left out per label.
    weight: (n,) or None.
    x_valid: (v, p).
    labels_valid: (v, l).
    weight_valid: (v,) or None.
    l1_ratio: share of the L1 part in the penalty, from 0 to 1.
    seed: not used; there is nothing random in the fit.

  Raises:
    UserError: if the training part holds a single class (or no event), or the
      validation part no known label (or no event). A label of a multilabel
      task of which this is true is predicted by a constant, with a note,
      unless it is true of all.
  """
  del seed
  if not 0 <= l1_ratio <= 1:
    raise errors.UserError(f'l1_ratio is {l1_ratio}; it must be in [0, 1].')
  x, labels, weight = rows_lib.arrays(x, labels, weight)
  x_valid, labels_valid, weight_valid = rows_lib.arrays(
    x_valid, labels_valid, weight_valid
  )
  with threadpoolctl.threadpool_limits(limits=1):
    parts = [
      constant_linear(part, train, obstacle)
      if obstacle
      else _fit_linear(part, train, valid, l1_ratio)
      for part, train, valid, obstacle in rows_lib.of_each_output(
        task, (x, labels, weight), (x_valid, labels_valid, weight_valid)
      )
    ]
  coefficients, intercept, penalties, notes = zip(*parts, strict=True)
  return Linear(
    task,
    np.concatenate(coefficients, axis=1),
    np.concatenate(intercept),
    np.concatenate(penalties),
    tuple(line for lines in notes for line in lines),
  )


def constant_linear(task: types.Task, train, obstacle: str):
  """Coefficients, intercept, penalty and notes of a label not learnt."""
  x, labels, weight = train
  constant = links.constant_logits(task, labels, weight)
  note = f'{obstacle} Its prediction is constant.'
  return np.zeros((x.shape[1], 1)), constant, np.full(1, np.inf), [note]


def _fit_linear(task, train, valid, l1_ratio):
  (x, y, weight), (x_valid, y_valid, weight_valid) = train, valid
  scaling = Scaling.of(task, x, y, weight)
  path = elastic_net.fit_path(
    scaling.problem(task, x, y, weight, l1_ratio),
    x_valid=scaling.x(x_valid),
    labels_valid=scaling.y(y_valid),
    weight_valid=weight_valid,
  )
  best = min(path, key=lambda solution: solution.valid_loss)
  weakest = best is path[-1] and len(path) == elastic_net.PENALTIES
  return (
    *scaling.undone(best),
    np.full(best.coefficients.shape[1], best.penalty),
    notes(task, best, weakest=weakest, where='on validation'),
  )


@dataclasses.dataclass(frozen=True, eq=False)
class Scaling:
  """Puts columns, and the labels of regression, on a unit scale.

  Attributes:
    varies: (p,) bool; columns that never vary are left out.
    center: (q,) means of those that do.
    scale: (q,) their standard deviations.
    shift: mean of the labels; 0 but for regression.
    unit: their standard deviation; 1 but for regression.
  """

  varies: np.ndarray
  center: np.ndarray
  scale: np.ndarray
  shift: float
  unit: float

  @classmethod
  def of(cls, task: types.Task, x, y, weight) -> 'Scaling':
    """That of (n, p) columns and (n, l) known labels, weighted (n,)."""
    center = np.average(x, axis=0, weights=weight)
    spread = np.sqrt(np.average((x - center) ** 2, axis=0, weights=weight))
    # Rounding leaves a constant column with a spread of about eps * |value|.
    varies = spread > 1e-10 * np.maximum(np.abs(center), 1e-30)
    # Labels of a unit spread make the solver's tolerances mean the same.
    shift, unit = 0.0, 1.0
    if task.kind == types.REGRESSION:
      shift = np.average(y[:, 0], weights=weight)
      unit = np.sqrt(np.average((y[:, 0] - shift) ** 2, weights=weight)) or 1.0
    return cls(varies, center[varies], spread[varies], shift, unit)

  def x(self, x) -> np.ndarray:
    """(n, q) scaled columns."""
    return (x[:, self.varies] - self.center) / self.scale

  def y(self, y) -> np.ndarray:
    """(n, l) scaled labels."""
    return (y - self.shift) / self.unit

  def problem(
    self, task: types.Task, x, y, weight, l1_ratio: float
  ) -> elastic_net.Problem:
    """What is fitted, scaled."""
    return elastic_net.Problem(task, self.x(x), self.y(y), weight, l1_ratio)

  def undone(
    self, solution: elastic_net.Solution
  ) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (p, s) and intercept (s,) in the units as given."""
    slopes = self.unit * solution.coefficients / self.scale[:, None]
    coefficients = np.zeros((len(self.varies), slopes.shape[1]))
    coefficients[self.varies] = slopes
    intercept = self.unit * solution.intercept + self.shift
    return coefficients, intercept - self.center @ slopes


def notes(
  task: types.Task,
  best: elastic_net.Solution,
  *,
  weakest: bool,
  where: str,
) -> list[str]:
  """What a reader of an elastic net should know.

  Args:
    task: what is predicted.
    best: what was kept.
    weakest: whether its penalty is the weakest one of a whole path.
    where: it was chosen, such as 'on validation'.
  """
  of = f' of {task.names[0]}' if task.kind == types.BINARY else ''
  found = []
  if not best.converged:
    found.append(
      f'The elastic net{of} stopped before its tolerance was reached.'
    )
  if not best.coefficients.any():
    found.append(f'The elastic net{of} is constant: no column helped {where}.')
  elif weakest:
    found.append(f'The weakest penalty tried{of} was the best {where}.')
  return found


@dataclasses.dataclass(frozen=True, eq=False)
class Trees:
  """Fitted gradient-boosted trees.

  Attributes:
    task: what is predicted.
    parts: one model per label if multilabel, else one.
    columns: number p of columns it was fitted on.
    cost: `parameters` is the number of trees times the most leaves that each
      may have; `rounds` the boosting rounds used, summed over parts.
    notes: what a reader of the fit should know, one line each.
  """

  task: types.Task
  parts: tuple[boosting.Histogram | boosting.Cox, ...]
  columns: int
  cost: dict[str, float]
  notes: tuple[str, ...] = ()

  def logits(self, x) -> np.ndarray:
    """(n, s) logits of (n, p) rows with NaN where missing."""
    x = np.asarray(x, np.float64)
    rows_lib.check_columns(x, self.columns)
    with threadpoolctl.threadpool_limits(limits=1):
      return np.concatenate([part.logits(x) for part in self.parts], axis=1)

  def scores(self, x) -> np.ndarray:
    """(n, s) scores of (n, p) rows."""
    return links.scores_from_logits(self.task, self.logits(x))

  def save(self, path) -> None:
    """Writes an npz file: arrays, and the rest as JSON."""
    about = {
      'kind': self.task.kind,
      'names': self.task.names,
      'parts': [part.KIND for part in self.parts],
      'columns': self.columns,
      'cost': self.cost,
      'notes': self.notes,
    }
    arrays = {
      f'{number}/{name}': x
      for number, part in enumerate(self.parts)
      for name, x in part.to_arrays().items()
    }
    with open(path, 'wb') as f:
      np.savez(f, about=np.array(json.dumps(about)), **arrays)

  @classmethod
  def load(cls, path) -> 'Trees':
    """Reads what `save` wrote.

    Raises:
      UserError: if the trees are damaged.
    """
    with np.load(path, allow_pickle=False) as f:
      about = json.loads(str(f['about']))
      task = types.Task(about['kind'], tuple(about['names']))
      parts = []
      for number, (one, kind) in enumerate(
        zip(
          [one for one, _ in rows_lib.outputs(task)],
          about['parts'],
          strict=True,
        )
      ):
        start = f'{number}/'
        arrays = {
          name.removeprefix(start): f[name]
          for name in f.files
          if name.startswith(start)
        }
        parts.append(boosting.KINDS[kind].from_arrays(one, arrays))
    return cls(
      task,
      tuple(parts),
      about['columns'],
      about['cost'],
      tuple(about['notes']),
    )


def fit_trees(
  *,
  task: types.Task,
  x,
  is_categorical,
  labels,
  weight,
  x_valid,
  labels_valid,
  weight_valid,
  learning_rate: float = 0.05,
  max_leaf_nodes: int = 6,
  l2: float = 1.0,
  column_share: float = 0.0,
  seed: int = 0,
) -> Trees:
  """Boosts trees and keeps the rounds that were best on the validation rows.

  The trees are scikit-learn's histogram gradient boosting, which takes missing
  values and category codes as they are; for survival its trees are boosted on
  the Cox partial likelihood (`boosting.py`). Multilabel tasks get one model per
  label.

  Args:
    task: what is predicted.
    x: (n, p), NaN where missing.
    is_categorical: (p,) bool: columns of codes 0, 1, ... up to 254.
    labels: (n, l), NaN where unknown; such rows are left out per label.
    weight: (n,) or None.
    x_valid: (v, p).
    labels_valid: (v, l).
    weight_valid: (v,) or None.
    learning_rate: shrinkage of a round.
    max_leaf_nodes: most leaves of a tree.
    l2: penalty on leaf values.
    column_share: of the columns among which each split of a tree is sought,
      drawn anew for each; 0 for the square root of their number, as in random
      forests (Breiman 2001, Machine Learning 45, 5-32). Where columns say much
      the same, as the statistics of one series do, trees are then less alike.
    seed: of the columns that are drawn, of the histogram's subsample (over
      200,000 rows) and of ties.

  Raises:
    UserError: if the training part holds a single class (or no event), or the
      validation part no known label (or no event). A label of a multilabel
      task of which this is true is predicted by a constant, with a note,
      unless it is true of all.
  """
  x, labels, weight = rows_lib.arrays(x, labels, weight)
  x_valid, labels_valid, weight_valid = rows_lib.arrays(
    x_valid, labels_valid, weight_valid
  )
  options = tree_options(
    is_categorical, learning_rate, max_leaf_nodes, l2, column_share, seed
  )
  kind = boosting.kind_of(task)
  parts, notes = [], []
  with threadpoolctl.threadpool_limits(limits=1):
    for part, train, valid, obstacle in rows_lib.of_each_output(
      task, (x, labels, weight), (x_valid, labels_valid, weight_valid)
    ):
      if obstacle:
        parts.append(boosting.Histogram.unfitted(part, *train[1:]))
        notes.append(f'{obstacle} Its prediction is constant.')
      else:
        parts.append(kind.fit(part, train, valid, options))
  cost = tree_cost(parts, max_leaf_nodes)
  return Trees(task, tuple(parts), x.shape[1], cost, tuple(notes))


def tree_options(
  is_categorical,
  learning_rate: float,
  max_leaf_nodes: int,
  l2: float,
  column_share: float,
  seed: int,
) -> dict[str, Any]:
  """What scikit-learn calls the arguments of `fit_trees`."""
  columns = max(1, len(is_categorical))
  return {
    'learning_rate': learning_rate,
    'max_leaf_nodes': max_leaf_nodes,
    'l2_regularization': l2,
    'max_features': column_share or columns**-0.5,
    'categorical_features': np.asarray(is_categorical, bool),
    'random_state': seed,
  }


def tree_cost(parts: Sequence[Any], max_leaf_nodes: int) -> dict[str, float]:
  """What `Trees.cost` holds."""
  return {
    'parameters': sum(part.trees for part in parts) * max_leaf_nodes,
    'rounds': sum(part.rounds for part in parts),
  }
