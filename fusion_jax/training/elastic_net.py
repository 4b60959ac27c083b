"""A path of elastic nets for every task, from strong to weak penalty.

Minimises `links.mean_loss` + a (r |B|_1 + (1 - r) / 2 |B|_2^2) for falling a
by proximal Newton steps: the loss is replaced by a weighted least-squares
problem, which scikit-learn's coordinate descent solves, and steps that do not
lower the objective are halved (Friedman, Hastie and Tibshirani 2010, J. Stat.
Softw. 33(1); Simon et al. 2011, J. Stat. Softw. 39(5), for Cox).
scikit-learn's own elastic-net logistic regression has a stochastic solver only
(`saga`), which is some ten times slower on a path and inexact where it ends.
"""

import dataclasses
import warnings

import numpy as np
from sklearn import exceptions, linear_model

from fusion_jax.core import links, types

PENALTIES = 60
# Penalties without a better validation loss before the path is left.
PATIENCE = 10
# The training loss, as a share of the constant prediction's, below which a
# weaker penalty could only separate the classes further.
SATURATED = 1e-3
_NEWTON_STEPS = 30
_TOLERANCE = 1e-5
_LEAST_CURVATURE = 1e-5
_KKT_SLACK = 1e-3


@dataclasses.dataclass(frozen=True, eq=False)
class Solution:
  """One point of a path.

  Attributes:
    coefficients: (p, s).
    intercept: (s,).
    penalty: a.
    valid_loss: `links.mean_loss` on the validation rows.
    converged: whether the solver's tolerance was reached.
  """

  coefficients: np.ndarray
  intercept: np.ndarray
  penalty: float
  valid_loss: float
  converged: bool


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
  """What is fitted: x (n, p) standardised, labels (n, l), weight (n,)."""

  task: types.Task
  x: np.ndarray
  labels: np.ndarray
  weight: np.ndarray | None
  l1_ratio: float

  def loss(self, logits) -> float:
    return links.mean_loss(self.task, logits, self.labels, self.weight)

  def slopes(self, coefficients, intercept) -> np.ndarray:
    """(p, s) derivative of the loss in the coefficients."""
    gradient, _ = links.derivatives(
      self.task, self.x @ coefficients + intercept, self.labels, self.weight
    )
    return self.x.T @ gradient

  def objective(self, logits, coefficients, penalty) -> float:
    size = self.l1_ratio * np.abs(coefficients).sum()
    size += (1 - self.l1_ratio) / 2 * np.square(coefficients).sum()
    return self.loss(logits) + penalty * size


def fit_path(
  problem: Problem,
  *,
  x_valid,
  labels_valid,
  weight_valid,
  penalties: np.ndarray | None = None,
) -> list[Solution]:
  """Solves for falling penalties until validation says enough.

  Each fit starts from the solution before. The path is left early when the
  training loss is below SATURATED of the constant prediction's, or, where no
  penalties are given, when PATIENCE in a row brought no better validation loss.

  Args:
    problem: what is fitted.
    x_valid: (v, p) standardised as the problem's.
    labels_valid: (v, l).
    weight_valid: (v,) or None.
    penalties: falling; those of `penalties_of` if None.

  Returns:
    The solutions, strongest penalty first.
  """
  problem = dataclasses.replace(problem, x=np.asfortranarray(problem.x))
  patience = len(penalties) if penalties is not None else PATIENCE
  if penalties is None:
    penalties = penalties_of(problem)
  task = problem.task
  b, b0, active, null_loss = _start(problem)
  path, best, last = [], 0, penalties[0]
  for penalty in penalties:
    b, b0, converged = _solve(problem, penalty, last, b, b0, active, null_loss)
    last = penalty
    valid_loss = links.mean_loss(
      task, x_valid @ b + b0, labels_valid, weight_valid
    )
    path.append(Solution(b, b0, float(penalty), valid_loss, converged))
    if valid_loss < path[best].valid_loss:
      best = len(path) - 1
    if len(path) - 1 - best >= patience:
      break
    if problem.loss(problem.x @ b + b0) <= SATURATED * null_loss:
      break
  return path


def penalties_of(problem: Problem) -> np.ndarray:
  """Falling penalties, from the smallest that leaves every coefficient at 0.

  They fall by a factor of 10^4 (10^2 if p > n) in PENALTIES steps. Where
  nothing has a slope (no columns, say) one fit is the whole path.
  """
  n, p = problem.x.shape
  b, b0, active, _ = _start(problem)
  slopes = np.abs(problem.slopes(b, b0))[:, active]
  strongest = slopes.max(initial=0) / max(problem.l1_ratio, 1e-3)
  if not strongest:
    return np.zeros(1)
  weakest = strongest * (1e-2 if p > n else 1e-4)
  return np.geomspace(strongest, weakest, PENALTIES)


def _start(problem):
  """No coefficients, the constant, outputs that are fitted, null loss."""
  n, p = problem.x.shape
  b = np.zeros((p, problem.task.num_outputs))
  b0 = links.constant_logits(problem.task, problem.labels, problem.weight)
  null_loss = problem.loss(np.tile(b0, (n, 1)))
  return b, b0, _active(problem), null_loss


def _active(problem):
  """Outputs that are fitted: classes that never occur keep their constant."""
  if problem.task.kind != types.MULTICLASS:
    return list(range(problem.task.num_outputs))
  used = links.known(problem.task, problem.labels)[:, 0]
  if problem.weight is not None:
    used &= problem.weight > 0
  return [int(k) for k in np.unique(problem.labels[used, 0])]


def _solve(problem, penalty, last, b, b0, active, null_loss):
  """The solution at one penalty: coefficients, intercept, converged.

  Columns that the strong rule expects to stay at 0 are left out (Tibshirani et
  al. 2012, J. R. Stat. Soc. B 74(2)) and brought back where their slope says
  that they should not have been.
  """
  likely = problem.l1_ratio * (2 * penalty - last)
  columns = (np.abs(problem.slopes(b, b0)) >= likely) | (b != 0)
  while True:
    b, b0, converged = _descend(
      problem, penalty, b, b0, active, columns, null_loss
    )
    limit = problem.l1_ratio * penalty * (1 + _KKT_SLACK)
    missed = ~columns & (np.abs(problem.slopes(b, b0)) > limit)
    missed[:, [k for k in range(b.shape[1]) if k not in active]] = False
    if not missed.any():
      return b, b0, converged
    columns |= missed


def _descend(problem, penalty, b, b0, active, columns, null_loss):
  """Newton steps over the given (p, s) coefficients."""
  logits = problem.x @ b + b0
  value = problem.objective(logits, b, penalty)
  for _ in range(_NEWTON_STEPS):
    before = value
    for k in active:
      step, step0 = _newton_step(problem, penalty, b, logits, k, columns[:, k])
      change = problem.x @ step + step0
      size = 1.0
      while size > 1e-4:
        new_b, new_b0, new_logits = b.copy(), b0.copy(), logits.copy()
        new_b[:, k] += size * step
        new_b0[k] += size * step0
        new_logits[:, k] += size * change
        new_value = problem.objective(new_logits, new_b, penalty)
        if new_value <= value:
          b, b0, logits, value = new_b, new_b0, new_logits, new_value
          break
        size /= 2
    if before - value <= _TOLERANCE * abs(null_loss):
      return b, b0, True
  return b, b0, False


def _newton_step(problem, penalty, b, logits, k, columns):
  """((p,), scalar) change of output k that solves the quadratic problem.

  `columns` (p,) bool are those whose coefficients may change.
  """
  gradient, curvature = links.derivatives(
    problem.task, logits, problem.labels, problem.weight
  )
  gradient, curvature = gradient[:, k], curvature[:, k]
  # Rows left out have neither; others need some curvature to divide by.
  floor = _LEAST_CURVATURE * curvature.max(initial=0)
  h = np.where(gradient != 0, np.maximum(curvature, floor), curvature)
  step = np.zeros(len(b))
  if not h.any():
    return step, 0.0
  x, old = problem.x[:, columns], b[columns, k]
  if not len(old):
    return step, -gradient.sum() / h.sum()
  target = x @ old - np.divide(gradient, h, out=np.zeros_like(h), where=h > 0)
  center, target_center = h @ x / h.sum(), h @ target / h.sum()
  root = np.sqrt(h)
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
    _, new, _ = linear_model.enet_path(
      np.asfortranarray((x - center) * root[:, None]),
      (target - target_center) * root,
      l1_ratio=problem.l1_ratio,
      alphas=[penalty / len(x)],
      coef_init=old.copy(),  # it is overwritten
      precompute=x.shape[0] > x.shape[1],
      check_input=False,
      tol=1e-5,
      max_iter=2000,
    )
  step[columns] = new[:, 0] - old
  if problem.task.kind == types.SURVIVAL:
    return step, 0.0
  # The target leaves out the intercept, so this is the intercept's change.
  return step, target_center - center @ new[:, 0]
