"""Boosted trees on the modalities' predictions.

Stacking (Wolpert 1992, "Stacked generalization", Neural Networks 5(2)) whose
meta-model is gradient boosting (Friedman 2001, "Greedy function approximation:
a gradient boosting machine", Annals of Statistics 29(5)) with second-order
leaves (Chen and Guestrin 2016, "XGBoost: a scalable tree boosting system",
KDD, equations 5 to 7), so that one loss serves every task. It sees what `stack`
sees, every modality's logits (0 where absent) and presence, and is fitted on
the validation predictions; the number of rounds is the one with the lowest loss
in a cross-validation of them, 0 being the constant prediction.

What differs from XGBoost: cuts are between distinct values, at most CUTS of
them by quantiles; rows, columns and leaves are not drawn or pruned.
"""

import dataclasses
from typing import Any

import numpy as np

from fusion_jax.core import links, types
from fusion_jax.fusion import checks, evidence, late

# Without a cross-validation.
_ROUNDS = 30
# Candidates of a split in each column.
CUTS = 32
# Studies that a leaf needs, and the penalty on its squared value, in studies.
LEAST = 10
RIDGE = 1.0

# [column, cut, left, right], or the value of a leaf.
Tree = Any


@dataclasses.dataclass(frozen=True)
class Binned:
  """Columns cut into pieces.

  Attributes:
    cuts: of each column, values between neighbouring pieces.
    codes: (n, p) pieces of the studies; what is up to cut k has a code up to k.
  """

  cuts: tuple[np.ndarray, ...]
  codes: np.ndarray

  @classmethod
  def of(cls, x: np.ndarray) -> 'Binned':
    """Of (n, p) columns."""
    cuts = tuple(_cuts(column) for column in x.T)
    codes = [np.searchsorted(c, v) for c, v in zip(cuts, x.T, strict=True)]
    return cls(cuts, np.stack(codes, axis=1))


def _cuts(column) -> np.ndarray:
  """Halfway between distinct values; of many, those nearest to quantiles."""
  values = np.unique(column)
  if len(values) > CUTS + 1:
    at = np.linspace(0, 1, CUTS + 1)
    values = np.unique(np.quantile(values, at, method='nearest'))
  return (values[1:] + values[:-1]) / 2


def grow(
  x: Binned,
  slope: np.ndarray,
  curvature: np.ndarray,
  *,
  depth: int,
  least: int = LEAST,
  ridge: float = RIDGE,
) -> Tree:
  """The tree of least second-order loss, one split after the other.

  Args:
    x: columns of n studies.
    slope: (n,) gradient of each study's loss in its logit.
    curvature: (n,) its second derivative.
    depth: splits from the root to a leaf, at most.
    least: studies that a leaf has at least.
    ridge: added to the curvature of a leaf.
  """
  total, bend = slope.sum(), curvature.sum()
  best, chosen = 1e-12, None
  if depth and len(slope) >= 2 * least:
    for p, cuts in enumerate(x.cuts):
      if not len(cuts):
        continue
      g, h, count = (
        np.bincount(x.codes[:, p], w, minlength=len(cuts) + 1)[:-1].cumsum()
        for w in (slope, curvature, None)
      )
      enough = np.minimum(count, len(slope) - count) >= least
      if not enough.any():
        continue
      at, g, h = np.flatnonzero(enough), g[enough], h[enough]
      gain = g**2 / (h + ridge) + (total - g) ** 2 / (bend - h + ridge)
      gain -= total**2 / (bend + ridge)
      k = int(gain.argmax())
      # Equal gains that differ by rounding go to the first.
      if gain[k] > best * (1 + 1e-9):
        best, chosen = gain[k], (p, int(at[k]))
  if chosen is None:
    return float(-total / (bend + ridge))
  p, k = chosen
  left = x.codes[:, p] <= k
  sides = (
    grow(
      dataclasses.replace(x, codes=x.codes[rows]),
      slope[rows],
      curvature[rows],
      depth=depth - 1,
      least=least,
      ridge=ridge,
    )
    for rows in (left, ~left)
  )
  return [p, float(x.cuts[p][k]), *sides]


def leaves(tree: Tree, x: np.ndarray) -> np.ndarray:
  """(n,) values of the leaves that (n, p) rows come to."""
  if not isinstance(tree, list):
    return np.full(len(x), float(tree))
  p, cut, low, high = tree
  return np.where(x[:, p] <= cut, leaves(low, x), leaves(high, x))


def columns(task, values, here) -> np.ndarray:
  """(n, m s + m) logits, 0 where absent, then presence."""
  if task.kind == types.MULTICLASS:
    # Logits up to a constant per row: take the constant out.
    values = values - values.mean(axis=2, keepdims=True)
  each = np.where(here[:, :, None], values, 0.0)
  return np.concatenate([*each, here.T.astype(np.float64)], axis=1)


@dataclasses.dataclass(frozen=True)
class StackTrees(late.Rule):
  """Estimates trees, a round of one for each output.

  Attributes:
    depth: of each tree.
    rounds: of boosting, at most.
    rate: by which each tree's values are multiplied.
  """

  depth: int
  rounds: int
  rate: float

  interactions = True
  folds = True

  def fit(self, given):
    rows = links.known(given.task, given.labels).any(axis=1)
    rows &= (given.weight > 0) & given.here.any(axis=0)
    x = columns(given.task, given.values, given.here)[rows]
    labels, weight = given.labels[rows], given.weight[rows]
    fold = None if given.fold is None else given.fold[rows]
    rounds = self._rounds(given, x, labels, weight, fold)
    trees = self._boosted(given, x, labels, weight, rounds)
    return {'trees': trees, 'unit': _unit(given.task, labels, weight)}

  def _boosted(self, given, x, labels, weight, rounds) -> list[list[Tree]]:
    """Rounds of a tree for each output."""
    task, unit = given.task, _unit(given.task, labels, weight)
    logits = np.tile(given.constant, (len(x), 1))
    found: list[list[Tree]] = []
    if not len(x):
      return found
    binned = Binned.of(x)
    for _ in range(rounds):
      slope, curvature = links.derivatives(task, logits, labels, weight)
      # As sums over studies of weight one, of labels of one unit.
      slope, curvature = len(x) * slope / unit, len(x) * curvature
      trees = [
        grow(binned, slope[:, k], curvature[:, k], depth=self.depth)
        for k in range(logits.shape[1])
      ]
      found.append(trees)
      logits = logits + self._step(trees, x, unit)
    return found

  def _step(self, trees, x, unit):
    return self.rate * unit * np.stack([leaves(t, x) for t in trees], axis=1)

  def _rounds(self, given, x, labels, weight, fold) -> int:
    """The number with the lowest loss over all folds; of equals the fewest."""
    if fold is None:
      return min(self.rounds, _ROUNDS)
    total = np.zeros(self.rounds + 1)
    for number in np.unique(fold):
      kept, held = fold != number, fold == number
      trees = self._boosted(
        given, x[kept], labels[kept], weight[kept], self.rounds
      )
      unit = _unit(given.task, labels[kept], weight[kept])
      logits = np.tile(given.constant, (held.sum(), 1))
      for k in range(self.rounds + 1):
        if k and k <= len(trees):
          logits = logits + self._step(trees[k - 1], x[held], unit)
        loss = links.mean_loss(given.task, logits, labels[held], weight[held])
        if np.isfinite(loss):  # Without an event there is none.
          total[k] += weight[held].sum() * loss
    return int(total.argmin())

  def fuse(self, fitted, values, here):
    x = columns(fitted.task, values, here)
    logits = np.tile(fitted.constant, (len(x), 1))
    for trees in fitted.state['trees']:
      logits = logits + self._step(trees, x, fitted.state['unit'])
    return logits


def _unit(task, labels, weight) -> float:
  """The spread of a regression's labels; otherwise 1."""
  if task.kind != types.REGRESSION or not len(labels):
    return 1.0
  return float(evidence.moments(labels, weight)[1])


@late.RULES.register(
  'stack_trees', summary='boosted trees on logits and presence'
)
def stack_trees(
  *, depth: int = 2, rounds: int = 60, rate: float = 0.1
) -> StackTrees:
  """Learns that a modality counts only where the other one says so."""
  checks.at_least_one('stack_trees', depth=depth, rounds=rounds)
  return StackTrees(depth, rounds, rate)
