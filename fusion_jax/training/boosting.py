"""Boosted trees whose number of rounds is chosen on given validation rows.

Training and validation come as (x (n, p), labels (n, l), weight (n,)), all
labels known. `options` go to scikit-learn's histogram gradient boosting.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from scipy import special
from sklearn import ensemble

from fusion_jax.core import errors, links, types
from fusion_jax.training import forest as forest_lib

MAX_ROUNDS = 500
MAX_BINS = 255
# Rounds in a row without a better validation loss before boosting stops.
PATIENCE = 20
# Leaves hold at least this many studies, fewer in small cohorts.
_LEAF_STUDIES = 20

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Bins:
  """Columns cut at their training percentiles, as scikit-learn cuts them.

  scikit-learn would cut them at every fit, and slowly where there are weights;
  here the cuts ignore weights and are made once.

  Attributes:
    edges: by column, its upper edges, or None for a column left as it is.
    empty: numbers of the columns without a value in training, which become
      constant: there is nothing to cut, and nothing to learn from.
  """

  edges: tuple[np.ndarray | None, ...]
  empty: tuple[int, ...] = ()

  @classmethod
  def fit(cls, x: np.ndarray, is_categorical: np.ndarray) -> 'Bins':
    """Bins for the columns of x (n, p) with more than MAX_BINS values."""
    edges, empty = [], []
    for j, (column, codes) in enumerate(zip(x.T, is_categorical, strict=True)):
      column = column[~np.isnan(column)]
      if not len(column):
        empty.append(j)
      cut = None
      if not codes and len(np.unique(column)) > MAX_BINS:
        shares = np.linspace(0, 100, MAX_BINS + 1)[1:-1]
        cut = np.unique(
          np.percentile(column, shares, method='averaged_inverted_cdf')
        )
      edges.append(cut)
    return cls(tuple(edges), tuple(empty))

  def __call__(self, x: np.ndarray) -> np.ndarray:
    out = x.copy()
    for j, edges in enumerate(self.edges):
      if edges is not None:
        bins = np.searchsorted(edges, x[:, j])
        out[:, j] = np.where(np.isnan(x[:, j]), np.nan, bins)
    out[:, list(self.empty)] = 0
    return out

  def to_arrays(self) -> dict[str, np.ndarray]:
    """Numbers alone, by name."""
    cut = {f'edges/{j}': e for j, e in enumerate(self.edges) if e is not None}
    return {
      'columns': np.array(len(self.edges)),
      'empty': np.array(self.empty, np.int64),
      **cut,
    }

  @classmethod
  def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> 'Bins':
    """Reads what `to_arrays` gave."""
    columns = range(int(arrays['columns']))
    return cls(
      tuple(arrays.get(f'edges/{j}') for j in columns),
      tuple(arrays['empty'].tolist()),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Histogram:
  """Binary, multiclass or regression trees.

  Attributes:
    task: what is predicted.
    bins: of the columns.
    constant: (s,) logits of the constant prediction.
    classes: codes of the classes that training holds; multiclass only.
    forest: the trees, None where no round helped.
    rounds: boosting rounds in use.
  """

  task: types.Task
  bins: Bins
  constant: np.ndarray
  classes: np.ndarray
  forest: forest_lib.Forest | None
  rounds: int

  KIND: ClassVar[str] = 'histogram'

  @property
  def trees(self) -> int:
    """Number of trees."""
    return self.forest.trees if self.forest else 0

  @classmethod
  def fit(
    cls,
    task: types.Task,
    train: Rows,
    valid: Rows,
    options: Mapping[str, Any],
  ) -> 'Histogram':
    """Boosts until validation says enough, then keeps the best rounds.

    Raises:
      UserError: if no class of the validation rows occurs in training.
    """
    losses = cls.losses(task, train, valid, options)
    return cls.grown(task, train, options, int(np.argmin(losses)))

  @staticmethod
  def losses(
    task: types.Task, train: Rows, valid: Rows, options: Mapping[str, Any]
  ) -> np.ndarray:
    """(rounds + 1,) validation loss after 0, 1, ... rounds.

    It ends where PATIENCE rounds brought no better one.

    Raises:
      UserError: if no class of the validation rows occurs in training.
    """
    x, y, weight = train
    x_valid, y_valid, weight_valid = valid
    bins = Bins.fit(x, options['categorical_features'])
    x, x_valid = bins(x), bins(x_valid)
    if task.kind == types.MULTICLASS:
      # A class that training never saw cannot say when to stop.
      seen = np.isin(y_valid[:, 0], y[:, 0])
      if not seen.any():
        raise errors.UserError(
          'No class of the validation part occurs in the training part.'
        )
      x_valid, y_valid = x_valid[seen], y_valid[seen]
      weight_valid = weight_valid[seen]
    model = _create(
      task,
      len(x),
      options,
      max_iter=MAX_ROUNDS,
      early_stopping=True,
      n_iter_no_change=PATIENCE,
      tol=0.0,
    ).fit(
      x,
      y[:, 0],
      sample_weight=weight,
      X_val=x_valid,
      y_val=y_valid[:, 0],
      sample_weight_val=weight_valid,
    )
    return -model.validation_score_

  @classmethod
  def grown(
    cls,
    task: types.Task,
    train: Rows,
    options: Mapping[str, Any],
    rounds: int,
  ) -> 'Histogram':
    """Boosts a given number of rounds."""
    x, y, weight = train
    bins = Bins.fit(x, options['categorical_features'])
    classes = np.zeros(0, np.int64)
    if task.kind == types.MULTICLASS:
      classes = np.unique(y[:, 0]).astype(np.int64)
    forest = None
    if rounds:
      model = _create(
        task, len(x), options, max_iter=rounds, early_stopping=False
      ).fit(bins(x), y[:, 0], sample_weight=weight)
      forest = forest_lib.of_scikit([model], columns=x.shape[1])
    constant = links.constant_logits(task, y, weight)
    return cls(task, bins, constant, classes, forest, rounds)

  @classmethod
  def unfitted(cls, task: types.Task, labels, weight) -> 'Histogram':
    """The constant prediction, where there is nothing to learn from."""
    constant = links.constant_logits(task, labels, weight)
    return cls(task, Bins(()), constant, np.zeros(0, np.int64), None, 0)

  def logits(self, x: np.ndarray) -> np.ndarray:
    """(n, s) logits of (n, p) rows; multiclass are log probabilities."""
    out = np.tile(self.constant, (len(x), 1))
    if self.forest is None:
      return out
    return self._of_raw(self.forest(self.bins(x)))

  def _of_raw(self, raw: np.ndarray) -> np.ndarray:
    """(n, s) logits of (n, k) sums over trees."""
    if self.task.kind != types.MULTICLASS:
      return raw
    if len(self.classes) == 2:
      raw = np.concatenate([np.zeros((len(raw), 1)), raw], axis=1)
    out = np.tile(self.constant, (len(raw), 1))
    # Classes that training never saw keep their smoothed share, the others
    # divide the rest.
    rest = special.logsumexp(self.constant[self.classes])
    out[:, self.classes] = special.log_softmax(raw, axis=1) + rest
    return out

  def staged(self, x: np.ndarray) -> Iterator[np.ndarray]:
    """(n, s) logits of (n, p) rows after 0, 1, ... rounds."""
    yield np.tile(self.constant, (len(x), 1))
    if self.forest is not None:
      yield from map(self._of_raw, self.forest.staged(self.bins(x)))

  def to_arrays(self) -> dict[str, np.ndarray]:
    """Numbers alone, by name; the task is not among them."""
    found = {
      'constant': self.constant,
      'classes': self.classes,
      'rounds': np.array(self.rounds),
      **_put('bins', self.bins.to_arrays()),
    }
    if self.forest:
      found |= _put('forest', self.forest.to_arrays())
    return found

  @classmethod
  def from_arrays(
    cls, task: types.Task, arrays: Mapping[str, np.ndarray]
  ) -> 'Histogram':
    """Reads what `to_arrays` gave, of a model of `task`.

    Raises:
      UserError: if the trees are damaged.
    """
    forest = _take('forest', arrays)
    return cls(
      task,
      Bins.from_arrays(_take('bins', arrays)),
      arrays['constant'],
      arrays['classes'],
      forest_lib.Forest.from_arrays(forest) if forest else None,
      int(arrays['rounds']),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Cox:
  """Trees boosted on the Cox partial likelihood (ties by Breslow's method).

  Each round is one regression tree on the Newton step -gradient / curvature
  with the curvature as weights, so that a leaf's value is the sum of its
  gradients over the sum of its curvatures plus l2 (Chen and Guestrin 2016,
  XGBoost, equation 5, with Ridgeway's 1999 loss).

  Attributes:
    bins: of the columns.
    forest: one tree per round in use, less the mean log hazard in training.
  """

  bins: Bins
  forest: forest_lib.Forest

  KIND: ClassVar[str] = 'cox'

  @property
  def rounds(self) -> int:
    """Number of boosting rounds."""
    return self.forest.trees

  @property
  def trees(self) -> int:
    """Number of trees."""
    return self.forest.trees

  @classmethod
  def fit(
    cls,
    task: types.Task,
    train: Rows,
    valid: Rows,
    options: Mapping[str, Any],
  ) -> 'Cox':
    """Boosts until validation says enough, then keeps the best rounds."""
    losses = cls.losses(task, train, valid, options)
    return cls.grown(task, train, options, int(np.argmin(losses)))

  @staticmethod
  def losses(
    task: types.Task, train: Rows, valid: Rows, options: Mapping[str, Any]
  ) -> np.ndarray:
    """(rounds + 1,) validation loss after 0, 1, ... rounds.

    It ends where PATIENCE rounds brought no better one.
    """
    x_valid, y_valid, weight_valid = valid
    bins = Bins.fit(train[0], options['categorical_features'])
    x_valid = bins(x_valid)
    logits = np.zeros((len(x_valid), 1))
    found = [links.mean_loss(task, logits, y_valid, weight_valid)]
    for model, _ in _cox_rounds(task, train, options, bins):
      logits[:, 0] += model.predict(x_valid)
      found.append(links.mean_loss(task, logits, y_valid, weight_valid))
      if len(found) - 1 - int(np.argmin(found)) >= PATIENCE:
        break
    return np.array(found)

  @classmethod
  def grown(
    cls,
    task: types.Task,
    train: Rows,
    options: Mapping[str, Any],
    rounds: int,
  ) -> 'Cox':
    """Boosts a given number of rounds."""
    x = train[0]
    bins = Bins.fit(x, options['categorical_features'])
    models, center = [], 0.0
    boosted = _cox_rounds(task, train, options, bins)
    for model, mean in itertools.islice(boosted, rounds):
      models.append(model)
      center = mean
    return cls(
      bins,
      forest_lib.of_scikit(
        models, columns=x.shape[1], start=np.array([-center])
      ),
    )

  def staged(self, x: np.ndarray) -> Iterator[np.ndarray]:
    """(n, 1) log relative hazards after 0, 1, ... rounds.

    All are centred as the last one is, which changes no partial likelihood.
    """
    yield np.tile(self.forest.start, (len(x), 1))
    yield from self.forest.staged(self.bins(x))

  def logits(self, x: np.ndarray) -> np.ndarray:
    """(n, 1) log relative hazards of (n, p) rows."""
    return self.forest(self.bins(x))

  def to_arrays(self) -> dict[str, np.ndarray]:
    """Numbers alone, by name."""
    return {
      **_put('bins', self.bins.to_arrays()),
      **_put('forest', self.forest.to_arrays()),
    }

  @classmethod
  def from_arrays(
    cls, task: types.Task, arrays: Mapping[str, np.ndarray]
  ) -> 'Cox':
    """Reads what `to_arrays` gave.

    Raises:
      UserError: if the trees are damaged.
    """
    del task
    return cls(
      Bins.from_arrays(_take('bins', arrays)),
      forest_lib.Forest.from_arrays(_take('forest', arrays)),
    )


# By name, what can be read.
KINDS = {x.KIND: x for x in (Histogram, Cox)}


def _put(room: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  return {f'{room}/{name}': x for name, x in arrays.items()}


def _take(room: str, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """What was put into a room."""
  start = f'{room}/'
  return {
    k.removeprefix(start): x for k, x in arrays.items() if k.startswith(start)
  }


def kind_of(task: types.Task) -> type[Histogram] | type[Cox]:
  """The class that boosts trees for a task."""
  return Cox if task.kind == types.SURVIVAL else Histogram


def _cox_rounds(task, train, options, bins) -> Iterator[tuple[Any, float]]:
  """The tree of each round, and the mean log hazard in training after it."""
  x, y, weight = train
  x = bins(x)
  events = float(weight @ y[:, 1])
  logits = np.zeros((len(x), 1))
  seed = int(options['random_state'])
  for number in range(MAX_ROUNDS):
    gradient, curvature = links.derivatives(task, logits, y, weight)
    # Per study instead of per event, as the l2 of the other tasks means it.
    gradient, curvature = events * gradient[:, 0], events * curvature[:, 0]
    step = np.zeros_like(gradient)
    np.divide(-gradient, curvature, out=step, where=curvature > 0)
    # Each round draws other columns.
    rng = np.random.default_rng([seed, number])
    own = {**options, 'random_state': int(rng.integers(2**31))}
    model = _create(task, len(x), own, max_iter=1, early_stopping=False)
    model.fit(x, step, sample_weight=curvature)
    logits[:, 0] += model.predict(x)
    yield model, float(np.average(logits[:, 0], weights=weight))


def _create(task, studies, options, **more):
  if task.kind in (types.BINARY, types.MULTICLASS):
    create = ensemble.HistGradientBoostingClassifier
  else:
    create = ensemble.HistGradientBoostingRegressor
  leaf = min(_LEAF_STUDIES, max(2, studies // 10))
  return create(min_samples_leaf=leaf, **options, **more)
