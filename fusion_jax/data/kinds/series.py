"""Series: irregular measurements and codes before the time of prediction.

Rows are kept end to end, without a grid. Models get the last rows of a study;
learners of tables get, of each code, its last, mean, smallest and largest
value, its slope, its number of rows and the hours since the last one.
"""

import dataclasses
from typing import ClassVar

import numpy as np

from fusion_jax.core import errors
from fusion_jax.data import kind, ragged
from fusion_jax.data import modality as modality_lib
from fusion_jax.data.kinds import table

NAME = 'series'
PAD, OTHER, FIRST_CODE = 0, 1, 2
# Standardised values are held within this many standard deviations.
CLIP = 5.0
# Values outside these quantiles of training do not count for mean and spread.
_TAIL = 0.005
_BY_ROW = ('time', 'code', 'value')
# What is made of each code, in this order.
STATISTICS = ('last', 'mean', 'min', 'max', 'slope', 'count', 'hours since')
# Rows a study that models are given, where a descriptor does not say.
LENGTH = 256


@dataclasses.dataclass(frozen=True, eq=False)
class Data(modality_lib.Data):
  """t rows of N studies, each study's side by side and in order of time.

  Attributes:
    start: (N,) int, a study's first row.
    stop: (N,) int, the row after its last.
    time: (t,) float32 hours before the prediction, negative.
    code: (t,) int32 places in `codes`.
    value: (t,) float32, NaN where a row is a mere event.
    codes: names of what was measured or noted.
    length: most rows of a study that models are given, the last ones.
  """

  ragged: ClassVar[bool] = True

  start: np.ndarray = modality_lib.by_study()
  stop: np.ndarray = modality_lib.by_study()
  time: np.ndarray
  code: np.ndarray
  value: np.ndarray
  codes: tuple[str, ...]
  length: int = LENGTH

  @property
  def present(self) -> np.ndarray:
    """(N,) bool: whether there is any row."""
    return self.stop > self.start

  def check(self, name: str, n: int) -> None:
    """Likewise; and that no row is at or after the prediction."""
    super().check(name, n)
    if not len(self.time) == len(self.code) == len(self.value):
      raise errors.UserError(
        f"Modality '{name}': {len(self.time)} times, {len(self.code)} codes "
        f'and {len(self.value)} values.'
      )
    late = np.flatnonzero(~(self.time < 0))
    if len(late):
      raise errors.UserError(
        f"Modality '{name}': {len(late)} rows are at or after the time of the "
        f'prediction (row {late[0]}).'
      )

  def study(self, row: int) -> dict[str, np.ndarray]:
    """By name, (k,) arrays of a study's k rows."""
    at = slice(int(self.start[row]), int(self.stop[row]))
    return {name: getattr(self, name)[at] for name in _BY_ROW}

  def shared(self):
    """What holds for all studies."""
    return {'codes': self.codes, 'length': self.length}

  @classmethod
  def of_studies(cls, studies, shared) -> 'Data':
    """See `modality.Data.of_studies`."""
    count = [len(x) for x in studies[_BY_ROW[0]]]
    stop = np.cumsum(count, dtype=np.int64)
    flat = {name: np.concatenate([*x]) for name, x in studies.items()}
    return cls(start=stop - count, stop=stop, **flat, **shared)

  @classmethod
  def of_rows(
    cls,
    study: np.ndarray,
    time: np.ndarray,
    code: np.ndarray,
    value: np.ndarray,
    *,
    n: int,
    codes: tuple[str, ...],
    length: int = LENGTH,
  ) -> 'Data':
    """Data of rows in any order; `study` (t,) are numbers below n."""
    # Ties in time keep no order of the file: code, then value.
    order = np.lexsort((value, code, time, study))
    study = study[order]
    start = np.searchsorted(study, np.arange(n))
    stop = np.searchsorted(study, np.arange(n), side='right')
    return cls(
      start=start,
      stop=stop,
      time=np.asarray(time, np.float32)[order],
      code=np.asarray(code, np.int32)[order],
      value=np.asarray(value, np.float32)[order],
      codes=codes,
      length=length,
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
  """What is learnt from the training part.

  Attributes:
    codes: (q,) those that models know, the most frequent first.
    mean: (q,) float32 of a code's training values; 0 without.
    std: (q,) float32, 1 where nothing varies.
    num_codes: codes that an encoder can be given, PAD and OTHER included;
      fixed, so that shapes never depend on data.
  """

  codes: tuple[str, ...]
  mean: np.ndarray
  std: np.ndarray
  num_codes: int


class Series(kind.Kind):
  """Codes by number, values standardised by code."""

  name = NAME
  side = modality_lib.RECORD
  data = Data
  fitted = Fitted
  marks_absence = True
  reduction = table.Fitted

  def fit(self, modality, rows, config) -> Fitted:
    data = modality.data
    at, _ = _rows_of(modality, rows)
    counts = np.bincount(data.code[at], minlength=len(data.codes))
    # Most frequent first, ties by name, so that the order of rows is nothing.
    names = np.array(data.codes, np.str_)
    order = np.lexsort((names, -counts))
    known = order[counts[order] > 0][: config.series_codes]
    mean, std = np.zeros(len(known)), np.ones(len(known))
    for k, code in enumerate(known):
      x = data.value[at[data.code[at] == code]].astype(np.float64)
      x = x[np.isfinite(x)]
      if len(x):
        x = np.clip(x, *np.quantile(x, (_TAIL, 1 - _TAIL)))
        mean[k] = x.mean()
        std[k] = x.std() if x.std() > 1e-6 * (1 + abs(mean[k])) else 1.0
    return Fitted(
      codes=tuple(data.codes[k] for k in known),
      mean=mean.astype(np.float32),
      std=std.astype(np.float32),
      num_codes=FIRST_CODE + config.series_codes,
    )

  def derived(self, fitted, data):
    """'rows': ragged time in days, code, value and valued.

    time (t,) float32 days before the prediction, negative; code (t,) int32;
    value (t,) float32 standardised by code, 0 where there is none; valued (t,)
    float32 0 or 1.
    """
    code, x = _coded(fitted, data)
    valued = np.isfinite(x)
    flat = {
      'time': data.time / np.float32(24.0),
      'code': code,
      'value': np.where(valued, np.clip(x, -CLIP, CLIP), 0).astype(np.float32),
      'valued': valued.astype(np.float32),
    }
    if not len(code):  # An empty array has no row to stand for padding.
      flat = {k: np.zeros(1, v.dtype) for k, v in flat.items()}
    return {'rows': ragged.Ragged(flat, data.start, data.stop, data.length)}

  def inputs(self, constants, values):
    """The padded rows of b studies, (b, length) each, and 'mask'."""
    del constants
    return dict(values['rows'])

  def given(self, fitted):
    """`num_codes`: numbers that a code can be."""
    return {'num_codes': fitted.num_codes}

  def fit_reduction(self, modality, rows, config):
    """Scaling of the columns that STATISTICS make of each code."""
    known = self.fit(modality, rows, config).codes
    made = _tabulated(known, modality)
    return table.Table().fit(made, rows, config)

  def columns(self, fitted, reduction, modality, learner) -> kind.Columns:
    """STATISTICS of each known code, as a table's columns."""
    made = _tabulated(fitted.codes, modality)
    return table.Table().columns(reduction, None, made, learner)

  def noise(self, modality, rows, pool, rng) -> Data:
    """As many rows as before, their times, codes and values drawn apart.

    Values are drawn from those of their code, so that only the study's own
    course is lost.
    """
    data = modality.data
    source, _ = _rows_of(modality, pool)
    at, study = _rows_of(modality, rows)
    if not len(source):
      source = at
    code = data.code[rng.choice(source, len(at))] if len(at) else data.code[:0]
    time = data.time[rng.choice(source, len(at))] if len(at) else data.time[:0]
    value = np.full(len(at), np.nan, np.float32)
    for k in np.unique(code):
      mine = code == k
      values = data.value[source[data.code[source] == k]]
      value[mine] = rng.choice(values, int(mine.sum()))
    return Data.of_rows(
      study,
      time,
      code,
      value,
      n=len(rows),
      codes=data.codes,
      length=data.length,
    )

  def joined(self, parts) -> Data:
    """See `Kind.joined`; rows are moved up by those of the data before."""
    before = np.cumsum([0, *(len(x.time) for x in parts)])
    moved = [
      dataclasses.replace(x, start=x.start + before[k], stop=x.stop + before[k])
      for k, x in enumerate(parts)
    ]
    return dataclasses.replace(
      super().joined(moved),
      **{
        name: np.concatenate([getattr(x, name) for x in parts])
        for name in _BY_ROW
      },
    )

  def missing(self, modality):
    """Of each code whether a study lacks it; the most frequent ones."""
    at, study = _rows_of(modality, np.arange(len(modality)))
    data, out = modality.data, {}
    counts = np.bincount(data.code[at], minlength=len(data.codes))
    for k in np.argsort(-counts, kind='stable')[:_MOST_MISSING]:
      lacks = np.ones(len(modality), bool)
      lacks[study[data.code[at] == k]] = False
      out[f'{data.codes[k]} is missing'] = lacks
    return out

  def acquisition(self, modality):
    """How many rows a study has and over how many hours."""
    at, study = _rows_of(modality, np.arange(len(modality)))
    n = len(modality)
    count = np.bincount(study, minlength=n).astype(np.float64)
    first = np.full(n, np.inf)
    np.minimum.at(first, study, modality.data.time[at])
    none = count == 0
    return {
      'rows': np.where(none, np.nan, count),
      'hours covered': np.where(none, np.nan, -first),
    }

  def described(self, modality):
    """How many rows a study has."""
    _, study = _rows_of(modality, np.arange(len(modality)))
    count = np.bincount(study, minlength=len(modality))
    return {'rows of a study': count.astype(np.float64)}

  def summary(self, modality):
    """How many rows and codes there are."""
    at, study = _rows_of(modality, np.arange(len(modality)))
    count = np.bincount(study, minlength=len(modality))
    longer = int((count > modality.data.length).sum())
    note = (
      f'; of {longer} studies the last {modality.data.length}' if longer else ''
    )
    return {
      'series': (
        f'{len(at)} rows of {len(modality.data.codes)} codes, median '
        f'{np.median(count):.0f} a study{note}; '
        f'{int((~modality.present).sum())} studies without'
      )
    }


_MOST_MISSING = 64


@kind.KINDS.register(
  NAME, summary='irregular measurements and codes before the prediction'
)
def series() -> Series:
  """Vital signs, laboratory values, medication, diagnoses over time."""
  return Series()


def _rows_of(modality, rows) -> tuple[np.ndarray, np.ndarray]:
  """Rows of the data that `rows` show, and the place of each one's study."""
  source, data = modality.rows[rows], modality.data
  count = np.where(
    modality.present[rows], data.stop[source] - data.start[source], 0
  )
  study = np.repeat(np.arange(len(source)), count)
  first = np.cumsum(count) - count
  at = np.arange(len(study)) - first[study] + data.start[source][study]
  return at, study


def _coded(fitted, data) -> tuple[np.ndarray, np.ndarray]:
  """(t,) int32 codes and (t,) standardised values, NaN where there is none."""
  known = {name: k for k, name in enumerate(fitted.codes)}
  place = np.array([known.get(name, -1) for name in data.codes], np.int64)
  place = place[data.code] if len(data.codes) else data.code
  here = place >= 0
  code = np.where(here, place + FIRST_CODE, OTHER).astype(np.int32)
  x = np.full(len(data.value), np.nan, np.float32)
  # What stands for several codes has no common unit.
  x[here] = (data.value[here] - fitted.mean[place[here]]) / (
    fitted.std[place[here]]
  )
  return code, x


def _tabulated(codes, modality) -> modality_lib.Modality:
  """STATISTICS of each of `codes` as a table of the n studies."""
  n, data = len(modality), modality.data
  at, study = _rows_of(modality, np.arange(n))
  out = np.full((n, len(codes) * len(STATISTICS)), np.nan)
  names = [f'{code} {what}' for code in codes for what in STATISTICS]
  place = {name: k for k, name in enumerate(data.codes)}
  for k, code in enumerate(codes):
    mine = data.code[at] == place.get(code, -1)
    columns = out[:, k * len(STATISTICS) : (k + 1) * len(STATISTICS)]
    columns[:] = _statistics(
      study[mine], data.time[at[mine]], data.value[at[mine]], n
    )
  out[~modality.present] = np.nan
  made = table.Data(out, tuple(names), np.zeros((n, 0), object), ())
  return modality_lib.Modality.of(table.NAME, modality.side, made)


def _statistics(study, time, value, n) -> np.ndarray:
  """(n, 7) float64 STATISTICS of one code's rows, in order of time."""
  count = np.bincount(study, minlength=n).astype(np.float64)
  since = np.full(n, np.nan)
  since[study] = -time.astype(np.float64)  # The last one of a study stays.
  here = np.isfinite(value)
  study, time, value = study[here], time[here], value[here].astype(np.float64)
  valued = np.bincount(study, minlength=n)
  some = np.where(valued > 0, 1.0, np.nan)
  last = np.full(n, np.nan)
  last[study] = value
  low, high = np.full(n, np.inf), np.full(n, -np.inf)
  np.minimum.at(low, study, value)
  np.maximum.at(high, study, value)
  size = np.maximum(valued, 1)
  mean = np.bincount(study, value, minlength=n) / size
  middle = np.bincount(study, time, minlength=n) / size
  t, v = time - middle[study], value - mean[study]
  spread = np.bincount(study, t * t, minlength=n)
  # Per day; 0 where a single moment has no course.
  slope = 24 * np.bincount(study, t * v, minlength=n)
  slope = np.divide(slope, spread, out=np.zeros(n), where=spread > 1e-9)
  return np.stack(
    [last, mean * some, low * some, high * some, slope * some, count, since], 1
  )
