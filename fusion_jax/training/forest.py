"""Fitted decision trees as plain arrays: applied, written and read as such.

scikit-learn grows the trees (`boosting.py`). What a prediction needs of them is
a few numbers a node, which are kept here, so that a saved model holds arrays
and text and reading one can run no code.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.core import errors

# Codes of a categorical column are below this.
CODES = 256
_LEAF = -1
# Of what holds one number a node.
_KINDS = {
  'column': np.int64,
  'threshold': np.float64,
  'codes': np.int64,
  'missing_left': bool,
  'left': np.int64,
  'right': np.int64,
  'value': np.float64,
}


@dataclasses.dataclass(frozen=True, eq=False)
class Forest:
  """t trees of m nodes together that see p columns and predict s outputs.

  A node comes before its children. Rows of a numeric split go left where the
  value is at most the threshold, of a categorical one where the code is among
  those of its set; a missing value, or a code that training never saw, goes
  where the node sends missing values.

  Attributes:
    start: (s,) what the outputs are without any tree.
    roots: (t + 1,) number of each tree's first node, then m.
    output: (t,) to which output a tree adds.
    column: (m,) the column that a node splits, -1 for a leaf.
    threshold: (m,) of numeric splits.
    codes: (m,) row of `left_codes` for categorical splits, else -1.
    missing_left: (m,) bool.
    left: (m,) number of the left child.
    right: (m,) number of the right child.
    value: (m,) what a leaf adds.
    left_codes: (c, CODES) bool: codes that go left.
    known: (p, CODES) bool: by column, the codes that training saw.
  """

  start: np.ndarray
  roots: np.ndarray
  output: np.ndarray
  column: np.ndarray
  threshold: np.ndarray
  codes: np.ndarray
  missing_left: np.ndarray
  left: np.ndarray
  right: np.ndarray
  value: np.ndarray
  left_codes: np.ndarray
  known: np.ndarray

  @property
  def trees(self) -> int:
    """Number of trees."""
    return len(self.output)

  def __call__(self, x: np.ndarray) -> np.ndarray:
    """(n, s) sums over trees of (n, p) rows, NaN where missing."""
    out = np.tile(self.start, (len(x), 1))
    for output, found in self._each(x):
      # Tree after tree, as scikit-learn adds them.
      out[:, output] += found
    return out

  def staged(self, x: np.ndarray) -> Iterator[np.ndarray]:
    """The same after each round, in which every output gets one tree."""
    out = np.tile(self.start, (len(x), 1))
    for number, (output, found) in enumerate(self._each(x), 1):
      out[:, output] += found
      if number % len(self.start) == 0:
        yield out.copy()

  def _each(self, x: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The output of each tree and (n,) what it adds to it."""
    columns = np.ascontiguousarray(x.T)
    nodes = _Nodes(self, columns)
    everyone = np.arange(len(x))
    for root, output in zip(
      self.roots[:-1].tolist(), self.output.tolist(), strict=True
    ):
      found = np.empty(len(x))
      waiting = [(root, everyone)]
      while waiting:
        node, rows = waiting.pop()
        if nodes.column[node] == _LEAF:
          found[rows] = nodes.value[node]
          continue
        goes_left = nodes.goes_left(node, rows)
        for child, part in (
          (nodes.left[node], rows[goes_left]),
          (nodes.right[node], rows[~goes_left]),
        ):
          if len(part):
            waiting.append((child, part))
      yield output, found

  def to_arrays(self) -> dict[str, np.ndarray]:
    """Numbers alone, by name."""
    return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}

  @classmethod
  def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> 'Forest':
    """Reads what `to_arrays` gave.

    Raises:
      UserError: if these are no trees.
    """
    try:
      found = cls(**{f.name: arrays[f.name] for f in dataclasses.fields(cls)})
      sound = found._sound()
    except (KeyError, IndexError, TypeError, ValueError):
      sound = False
    if not sound:
      raise errors.UserError('The saved trees are damaged.')
    return found

  def _sound(self) -> bool:
    """Whether following the nodes ends, and in a leaf."""
    nodes = len(self.column)
    split = self.column != _LEAF
    number = np.arange(nodes)
    ends = np.repeat(self.roots[1:], np.diff(self.roots))
    chosen = self.codes[split]
    arrays = [getattr(self, name) for name in _KINDS]
    return bool(
      all(x.shape == (nodes,) for x in (*arrays, ends))
      and self.roots.shape == (self.trees + 1,)
      and self.left_codes.shape[1:] == self.known.shape[1:] == (CODES,)
      and (np.diff(self.roots) > 0).all()
      and self.roots[0] == 0
      and np.isin(self.output, np.arange(len(self.start))).all()
      and np.isin(self.column[split], np.arange(len(self.known))).all()
      and np.isin(chosen, np.arange(-1, len(self.left_codes))).all()
      and all(
        ((child > number) & (child < ends))[split].all()
        for child in (self.left, self.right)
      )
    )


class _Nodes:
  """The nodes of a forest and the columns of some rows, quick to ask."""

  def __init__(self, forest: Forest, columns: np.ndarray):
    self.column = forest.column.tolist()
    self.left = forest.left.tolist()
    self.right = forest.right.tolist()
    self.value = forest.value.tolist()
    self._threshold = forest.threshold.tolist()
    self._codes = forest.codes.tolist()
    self._missing_left = forest.missing_left.tolist()
    self._left_codes = forest.left_codes
    self._columns = columns
    self._missing = np.isnan(columns)
    self._any_missing = self._missing.any(axis=1).tolist()
    # By categorical column, the code of each row, and where it has none.
    self._coded: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    self._known = forest.known

  def goes_left(self, node: int, rows: np.ndarray) -> np.ndarray:
    """Which of `rows` a split sends to its left child."""
    column = self.column[node]
    if self._codes[node] >= 0:
      code, unknown = self._of_column(column)
      found = self._left_codes[self._codes[node]][code[rows]]
      found[unknown[rows]] = self._missing_left[node]
      return found
    found = self._columns[column][rows] <= self._threshold[node]
    if self._missing_left[node] and self._any_missing[column]:
      found |= self._missing[column][rows]
    return found

  def _of_column(self, column: int) -> tuple[np.ndarray, np.ndarray]:
    if column not in self._coded:
      values = self._columns[column]
      legal = (values >= 0) & (values < CODES) & (values == np.floor(values))
      code = np.where(legal, values, 0).astype(np.int64)
      self._coded[column] = code, ~(legal & self._known[column][code])
    return self._coded[column]


def of_scikit(
  models: Sequence[Any], *, columns: int, start: np.ndarray | None = None
) -> Forest:
  """The trees of fitted histogram gradient boosting, as they predict.

  Args:
    models: scikit-learn HistGradientBoosting models whose raw predictions are
      added.
    columns: number p of columns they were fitted on.
    start: (s,) what the outputs are without any model; None for what the one
      model starts with.
  """
  given = start is not None
  if not given:
    (model,) = models
    start = np.ravel(model._baseline_prediction).astype(np.float64)
  known = np.zeros((columns, CODES), bool)
  parts: list[dict[str, np.ndarray]] = []
  output: list[int] = []
  sets = [np.zeros((0, CODES), bool)]
  size = codes = 0
  for model in models:
    order, categories = _columns(model, columns)
    for column, values in categories.items():
      known[column, values] = True
    # The sum over models holds what each of them starts with.
    first = np.ravel(model._baseline_prediction) * float(given)
    for place, tree in (
      x for trees in model._predictors for x in enumerate(trees)
    ):
      part, left_codes = _tree(tree, order, categories)
      leaf = part['column'] == _LEAF
      part['value'] = np.where(leaf, first[place] + part['value'], 0.0)
      first[place] = 0.0
      part['left'] += size
      part['right'] += size
      part['codes'] = np.where(part['codes'] < 0, -1, part['codes'] + codes)
      parts.append(part)
      sets.append(left_codes)
      output.append(place)
      size += len(leaf)
      codes += len(left_codes)
  return Forest(
    start=start,
    roots=np.cumsum([0, *(len(x['column']) for x in parts)]),
    output=np.array(output, np.int64),
    left_codes=np.concatenate(sets),
    known=known,
    **{
      name: np.concatenate([np.zeros(0, kind), *(x[name] for x in parts)])
      for name, kind in _KINDS.items()
    },
  )


def _columns(model, columns) -> tuple[np.ndarray, dict[int, np.ndarray]]:
  """The model's columns as they were given, and the codes of categorical ones.

  scikit-learn puts categorical columns first and numbers their codes from 0.
  """
  if model.is_categorical_ is None:
    return np.arange(columns), {}
  kinds = np.asarray(model.is_categorical_)
  order = np.concatenate([np.flatnonzero(kinds), np.flatnonzero(~kinds)])
  encoder = model._preprocessor.named_transformers_['encoder']
  return order, {
    int(column): values[~np.isnan(values)].astype(np.int64)
    for column, values in zip(order, encoder.categories_, strict=False)
  }


def _tree(tree, order, categories) -> tuple[dict[str, np.ndarray], np.ndarray]:
  """Nodes of one tree, numbered from 0, and its sets of codes."""
  nodes = tree.nodes
  leaf = nodes['is_leaf'].astype(bool)
  column = np.where(leaf, _LEAF, order[nodes['feature_idx']])
  categorical = nodes['is_categorical'].astype(bool) & ~leaf
  left_codes = np.zeros((len(tree.raw_left_cat_bitsets), CODES), bool)
  for node in np.flatnonzero(categorical):
    row = nodes['bitset_idx'][node]
    bits = np.unpackbits(
      tree.raw_left_cat_bitsets[row].astype('<u4').view(np.uint8),
      bitorder='little',
    ).astype(bool)
    values = categories[int(column[node])]
    left_codes[row, values[bits[: len(values)]]] = True
  return {
    'column': column,
    'threshold': np.where(leaf, 0.0, nodes['num_threshold']),
    'codes': np.where(categorical, nodes['bitset_idx'].astype(np.int64), -1),
    'missing_left': nodes['missing_go_to_left'].astype(bool),
    'left': nodes['left'].astype(np.int64),
    'right': nodes['right'].astype(np.int64),
    'value': nodes['value'].astype(np.float64),
  }, left_codes
