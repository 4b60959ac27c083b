"""Gaussian processes, for cohorts of some hundred studies.

Rasmussen and Williams 2006, "Gaussian processes for machine learning":
regression by algorithm 2.1, classes by Laplace's approximation (algorithms 3.1
and 3.2), fitted by scikit-learn. What is known of a study's logit is a normal
distribution, and its probability is the mean of the sigmoid over it (equation
3.25), here by Gauss-Hermite quadrature. The covariance of two studies with
standardised columns a and b is

  c_0 + c_1 a'b + c_2 exp(-|a - b|^2 / (2 s^2)),

a constant, a linear model and a smooth one. Its four numbers maximise the
marginal likelihood of the training rows (section 5.4), so that no validation
row is needed to choose them. Several classes have one process each against all
others, whose probabilities are divided by their sum.

A model holds the columns of all rows that it was fitted on, and predicts by the
kernel of a study with each of them.
"""

import dataclasses
import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import threadpoolctl
from scipy import linalg, spatial, special
from sklearn import exceptions, gaussian_process
from sklearn.gaussian_process import kernels

from fusion_jax.core import errors, links, types
from fusion_jax.training import classical
from fusion_jax.training import rows as rows_lib

# Time grows with the cube of their number, memory with the square.
MOST_ROWS = 3000
TASKS = (types.BINARY, types.MULTICLASS, types.MULTILABEL, types.REGRESSION)
_BOUNDS = (1e-4, 1e4)
_LEAST_NOISE = 1e-4
_POINTS = 32


@dataclasses.dataclass(frozen=True, eq=False)
class Process:
  """One fitted process: means and variances of what is hidden.

  Attributes:
    rows: (n, q) standardised columns of what it was fitted on.
    numbers: (4,) c_0, c_1, c_2 and s of the covariance.
    weights: (n,), so that the mean of a study is its covariance with the rows
      times these.
    root: (n, n), so that its variance is its own covariance less the squared
      norm of the root times its covariance with the rows; (0, n) where only
      means are wanted.
  """

  rows: np.ndarray
  numbers: np.ndarray
  weights: np.ndarray
  root: np.ndarray

  def covariance(self, x: np.ndarray) -> np.ndarray:
    """(m, n) of (m, q) standardised columns with the rows."""
    constant, linear, smooth, length = self.numbers
    apart = spatial.distance.cdist(x, self.rows, 'sqeuclidean')
    return (
      constant
      # A fixed summation order: a study does not depend on its company.
      + linear * np.einsum('mq,nq->mn', x, self.rows)
      + smooth * np.exp(-apart / (2 * length**2))
    )

  def moments(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(m,) means and variances."""
    known = self.covariance(x)
    constant, linear, smooth, _ = self.numbers
    own = constant + linear * np.square(x).sum(1) + smooth
    explained = np.einsum('rn,mn->mr', self.root, known)
    variance = own - np.square(explained).sum(1)
    return np.einsum('mn,n->m', known, self.weights), np.maximum(variance, 0)

  def probability(self, x: np.ndarray) -> np.ndarray:
    """(m,) means of the sigmoid."""
    mean, variance = self.moments(x)
    at, weight = np.polynomial.hermite.hermgauss(_POINTS)
    z = mean[:, None] + np.sqrt(2 * variance)[:, None] * at
    return np.einsum('mk,k->m', special.expit(z), weight) / np.sqrt(np.pi)

  def arrays(self) -> dict[str, np.ndarray]:
    """By name what it holds."""
    return {x.name: getattr(self, x.name) for x in dataclasses.fields(self)}


@dataclasses.dataclass(frozen=True, eq=False)
class Part:
  """What predicts one output, or all classes of a multiclass task.

  Attributes:
    task: one of TASKS but multilabel.
    scaling: of columns and, in regression, labels.
    classes: of each process; none but in multiclass tasks.
    processes: one, or one a class that occurs; none for a constant.
    constant: (s,) logits where nothing could be learnt or no column varies.
  """

  task: types.Task
  scaling: classical.Scaling
  classes: tuple[int, ...]
  processes: tuple[Process, ...]
  constant: np.ndarray

  def logits(self, x: np.ndarray) -> np.ndarray:
    """(m, s) of (m, p) columns."""
    if not self.processes:
      return np.tile(self.constant, (len(x), 1))
    scaled = self.scaling.x(x)
    if self.task.kind == types.REGRESSION:
      mean, _ = self.processes[0].moments(scaled)
      return (self.scaling.unit * mean + self.scaling.shift)[:, None]
    p = np.stack([one.probability(scaled) for one in self.processes], axis=1)
    if self.task.kind == types.MULTICLASS:
      scores = np.zeros((len(x), self.task.num_outputs))
      scores[:, list(self.classes)] = p / p.sum(axis=1, keepdims=True)
      p = scores
    return links.logits_from_scores(self.task, p)

  @property
  def size(self) -> int:
    """Numbers that a prediction needs."""
    shared = self.processes[0].rows.size if self.processes else 0
    own = [x.weights.size + x.root.size + 4 for x in self.processes]
    return shared + sum(own) or len(self.constant)


@dataclasses.dataclass(frozen=True, eq=False)
class GaussianProcess:
  """Fitted Gaussian processes.

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
    """`parameters` that are stored, those of the rows among them."""
    return {'parameters': sum(x.size for x in self.parts)}

  def logits(self, x) -> np.ndarray:
    """(n, s) logits of (n, p) rows; multiclass up to a constant per row."""
    x = np.asarray(x, np.float64)
    rows_lib.check_columns(x, self.columns)
    with threadpoolctl.threadpool_limits(limits=1):
      return np.concatenate([part.logits(x) for part in self.parts], axis=1)

  def scores(self, x) -> np.ndarray:
    """(n, s) scores of (n, p) rows."""
    return links.scores_from_logits(self.task, self.logits(x))

  def save(self, path) -> None:
    """Writes an npz file: arrays, and the rest as JSON."""
    arrays: dict[str, Any] = {}
    about: dict[str, Any] = {
      'kind': self.task.kind,
      'names': self.task.names,
      'columns': self.columns,
      'notes': self.notes,
      'classes': [part.classes for part in self.parts],
    }
    for number, part in enumerate(self.parts):
      fields = {**vars(part.scaling), 'outputs': part.constant}
      arrays |= {f'{number}/{name}': x for name, x in fields.items()}
      for k, one in enumerate(part.processes):
        arrays |= {f'{number}/{k}/{n}': x for n, x in one.arrays().items()}
    with open(path, 'wb') as f:
      np.savez(f, about=np.array(json.dumps(about)), **arrays)

  @classmethod
  def load(cls, path) -> 'GaussianProcess':
    """Reads what `save` wrote."""
    with np.load(path, allow_pickle=False) as f:
      about = json.loads(str(f['about']))
      task = types.Task(about['kind'], tuple(about['names']))
      tasks = [one for one, _ in rows_lib.outputs(task)]
      parts = tuple(
        _read(f, f'{number}/', one, tuple(classes))
        for number, (one, classes) in enumerate(
          zip(tasks, about['classes'], strict=True)
        )
      )
    return cls(task, parts, about['columns'], tuple(about['notes']))


def _read(arrays: Mapping[str, Any], start: str, task, classes) -> Part:
  scaling = classical.Scaling(
    **{
      x.name: arrays[start + x.name]
      for x in dataclasses.fields(classical.Scaling)
    }
  )
  processes = []
  while f'{start}{len(processes)}/rows' in arrays:
    here = f'{start}{len(processes)}/'
    processes.append(
      Process(**{x.name: arrays[here + x.name] for x in _FIELDS})
    )
  constant = arrays[f'{start}outputs']
  return Part(task, scaling, classes, tuple(processes), constant)


_FIELDS = dataclasses.fields(Process)


def fit(*, task: types.Task, x, labels, weight, seed: int = 0):
  """Fits Gaussian processes to rows.

  Args:
    task: what is predicted, one of TASKS.
    x: (n, p) without missing values.
    labels: (n, l), NaN where unknown; such rows are left out per label.
    weight: (n,) or None; rows of weight 0 are left out, and nothing else is
      made of weights, which a note says.
    seed: of ties in the optimiser.

  Raises:
    UserError: for more than MOST_ROWS rows, another task, or rows that hold a
      single class. A label of a multilabel task of which this is true is
      predicted by a constant, with a note, unless it is true of all.
  """
  if task.kind not in TASKS:
    raise errors.UserError(
      f'Gaussian processes are for the tasks {", ".join(TASKS)}; this one is '
      f'{task.kind}.'
    )
  x, labels, weight = rows_lib.arrays(x, labels, weight)
  if len(x) > MOST_ROWS:
    raise errors.UserError(
      f'{len(x)} studies are too many for a Gaussian process, which is for '
      f'{MOST_ROWS} at most: its time grows with the cube of their number.'
    )
  notes, parts, obstacles = [], [], []
  if len(np.unique(weight[weight > 0])) > 1:
    notes.append('A Gaussian process takes all studies alike, not by weight.')
  with threadpoolctl.threadpool_limits(limits=1):
    for one, columns in rows_lib.outputs(task):
      _, *rows = rows_lib.usable(one, x, labels[:, columns], weight)
      obstacle = rows_lib.obstacle_of(one, rows[1], 'training')
      obstacles.append(obstacle)
      if obstacle:
        notes.append(f'{obstacle} Its prediction is constant.')
      parts.append(_fit(one, *rows, seed, learnt=not obstacle))
  if all(obstacles):
    raise errors.UserError(obstacles[0])
  return GaussianProcess(task, tuple(parts), x.shape[1], tuple(notes))


def _fit(task, x, y, weight, seed, *, learnt) -> Part:
  constant = links.constant_logits(task, y, weight)
  if not len(x):
    # Columns of no row have neither mean nor deviation.
    nothing = np.zeros(0)
    varies = np.zeros(x.shape[1], bool)
    scaling = classical.Scaling(varies, nothing, nothing, 0.0, 1.0)
    return Part(task, scaling, (), (), constant)
  scaling = classical.Scaling.of(task, x, y, np.ones(len(x)))
  if not learnt or not scaling.varies.any():
    return Part(task, scaling, (), (), constant)
  rows, y = scaling.x(x), scaling.y(y)[:, 0]
  if task.kind == types.REGRESSION:
    return Part(task, scaling, (), (_regression(rows, y, seed),), constant)
  if task.kind == types.BINARY:
    return Part(task, scaling, (), (_classes(rows, y > 0, seed),), constant)
  classes = tuple(int(k) for k in np.unique(y))
  each = tuple(_classes(rows, y == k, seed) for k in classes)
  return Part(task, scaling, classes, each, constant)


def _kernel(size: int):
  """The covariance, where it starts for so many columns."""

  def factor(start):
    return kernels.ConstantKernel(start, _BOUNDS)

  linear = factor(1 / size) * kernels.DotProduct(0.0, 'fixed')
  smooth = factor(1.0) * kernels.RBF(np.sqrt(size), (1e-1, 1e3))
  return factor(1.0) + linear + smooth


def _numbers(kernel) -> np.ndarray:
  """(4,) of a fitted `_kernel`."""
  given = kernel.get_params()
  names = (
    'k1__k1__constant_value',
    'k1__k2__k1__constant_value',
    'k2__k1__constant_value',
    'k2__k2__length_scale',
  )
  return np.array([float(given[name]) for name in names])


def _quietly(model, x, y):
  with warnings.catch_warnings():
    # An end of a range means that a term of the covariance is not wanted.
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
    return model.fit(x, y)


def _classes(x, y, seed) -> Process:
  model = gaussian_process.GaussianProcessClassifier(
    _kernel(x.shape[1]), random_state=seed
  )
  fitted = _quietly(model, x, y).base_estimator_
  # Rasmussen and Williams 2006, algorithm 3.2, lines 4 to 6.
  root = linalg.solve_triangular(
    fitted.L_, np.diag(fitted.W_sr_), lower=True, check_finite=False
  )
  weights = fitted.y_train_ - fitted.pi_
  return Process(x, _numbers(fitted.kernel_), weights, root)


def _regression(x, y, seed) -> Process:
  noise = kernels.WhiteKernel(0.5, (_LEAST_NOISE, 1e2))
  model = gaussian_process.GaussianProcessRegressor(
    _kernel(x.shape[1]) + noise, random_state=seed
  )
  fitted = _quietly(model, x, y)
  # Means alone are predicted.
  root = np.zeros((0, len(x)))
  return Process(x, _numbers(fitted.kernel_.k1), fitted.alpha_, root)
