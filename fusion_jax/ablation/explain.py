"""What a run's models look at: record columns permuted, image areas hidden.

Both ask the frozen models of the run about changed test studies (docs/
examples.md). Nothing is trained again.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.ablation import crossed, frozen
from fusion_jax.core import links, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import modality as modality_lib
from fusion_jax.data.kinds import image, table
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import metrics, resampling

# How often each column is permuted.
REPEATS = 5
# Redrawn patients: the ends of a 95% interval are then known to about a
# twentieth of its width, which is enough to rank columns by.
DRAWS = 400
# Records that are predicted at a time.
_RECORDS = 8192
# Distinguishes these permutations from other draws of a fold.
_STREAM = 11
# Patches move by a cell, of which an image has at most this many a side, and
# are two cells wide.
_CELLS, _WIDE = 16, 2


@dataclasses.dataclass(frozen=True)
class Column:
  """A column of one of the tables, as it was read.

  Attributes:
    modality: the table.
    number: of the column among its numeric ones, then its categorical ones.
    name: what reports call it.
  """

  modality: str
  number: int
  name: str


def columns(cohort: cohort_lib.Cohort) -> list[Column]:
  """The columns of all tables, of each the numeric ones first."""
  tables = cohort.of_kind(table.NAME)
  found = []
  for modality, x in tables.items():
    names = (*x.data.numeric_names, *x.data.categorical_names)
    for number, name in enumerate(names):
      shown = name if len(tables) == 1 else f'{modality}: {name}'
      found.append(Column(modality, number, shown))
  return found


def importance(
  work: crossed.Crossed,
  cohort: cohort_lib.Cohort,
  folds: Sequence[folds_lib.Fold],
  *,
  arm: str,
  metric: str,
  seed: int,
  repeats: int = REPEATS,
  draws: int = DRAWS,
) -> list[dict[str, Any]]:
  """What an arm loses if one column of the record is permuted (Breiman 2001).

  A column is permuted among the studies of a test part that have a record, as
  it was read: all that is made of it, and whether it is missing, moves along.
  All columns share the orders. Fisher, Rudin and Dominici (2019, JMLR 20(177))
  call the loss model reliance.

  Args:
    work: the models.
    cohort: n studies with tables.
    folds: its test parts, with the thresholds of their models.
    arm: one that sees the record.
    metric: what is lost.
    seed: of the orders and of the redrawn patients.
    repeats: orders of each test part.
    draws: redrawn sets of patients.

  Returns:
    By falling loss: {column, estimate, low, high, sd}, with `reason` where
    something is undefined. `estimate` is the metric as it is less the mean over
    orders (the reverse where lower is better), mean over folds; `low` and
    `high` are percentiles over redrawn patients for the same models and orders;
    `sd` is the deviation of the orders.
  """
  rows_of = {s: i for i, s in enumerate(cohort.study)}
  sign = 1 if metrics.higher_is_better(metric) else -1
  redrawn = resampling.draw(
    np.concatenate([f.patient for f in folds]), replicates=draws, seed=seed
  )
  every = columns(cohort)
  found = []
  for fold in folds:
    if arm not in fold.scores:
      continue
    rows = np.array([rows_of[s] for s in fold.study])
    weights = np.concatenate(
      [
        np.ones((len(rows), 1)),
        redrawn.counts[redrawn.rows(fold.patient)],
      ],
      axis=1,
    )
    weights = weights * fold.weight[:, None]
    rng = np.random.default_rng([seed, _STREAM, fold.repeat, fold.fold])
    cells = _orders(cohort, rows, every, repeats, rng)
    found.append(
      sign
      * metrics.mean(
        [
          _losses(
            work, cohort, rows, fold, arm, model, metric, cells, weights
          ).reshape(len(every), repeats, -1)
          for model in fold.scores[arm]
        ]
      )
    )
  # (columns, orders, 1 + draws)
  loss = metrics.mean(found)
  entries = []
  for column, values in zip(every, loss, strict=True):
    entries.append(_entry(column.name, values))
  return sorted(
    entries,
    key=lambda x: (x['estimate'] is None, -(x['estimate'] or 0), x['column']),
  )


def _entry(name, values) -> dict[str, Any]:
  """Of (orders, 1 + draws) losses."""
  mean = values.mean(axis=0)
  if np.isnan(mean[0]):
    reason = 'the metric is undefined in every test part'
    nothing = dict.fromkeys(('estimate', 'low', 'high', 'sd'))
    return {'column': name, **nothing, 'reason': reason}
  low, high = np.nanquantile(mean[1:], (0.025, 0.975))
  return {
    'column': name,
    'estimate': float(mean[0]),
    'low': float(low),
    'high': float(high),
    'sd': float(values[:, 0].std(ddof=1)) if len(values) > 1 else None,
  }


def _orders(
  cohort, rows, every, repeats, rng
) -> list[tuple[Column, np.ndarray]]:
  """Column and donors' row numbers of every permuted test part."""
  donors: dict[str, list[np.ndarray]] = {}
  for modality in dict.fromkeys(x.modality for x in every):
    here = np.flatnonzero(cohort.present[modality][rows])
    donors[modality] = []
    for _ in range(repeats):
      order = rows.copy()
      order[here] = rows[rng.permutation(here)]
      donors[modality].append(order)
  return [(x, order) for x in every for order in donors[x.modality]]


def _losses(
  work, cohort, rows, fold, arm, seed, metric, cells, weights
) -> np.ndarray:
  """(cells, 1 + draws): the metric as it is, less that of the permuted part."""
  place = fold.repeat, fold.fold, seed
  base = crossed.Side(crossed.repeated(cohort, rows))

  def values(cells):
    # All of one table: the other modalities stay as they are.
    n, copies, changed = len(rows), len(cells), cells[0][0].modality
    parts = [_permuted(cohort, rows, *x) for x in cells]
    side = _tables(cohort, changed, parts)
    sides = {m: base for m in cohort.modalities} | {changed: side}
    at = {m: np.tile(np.arange(n), copies) for m in cohort.modalities}
    at[changed] = np.arange(n * copies)
    logits = work.logits(arm, place, sides, at)
    scores = links.scores_from_logits(cohort.task, logits)
    for part in scores.reshape(copies, n, -1):
      kernel = metrics.prepare(
        cohort.task,
        fold.labels,
        part,
        (metric,),
        fold.weight,
        **fold.of_model(arm, seed),
      )
      yield kernel(weights)[0]

  (intact,) = values([(cells[0][0], rows)])
  size = max(1, _RECORDS // len(rows))
  found = []
  for modality in dict.fromkeys(x.modality for x, _ in cells):
    mine = [x for x in cells if x[0].modality == modality]
    for start in range(0, len(mine), size):
      found += values(mine[start : start + size])
  return intact - np.array(found)


def _permuted(cohort, rows, column, donors):
  """Numeric and categorical columns of `rows`, one of them of other rows."""
  shown = cohort.modalities[column.modality]
  whole = table.numeric(shown), table.categorical(shown)
  numeric, categorical = (x[rows] for x in whole)
  width = numeric.shape[1]
  if column.number < width:
    numeric[:, column.number] = whole[0][donors, column.number]
  else:
    at = column.number - width
    categorical[:, at] = whole[1][donors, at]
  return numeric, categorical


def _tables(cohort, modality, parts) -> crossed.Side:
  """Studies of a table alone, `parts` one after the other."""
  numeric, categorical = (np.concatenate(x) for x in zip(*parts, strict=True))
  shown = cohort.modalities[modality]
  data = dataclasses.replace(
    shown.data, numeric=numeric, categorical=categorical
  )
  return crossed.Side(_alone(cohort, modality, data))


def _alone(cohort, modality, data) -> cohort_lib.Cohort:
  """Studies that have one modality, and no labels."""
  shown = cohort.modalities[modality]
  made = modality_lib.Modality.of(shown.kind, shown.side, data)
  return cohort.unlabelled({modality: made})


@dataclasses.dataclass(frozen=True, eq=False)
class Map:
  """How hiding parts of an image changes a prediction.

  Attributes:
    values: (a, b) mean change in each cell: what the prediction is as it is,
      less what it is without. Positive where what is there raises it.
    cell: side of a cell in pixels.
    patch: side of what was hidden at a time.
  """

  values: np.ndarray
  cell: int
  patch: int


def occlusion(
  work: crossed.Crossed,
  cohort: cohort_lib.Cohort,
  *,
  arm: str,
  row: int,
  places: Sequence[frozen.Place],
  output: int,
  modality: str,
) -> Map:
  """Hides one area after another (Zeiler and Fergus 2014, ECCV, section 4.2).

  A square of the training mean's colour stands on the study's first image, at
  every place on a grid of cells, also half outside. A cell's value is the mean
  over the four squares that cover it, and over models.

  Args:
    work: the models.
    cohort: n studies with images.
    arm: whose prediction; 0 everywhere for one that does not see images.
    row: number of a study that has an image.
    places: its models that are asked.
    modality: the images that are hidden.
    output: which of the s predictions: the logit of a label or class, the value
      (regression) or log relative hazard.
  """
  shown = cohort.modalities[modality].take(np.array([row]))
  own = shown.given(shown.data.images)[0]
  seen = image.mask(shown)[0]
  h, w, _ = own.shape[1:]
  first = int(np.flatnonzero(seen)[0])
  cell = -(-max(h, w) // _CELLS)
  a, b = -(-h // cell), -(-w // cell)
  corners = [
    (cell * y, cell * x)
    for y in range(1 - _WIDE, a)
    for x in range(1 - _WIDE, b)
  ]
  base = crossed.Side(crossed.repeated(cohort, np.array([row])))
  count = 1 + len(corners)
  found = []
  for place in places:
    fit = work.fitted(arm, place).fits[modality]
    colour = np.rint(fit.low + fit.mean * (fit.high - fit.low))
    hidden = np.repeat(own[None], count, axis=0)
    for k, (y, x) in enumerate(corners):
      y, x = (slice(max(0, i), i + _WIDE * cell) for i in (y, x))
      hidden[1 + k, first, y, x] = colour
    data = dataclasses.replace(
      shown.data,
      images=hidden,
      mask=np.repeat(seen[None], count, axis=0),
      facts={},
    )
    sides = {m: base for m in cohort.modalities}
    sides[modality] = crossed.Side(_alone(cohort, modality, data))
    at = {m: np.zeros(count, int) for m in cohort.modalities}
    at[modality] = np.arange(count)
    logits = work.logits(arm, place, sides, at)
    values = _value(cohort.task, logits, output)
    found.append(values[0] - values[1:])
  change = np.mean(found, axis=0).reshape(a + _WIDE - 1, b + _WIDE - 1)
  covered = np.lib.stride_tricks.sliding_window_view(change, (_WIDE, _WIDE))
  return Map(covered.mean(axis=(2, 3)), cell, _WIDE * cell)


def _value(task: types.Task, logits: np.ndarray, output: int) -> np.ndarray:
  if task.kind != types.MULTICLASS:
    return logits[:, output]
  # Against all other classes, as those of one model have a constant of their
  # own for each study.
  others = np.delete(logits, output, axis=1)
  return logits[:, output] - np.logaddexp.reduce(others, axis=1)


def intervals_note(repeats: int = REPEATS, draws: int = DRAWS) -> str:
  """What `low`, `high` and `sd` of `importance` are."""
  return (
    f'Mean of {repeats} orders; intervals are percentiles over {draws} redrawn '
    'sets of patients with the same models and orders; sd is the deviation '
    'between orders.'
  )


def metric_of(task: types.Task, metric: str) -> str:
  """The run's metric, or the task's primary one if that needs survival curves.

  Curves of permuted studies are not predicted.
  """
  needs = '@' in metric or metric == 'integrated_brier'
  if task.kind == types.SURVIVAL and needs:
    return metrics.PRIMARY[task.kind]
  return metric


def models_of(
  folds: Sequence[folds_lib.Fold], arm: str
) -> Mapping[str, list[frozen.Place]]:
  """By study, the models of an arm that it was a test study of."""
  found: dict[str, list[frozen.Place]] = {}
  for fold in folds:
    for seed in fold.scores.get(arm, ()):
      for study in fold.study:
        found.setdefault(study, []).append((fold.repeat, fold.fold, seed))
  return found
