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
from fusion_jax.data import modality
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


def columns(cohort: cohort_lib.Cohort) -> tuple[str, ...]:
  """The record's columns as they were read, numeric ones first."""
  return (*cohort.numeric_names, *cohort.categorical_names)


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
    cohort: n studies with a record.
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
  names = columns(cohort)
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
    cells = _orders(cohort, rows, len(names), repeats, rng)
    found.append(
      sign
      * metrics.mean(
        [
          _losses(
            work, cohort, rows, fold, arm, model, metric, cells, weights
          ).reshape(len(names), repeats, -1)
          for model in fold.scores[arm]
        ]
      )
    )
  # (columns, orders, 1 + draws)
  loss = metrics.mean(found)
  entries = []
  for name, values in zip(names, loss, strict=True):
    entries.append(_entry(name, values))
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


def _orders(cohort, rows, width, repeats, rng) -> list[tuple[int, np.ndarray]]:
  """Column and donors' row numbers of every permuted test part."""
  here = np.flatnonzero(cohort.present[types.EHR][rows])
  donors = []
  for _ in range(repeats):
    order = rows.copy()
    order[here] = rows[rng.permutation(here)]
    donors.append(order)
  return [(j, order) for j in range(width) for order in donors]


def _losses(
  work, cohort, rows, fold, arm, seed, metric, cells, weights
) -> np.ndarray:
  """(cells, 1 + draws): the metric as it is, less that of the permuted part."""
  place = fold.repeat, fold.fold, seed
  image = crossed.Side(crossed.repeated(cohort, rows))

  def values(cells):
    records = [_permuted(cohort, rows, *cell) for cell in cells]
    n, copies = len(rows), len(cells)
    side = crossed.Side(_records(cohort, records))
    logits = work.logits(
      arm,
      place,
      {types.IMAGE: image, types.EHR: side},
      {
        types.IMAGE: np.tile(np.arange(n), copies),
        types.EHR: np.arange(n * copies),
      },
    )
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

  (intact,) = values([(0, rows)])
  size = max(1, _RECORDS // len(rows))
  found = []
  for start in range(0, len(cells), size):
    found += values(cells[start : start + size])
  return intact - np.array(found)


def _permuted(cohort, rows, column, donors):
  """Numeric and categorical columns of `rows`, one of them of other rows."""
  numeric, categorical = cohort.numeric[rows], cohort.categorical[rows]
  width = numeric.shape[1]
  if column < width:
    numeric[:, column] = cohort.numeric[donors, column]
  else:
    categorical[:, column - width] = cohort.categorical[donors, column - width]
  return numeric, categorical


def _records(cohort, parts) -> cohort_lib.Cohort:
  """A cohort of records alone."""
  numeric, categorical = (np.concatenate(x) for x in zip(*parts, strict=True))
  number = np.arange(len(numeric)).astype(str)
  return cohort_lib.Cohort(
    name=cohort.name,
    task=cohort.task,
    digest=cohort.digest,
    study=number,
    patient=number,
    labels=np.full((len(numeric), cohort.task.num_labels), np.nan),
    modalities={
      types.EHR: modality.Modality.of(
        table.NAME,
        modality.RECORD,
        table.Data(
          numeric,
          cohort.numeric_names,
          categorical,
          cohort.categorical_names,
        ),
      )
    },
  )


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
    output: which of the s predictions: the logit of a label or class, the value
      (regression) or log relative hazard.
  """
  h, w, _ = cohort.images.shape[2:]
  first = int(np.flatnonzero(cohort.image_mask[row])[0])
  cell = -(-max(h, w) // _CELLS)
  a, b = -(-h // cell), -(-w // cell)
  corners = [
    (cell * y, cell * x)
    for y in range(1 - _WIDE, a)
    for x in range(1 - _WIDE, b)
  ]
  record = crossed.Side(crossed.repeated(cohort, np.array([row])))
  found = []
  for place in places:
    fit = work.fitted(arm, place).fits[types.IMAGE]
    colour = np.rint(fit.low + fit.mean * (fit.high - fit.low))
    hidden = np.repeat(cohort.images[row][None], 1 + len(corners), axis=0)
    for k, (y, x) in enumerate(corners):
      y, x = (slice(max(0, i), i + _WIDE * cell) for i in (y, x))
      hidden[1 + k, first, y, x] = colour
    shown = _pictures(cohort, row, hidden)
    at = np.arange(len(shown))
    logits = work.logits(
      arm,
      place,
      {types.IMAGE: crossed.Side(shown), types.EHR: record},
      {types.IMAGE: at, types.EHR: np.zeros_like(at)},
    )
    values = _value(cohort.task, logits, output)
    found.append(values[0] - values[1:])
  change = np.mean(found, axis=0).reshape(a + _WIDE - 1, b + _WIDE - 1)
  covered = np.lib.stride_tricks.sliding_window_view(change, (_WIDE, _WIDE))
  return Map(covered.mean(axis=(2, 3)), cell, _WIDE * cell)


def _pictures(cohort, row, images) -> cohort_lib.Cohort:
  """The study `row` as often as there are `images`, each with one of them."""
  alike = crossed.repeated(cohort, np.full(len(images), row))
  data = image.Data(
    images, np.repeat(cohort.image_mask[row][None], len(images), axis=0)
  )
  shown = modality.Modality.of(image.NAME, modality.IMAGING, data)
  return alike.with_modalities({types.IMAGE: shown}, digest=alike.digest)


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
