"""Kernel machines: smooth functions of all columns, for few studies.

With k(x, y) = exp(-|x - y|^2 / (2 l^2)) of standardised columns,

  f(x) = sum_i a_i k(x, x_i) + b  minimises  sum_i loss_i(f) + |f|_k^2 / (2 v)

over the studies i of the training part, |f|_k^2 = a' K a (Wahba 1990, "Spline
models for observational data", section 1.3). It is where the posterior of a
Gaussian process of covariance v k has its mode (Rasmussen and Williams 2006,
"Gaussian processes for machine learning", sections 3.4 and 6.2). The length l
and the variance v are those with the lowest loss on studies that were not
fitted, where Rasmussen and Williams take the largest marginal likelihood: so
all tasks, survival too, are tuned as the other learners are. Probabilities are
those at the mode; they are not averaged over the posterior.

With K = U D U' and features U sqrt(D), f is a ridge regression on as many
features as there are studies, which Newton's method solves exactly.
"""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np
import threadpoolctl

from fusion_jax.core import errors, links, types
from fusion_jax.training import classical
from fusion_jax.training import rows as rows_lib

# Its time grows with the cube of the studies, and with many others are better.
MOST_STUDIES = 1000
# Lengths that are tried, in medians of the distance of two studies.
_LENGTHS = (0.5, 1.0, 2.0, 4.0)
# Variances that are tried, of logits or standardised labels.
_VARIANCES = np.geomspace(1e-2, 1e3, 16)
# Directions of less than this share of the largest one count as none.
_LEAST = 1e-10
_NEWTON_STEPS = 200
_TOLERANCE = 1e-12

# Columns, labels and weights.
Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
  """One function, or one a class.

  Attributes:
    rows: (m, p) standardised columns of the studies that it was fitted on.
    weights: (m, s) a.
    intercept: (s,) b.
    length: l.
    variance: v; 0 where nothing could be learnt.
    scaling: of the columns, and of labels of regression.
  """

  rows: np.ndarray
  weights: np.ndarray
  intercept: np.ndarray
  length: float
  variance: float
  scaling: classical.Scaling

  def logits(self, x: np.ndarray) -> np.ndarray:
    """(n, s) logits of (n, p) rows."""
    near = kernel(self.scaling.x(x), self.rows, self.length)
    # A fixed summation order: a row's logits do not depend on its company.
    out = np.einsum('nm,ms->ns', near, self.weights) + self.intercept
    return self.scaling.unit * out + self.scaling.shift


@dataclasses.dataclass(frozen=True, eq=False)
class Kernel:
  """A fitted kernel machine.

  Attributes:
    task: what is predicted.
    parts: one for each label if multilabel, else one.
    columns: number p of columns it was fitted on.
    notes: what a reader of the fit should know, one line each.
  """

  task: types.Task
  parts: tuple[Part, ...]
  columns: int
  notes: tuple[str, ...] = ()

  @property
  def cost(self) -> dict[str, float]:
    """Number of parameters: weights and intercepts, and the rows."""
    return {
      'parameters': sum(
        p.weights.size + p.intercept.size + p.rows.size for p in self.parts
      )
    }

  def logits(self, x) -> np.ndarray:
    """(n, s) logits of (n, p) rows; multiclass up to a constant per row."""
    x = np.asarray(x, np.float64)
    rows_lib.check_columns(x, self.columns)
    return np.concatenate([part.logits(x) for part in self.parts], axis=1)

  def scores(self, x) -> np.ndarray:
    """(n, s) scores of (n, p) rows."""
    return links.scores_from_logits(self.task, self.logits(x))

  def save(self, path) -> None:
    """Writes an npz file: arrays, and the rest as JSON."""
    about = {
      'kind': self.task.kind,
      'names': self.task.names,
      'columns': self.columns,
      'notes': self.notes,
      'parts': [
        [p.length, p.variance, p.scaling.shift, p.scaling.unit]
        for p in self.parts
      ],
    }
    arrays = {
      f'{number}/{name}': value
      for number, p in enumerate(self.parts)
      for name, value in (
        *((n, getattr(p, n)) for n in ('rows', 'weights', 'intercept')),
        *((n, getattr(p.scaling, n)) for n in ('varies', 'center', 'scale')),
      )
    }
    with open(path, 'wb') as f:
      np.savez(f, about=np.array(json.dumps(about)), **arrays)

  @classmethod
  def load(cls, path) -> 'Kernel':
    """Reads what `save` wrote."""
    with np.load(path, allow_pickle=False) as f:
      about = json.loads(str(f['about']))
      parts = []
      for number, numbers in enumerate(about['parts']):
        length, variance, shift, unit = map(float, numbers)
        rows, weights, intercept, varies, center, scale = (
          f[f'{number}/{name}']
          for name in (
            *('rows', 'weights', 'intercept'),
            *('varies', 'center', 'scale'),
          )
        )
        scaling = classical.Scaling(varies, center, scale, shift, unit)
        parts.append(Part(rows, weights, intercept, length, variance, scaling))
    task = types.Task(about['kind'], tuple(about['names']))
    return cls(task, tuple(parts), about['columns'], tuple(about['notes']))


def kernel(x: np.ndarray, y: np.ndarray, length: float) -> np.ndarray:
  """(n, m) k of (n, p) and (m, p) rows."""
  return np.exp(-_distances(x, y) / (2 * length**2))


def _distances(x, y) -> np.ndarray:
  """(n, m) squared distances."""
  # Column by column, so that no row's sum depends on how many there are.
  gap = np.zeros((len(x), len(y)))
  for a, b in zip(x.T, y.T, strict=True):
    gap += np.square(a[:, None] - b)
  return gap


def fit(
  *,
  task: types.Task,
  x,
  labels,
  weight,
  x_valid,
  labels_valid,
  weight_valid,
  seed: int = 0,
) -> Kernel:
  """Fits machines and keeps the one that is best on the validation rows.

  Args:
    task: what is predicted.
    x: (n, p) without missing values.
    labels: (n, l), NaN where unknown; such rows are left out per label.
    weight: (n,) or None.
    x_valid: (v, p).
    labels_valid: (v, l).
    weight_valid: (v,) or None.
    seed: not used; there is nothing random in the fit.

  Raises:
    UserError: as `classical.fit_elastic_net`, or for more than MOST_STUDIES
      rows.
  """
  del seed
  train, valid = (
    rows_lib.arrays(*part)
    for part in (
      (x, labels, weight),
      (x_valid, labels_valid, weight_valid),
    )
  )
  check(train[0])
  parts, notes = [], []
  with threadpoolctl.threadpool_limits(limits=1):
    for one, of_train, of_valid, obstacle in rows_lib.of_each_output(
      task, train, valid
    ):
      if obstacle:
        parts.append(constant(one, of_train))
        notes.append(f'{obstacle} Its prediction is constant.')
      else:
        parts.append(best(one, [(of_train, of_valid)], of_train))
  return Kernel(task, tuple(parts), train[0].shape[1], tuple(notes))


def check(x) -> None:
  """Checks that (n, p) rows are not too many.

  Raises:
    UserError: if they are.
  """
  if len(x) > MOST_STUDIES:
    raise errors.UserError(
      f'A kernel machine is for at most {MOST_STUDIES} studies, and there are '
      f'{len(x)}: take gradient boosting.'
    )


def constant(task: types.Task, train: Rows) -> Part:
  """What predicts the training share or mean."""
  x, y, weight = train
  scaling = classical.Scaling(
    np.zeros(x.shape[1], bool), np.zeros(0), np.ones(0), 0.0, 1.0
  )
  logits = links.constant_logits(task, y, weight)
  none = np.zeros((0, len(logits)))
  return Part(np.zeros((0, 0)), none, logits, 1.0, 0.0, scaling)


def best(
  task: types.Task, splits: Sequence[tuple[Rows, Rows]], whole: Rows
) -> Part:
  """The machine of `whole` whose length and variance are best on `splits`.

  Args:
    task: what is predicted, no multilabel one.
    splits: parts that are fitted and held out, each in turn.
    whole: what the machine is fitted on at last.
  """
  median = _median(classical.Scaling.of(task, *whole).x(whole[0]))
  found = []
  for share in _LENGTHS:
    length, losses = share * median, np.zeros(len(_VARIANCES))
    for train, (x, y, weight) in splits:
      size = weight
      if task.kind == types.SURVIVAL:
        size = size * y[:, 1]  # Its loss is a mean over events.
      if size.sum() > 0:
        path = _path(task, train, length, _VARIANCES)
        losses += size.sum() * np.array(
          [links.mean_loss(task, p.logits(x), y, weight) for p in path]
        )
    at = int(np.argmin(losses))
    found.append((losses[at], length, float(_VARIANCES[at])))
  _, length, variance = min(found)
  return fitted(task, whole, length, variance)


def fitted(
  task: types.Task, train: Rows, length: float, variance: float
) -> Part:
  """The machine of given length and variance."""
  return _path(task, train, length, [variance])[0]


def _median(x) -> float:
  """The median distance of two different rows; 1 where all are alike."""
  gap = _distances(x, x)
  gap = gap[gap > 0]
  return float(np.sqrt(np.median(gap))) if len(gap) else 1.0


def _path(task, train, length, variances) -> list[Part]:
  """A machine for each variance, each started from the one before."""
  x, y, weight = train
  scaling = classical.Scaling.of(task, x, y, weight)
  rows, labels = scaling.x(x), scaling.y(y)
  size, directions = np.linalg.eigh(kernel(rows, rows, length))
  kept = size > _LEAST * max(size[-1], _LEAST)
  size, directions = size[kept], directions[:, kept]
  features = directions * np.sqrt(size)
  b = np.zeros((features.shape[1], task.num_outputs))
  b0 = links.constant_logits(task, labels, weight)
  found = []
  for variance in variances:
    # `links.mean_loss` is a mean over weights, for survival over events.
    total = float(weight.sum())
    if task.kind == types.SURVIVAL:
      total = float(weight @ labels[:, 1])
    b, b0 = _newton(
      task, features, labels, weight, 1 / (variance * total), b, b0
    )
    if task.kind == types.SURVIVAL:
      # The mean log hazard in training is 0, as of all learners.
      b0 = -np.average(features @ b, axis=0, weights=weight)
    weights = directions @ (b / np.sqrt(size)[:, None])
    found.append(Part(rows, weights, b0, length, float(variance), scaling))
  return found


def _newton(task, x, labels, weight, penalty, b, b0):
  """Coefficients (p, s) and intercept (s,) of a ridge regression on (n, p)."""
  used = range(task.num_outputs)
  if task.kind == types.MULTICLASS:
    # Classes that never occur keep their constant.
    used = np.unique(labels[:, 0]).astype(int)
  free = task.kind != types.SURVIVAL  # A partial likelihood has no intercept.

  def objective(b, b0):
    loss = links.mean_loss(task, x @ b + b0, labels, weight)
    return loss + penalty / 2 * np.square(b).sum()

  value = objective(b, b0)
  for _ in range(_NEWTON_STEPS):
    before = value
    for k in used:
      gradient, curvature = (
        a[:, k] for a in links.derivatives(task, x @ b + b0, labels, weight)
      )
      h = np.maximum(curvature, 0)
      system = np.zeros((x.shape[1] + 1,) * 2)
      system[:-1, :-1] = (x.T * h) @ x + penalty * np.eye(x.shape[1])
      system[-1, :-1] = system[:-1, -1] = h @ x
      system[-1, -1] = h.sum() or 1.0
      slope = np.append(x.T @ gradient + penalty * b[:, k], gradient.sum())
      if free:
        step = np.linalg.solve(system, -slope)
      else:
        step = np.append(np.linalg.solve(system[:-1, :-1], -slope[:-1]), 0.0)
      share = 1.0
      while share > 1e-4:
        new_b, new_b0 = b.copy(), b0.copy()
        new_b[:, k] += share * step[:-1]
        new_b0[k] += share * step[-1]
        new_value = objective(new_b, new_b0)
        if new_value <= value:
          b, b0, value = new_b, new_b0, new_value
          break
        share /= 2
    if before - value <= _TOLERANCE * max(abs(value), 1e-12):
      break
  return b, b0
