"""Elastic nets, trees and kernels tuned by an inner cross-validation.

One small validation part chooses a penalty, or a number of rounds, by chance:
with 25 studies its loss is noise. Here the studies of the training and the
validation part are divided into folds by patient; each candidate is fitted
without one fold and judged on it, for every fold in turn; the candidate with
the lowest loss over all of them is fitted anew on all rows (Stone 1974, J. R.
Stat. Soc. B 36(2), 111-147). Predictions of a row by the model that was fitted
without its fold are kept: they stand for the final model wherever predictions
of studies that it has not seen are needed (thresholds, late rules).
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import threadpoolctl

from fusion_jax.core import errors, links, types
from fusion_jax.training import (
  boosting,
  classical,
  elastic_net,
  kernel_machine,
)
from fusion_jax.training import rows as rows_lib

_WHERE = 'in cross-validation'
# Boosting rounds tried at first, then twice as many, and so on.
_FIRST_ROUNDS = 50


@dataclasses.dataclass(frozen=True, eq=False)
class Tuned:
  """A model fitted on all rows, and how it predicts rows it has not seen.

  Attributes:
    model: the model.
    out_of_fold: (n, s) logits of models fitted without the row's fold; rows
      without a known label are predicted too.
  """

  model: Any
  out_of_fold: np.ndarray


def fit_elastic_net(
  *,
  task: types.Task,
  x,
  labels,
  weight,
  fold,
  candidates: Sequence[np.ndarray] = (),
  l1_ratio: float = 0.5,
) -> Tuned:
  """Fits the elastic net whose penalty, and columns, are best over all folds.

  Args:
    task: what is predicted.
    x: (n, p) without missing values.
    labels: (n, l), NaN where unknown; such rows are left out per label.
    weight: (n,) or None.
    fold: (n,) int inner fold of each row (`data.inner.folds`).
    candidates: (p,) bool each, the sets of columns to try; all columns if
      empty.
    l1_ratio: share of the L1 part in the penalty, from 0 to 1.

  Raises:
    UserError: if the rows hold a single class (or no event). A label of a
      multilabel task of which this is true is predicted by a constant, with a
      note, unless it is true of all.
  """
  x, labels, weight = rows_lib.arrays(x, labels, weight)
  fold = np.asarray(fold)
  candidates = candidates or [np.ones(x.shape[1], bool)]
  found, obstacles = [], []
  with threadpoolctl.threadpool_limits(limits=1):
    for task_of, columns in rows_lib.outputs(task):
      part = _Part.of(task_of, x, labels[:, columns], weight, fold)
      obstacles.append(part.obstacle)
      if part.obstacle:
        rows = part.x, part.labels, part.weight
        constant = classical.constant_linear(task_of, rows, part.obstacle)
        found.append((*constant, np.tile(constant[1], (len(x), 1))))
      else:
        found.append(_elastic_net(part, candidates, l1_ratio))
  if all(obstacles):
    raise errors.UserError(obstacles[0])
  coefficients, intercept, penalties, notes, out = zip(*found, strict=True)
  model = classical.Linear(
    task,
    np.concatenate(coefficients, axis=1),
    np.concatenate(intercept),
    np.concatenate(penalties),
    tuple(line for lines in notes for line in lines),
  )
  return Tuned(model, np.concatenate(out, axis=1))


def fit_trees(
  *,
  task: types.Task,
  x,
  is_categorical,
  labels,
  weight,
  fold,
  learning_rate: float = 0.05,
  max_leaf_nodes: int = 6,
  l2: float = 1.0,
  column_share: float = 0.0,
  seed: int = 0,
) -> Tuned:
  """Boosts trees for the number of rounds that is best over all folds.

  Args:
    task: what is predicted.
    x: (n, p), NaN where missing.
    is_categorical: (p,) bool: columns of codes.
    labels: (n, l), NaN where unknown; such rows are left out per label.
    weight: (n,) or None.
    fold: (n,) int inner fold of each row.
    learning_rate: shrinkage of a round.
    max_leaf_nodes: most leaves of a tree.
    l2: penalty on leaf values.
    column_share: as `classical.fit_trees` has it.
    seed: of the columns that are drawn, and of ties.

  Raises:
    UserError: as `fit_elastic_net`.
  """
  x, labels, weight = rows_lib.arrays(x, labels, weight)
  fold = np.asarray(fold)
  options = classical.tree_options(
    is_categorical, learning_rate, max_leaf_nodes, l2, column_share, seed
  )
  parts, out, notes, obstacles = [], [], [], []
  with threadpoolctl.threadpool_limits(limits=1):
    for task_of, columns in rows_lib.outputs(task):
      part = _Part.of(task_of, x, labels[:, columns], weight, fold)
      obstacles.append(part.obstacle)
      if part.obstacle:
        model = boosting.Histogram.unfitted(task_of, part.labels, part.weight)
        notes.append(f'{part.obstacle} Its prediction is constant.')
        predicted = model.logits(x)
      else:
        model, predicted = _trees(part, options)
      parts.append(model)
      out.append(predicted)
  if all(obstacles):
    raise errors.UserError(obstacles[0])
  model = classical.Trees(
    task,
    tuple(parts),
    x.shape[1],
    classical.tree_cost(parts, max_leaf_nodes),
    tuple(notes),
  )
  return Tuned(model, np.concatenate(out, axis=1))


def fit_kernel(
  *, task: types.Task, x, labels, weight, fold, seed: int = 0
) -> Tuned:
  """Fits the kernel machine whose length and variance are best over all folds.

  Args:
    task: what is predicted.
    x: (n, p) without missing values.
    labels: (n, l), NaN where unknown; such rows are left out per label.
    weight: (n,) or None.
    fold: (n,) int inner fold of each row.
    seed: not used; there is nothing random in the fit.

  Raises:
    UserError: as `fit_elastic_net`, or for too many rows.
  """
  del seed
  x, labels, weight = rows_lib.arrays(x, labels, weight)
  kernel_machine.check(x)
  fold = np.asarray(fold)
  parts, out, notes, obstacles = [], [], [], []
  with threadpoolctl.threadpool_limits(limits=1):
    for task_of, columns in rows_lib.outputs(task):
      part = _Part.of(task_of, x, labels[:, columns], weight, fold)
      obstacles.append(part.obstacle)
      whole = part.rows(slice(None))
      if part.obstacle:
        model = kernel_machine.constant(task_of, whole)
        notes.append(f'{part.obstacle} Its prediction is constant.')
        predicted = model.logits(x)
      else:
        model, predicted = _kernel(part, whole)
      parts.append(model)
      out.append(predicted)
  if all(obstacles):
    raise errors.UserError(obstacles[0])
  model = kernel_machine.Kernel(task, tuple(parts), x.shape[1], tuple(notes))
  return Tuned(model, np.concatenate(out, axis=1))


def _kernel(part: '_Part', whole):
  """The machine of all rows, and out-of-fold logits."""
  splits = [(part.rows(kept), part.rows(~kept)) for _, kept in part.splits]
  model = kernel_machine.best(part.task, splits, whole)
  of_fold = {
    number: kernel_machine.fitted(
      part.task, part.rows(kept), model.length, model.variance
    )
    for number, kept in part.splits
  }
  return model, part.spread(lambda number, x: of_fold[number].logits(x))


@dataclasses.dataclass(frozen=True, eq=False)
class _Part:
  """What one model is fitted on: the rows with a known label.

  Attributes:
    task: what is predicted.
    every: (n, p) columns of all rows, also those without a label.
    every_fold: (n,) fold of all rows.
    x: (m, p) columns of the rows with a label.
    labels: (m, l) of them.
    weight: (m,) of them, of mean 1.
    fold: (m,) of them.
    splits: by fold that can be held out, its number and (m,) bool whether a
      row is fitted on.
    obstacle: why nothing can be learnt; empty if it can.
  """

  task: types.Task
  every: np.ndarray
  every_fold: np.ndarray
  x: np.ndarray
  labels: np.ndarray
  weight: np.ndarray
  fold: np.ndarray
  splits: tuple[tuple[int, np.ndarray], ...]
  obstacle: str

  @classmethod
  def of(cls, task, x, labels, weight, fold) -> '_Part':
    rows, known_x, known_labels, known_weight = rows_lib.usable(
      task, x, labels, weight
    )
    known_fold = fold[rows]
    obstacle = rows_lib.obstacle_of(task, known_labels, 'training')
    splits = []
    for number in np.unique(known_fold):
      kept = known_fold != number
      bad = rows_lib.obstacle_of(task, known_labels[kept], 'training')
      if not bad:
        splits.append((int(number), kept))
    if not splits and not obstacle:
      obstacle = (
        f"'{task.names[-1]}' has too few studies of one kind to be learnt "
        'from all but one fold of an inner cross-validation.'
      )
    return cls(
      task,
      x,
      fold,
      known_x,
      known_labels,
      known_weight,
      known_fold,
      tuple(splits),
      obstacle,
    )

  def rows(self, kept) -> boosting.Rows:
    """Columns, labels and weights of the rows `kept`."""
    return self.x[kept], self.labels[kept], self.weight[kept]

  def size(self, kept) -> float:
    """What the loss of the rows held out is a mean over."""
    weight = self.weight[~kept]
    if self.task.kind == types.SURVIVAL:
      weight = weight * self.labels[~kept, 1]
    return float(weight.sum())

  def spread(self, predict) -> np.ndarray:
    """(n, s) logits; `predict(number, rows of x)` gives those of a fold.

    Rows of a fold that could not be held out get the constant.
    """
    constant = links.constant_logits(self.task, self.labels, self.weight)
    out = np.tile(constant, (len(self.every), 1))
    for number, _ in self.splits:
      here = self.every_fold == number
      out[here] = predict(number, self.every[here])
    return out


def _mean_losses(part: _Part, curves: Sequence[np.ndarray]) -> np.ndarray:
  """(steps,) mean over folds of losses by step, as far as all curves go.

  To go on with a curve's last value where it ended would praise what comes
  after. Folds without an event have no loss.
  """
  shortest = min(len(x) for x in curves)
  total, size = np.zeros(shortest), 0.0
  for (_, kept), curve in zip(part.splits, curves, strict=True):
    share = part.size(kept)
    if share > 0:
      total, size = total + share * curve[:shortest], size + share
  return total / size if size else np.zeros(shortest)


def _elastic_net(part: _Part, candidates, l1_ratio):
  """Coefficients, intercept, penalties, notes and out-of-fold logits."""
  found = []
  for columns in candidates:
    scaling = classical.Scaling.of(
      part.task, part.x[:, columns], part.labels, part.weight
    )

    def problem(kept, columns=columns, scaling=scaling):
      x, y, weight = part.rows(kept)
      return scaling.problem(part.task, x[:, columns], y, weight, l1_ratio)

    whole = problem(slice(None))
    penalties = elastic_net.penalties_of(whole)
    paths = []
    for _, kept in part.splits:
      held = problem(~kept)
      paths.append(
        elastic_net.fit_path(
          problem(kept),
          x_valid=held.x,
          labels_valid=held.labels,
          weight_valid=held.weight,
          penalties=penalties,
        )
      )
    losses = _mean_losses(
      part, [np.array([s.valid_loss for s in path]) for path in paths]
    )
    at = int(np.argmin(losses))
    found.append((losses[at], at, columns, scaling, whole, penalties, paths))
  # Of equals the first: `min` would compare arrays.
  best = min(range(len(found)), key=lambda k: found[k][0])
  _, at, columns, scaling, whole, penalties, paths = found[best]
  # Its own loss only falls, so that the path is not left before the end.
  solution = elastic_net.fit_path(
    whole,
    x_valid=whole.x,
    labels_valid=whole.labels,
    weight_valid=whole.weight,
    penalties=penalties[: at + 1],
  )[-1]
  of_fold = {
    number: path[min(at, len(path) - 1)]
    for (number, _), path in zip(part.splits, paths, strict=True)
  }

  def predict(number, x):
    slopes, intercept = scaling.undone(of_fold[number])
    return np.einsum('np,ps->ns', x[:, columns], slopes) + intercept

  slopes, intercept = scaling.undone(solution)
  coefficients = np.zeros((len(columns), slopes.shape[1]))
  coefficients[columns] = slopes
  notes = classical.notes(
    part.task,
    solution,
    weakest=at == elastic_net.PENALTIES - 1,
    where=_WHERE,
  )
  penalty = np.full(slopes.shape[1], solution.penalty)
  return coefficients, intercept, penalty, notes, part.spread(predict)


def _trees(part: _Part, options):
  """The model of all rows, and out-of-fold logits."""
  kind = boosting.kind_of(part.task)
  rounds = _rounds(kind, part, options)
  model = kind.grown(part.task, part.rows(slice(None)), options, rounds)
  of_fold = {
    number: kind.grown(part.task, part.rows(kept), options, rounds)
    for number, kept in part.splits
  }
  return model, part.spread(lambda number, x: of_fold[number].logits(x))


def _rounds(kind, part: _Part, options) -> int:
  """The number of rounds with the lowest loss over all folds.

  Boosting goes on until `boosting.PATIENCE` rounds brought no lower one.
  """
  tried = _FIRST_ROUNDS
  while True:
    curves = []
    for _, kept in part.splits:
      grown = kind.grown(part.task, part.rows(kept), options, tried)
      x, y, weight = part.rows(~kept)
      curves.append(
        np.array(
          [links.mean_loss(part.task, z, y, weight) for z in grown.staged(x)]
        )
      )
    best = int(np.argmin(_mean_losses(part, curves)))
    if best + boosting.PATIENCE <= tried or tried >= boosting.MAX_ROUNDS:
      return best
    tried = min(2 * tried, boosting.MAX_ROUNDS)
