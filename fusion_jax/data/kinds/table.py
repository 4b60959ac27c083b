"""Tables: numbers and names by column, one row a study.

Vocabularies, imputation and scaling are fitted on the training part.
"""

import dataclasses
from collections.abc import Mapping

import jax.numpy as jnp
import numpy as np

from fusion_jax.core import errors, spellings
from fusion_jax.data import config as config_lib
from fusion_jax.data import kind
from fusion_jax.data import modality as modality_lib

NAME = 'table'
MISSING, OTHER, FIRST_LEVEL = 0, 1, 2
# Standardised values are held within this many standard deviations.
CLIP = 5.0
# Tukey's far-out fences, in interquartile ranges beyond the quartiles: values
# outside are pulled to the fence before mean and deviation are taken.
_FENCE = 3.0
# Columns more skewed than this, as laboratory values are, are read as logs.
_SKEW = 1.0
# Parts of equal frequency into which the values of a column are cut.
PIECES = 16


@dataclasses.dataclass(frozen=True, eq=False)
class Data(modality_lib.Data):
  """Columns of N studies; missing stays missing.

  Attributes:
    numeric: (N, fn) float64, NaN where missing.
    numeric_names: (fn,) column names.
    categorical: (N, fc) object array of str, None where missing.
    categorical_names: (fc,) column names.
    unknown_codes: by categorical column, its levels that mean 'unknown'.
  """

  numeric: np.ndarray = modality_lib.by_study()
  numeric_names: tuple[str, ...]
  categorical: np.ndarray = modality_lib.by_study()
  categorical_names: tuple[str, ...]
  unknown_codes: Mapping[str, tuple[str, ...]] = dataclasses.field(
    default_factory=dict
  )

  @property
  def present(self) -> np.ndarray:
    """(N,) bool: whether any column is observed."""
    observed = np.isfinite(self.numeric).any(axis=1)
    return observed | np.not_equal(self.categorical, None).any(axis=1)

  def check(self, name: str, n: int) -> None:
    """Likewise; and that there are as many columns as names."""
    super().check(name, n)
    for values, names in (
      (self.numeric, self.numeric_names),
      (self.categorical, self.categorical_names),
    ):
      if values.shape != (n, len(names)):
        raise errors.UserError(
          f"Modality '{name}': columns of shape {values.shape}, expected "
          f'({n}, {len(names)}).'
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
  """What was learnt from the training part of a table.

  Attributes:
    numeric_names: (fn,) columns, looked up by name in other cohorts.
    categorical_names: (fc,) columns.
    bend: (fn,) 1 for columns with a long tail of high values, -1 of low
      ones, which are replaced by bend log(shift + bend (x - origin)); or 0.
    origin: (fn,) where such a column begins, opposite to its tail.
    shift: (fn,) positive.
    low: (fn,) values below (then) are raised to it.
    high: (fn,) values above are lowered to it.
    centre: (fn,) training mean within [low, high].
    scale: (fn,) training standard deviation within; 1 for constants.
    seen: (fn,) bool, whether training has any value. Columns without stay
      missing everywhere: no model has learnt what to make of them.
    gaps: (fn,) bool, whether any training value is missing.
    levels: by column, the str level of each code from FIRST_LEVEL on.
    codes_seen: (fc, max_levels) bool, which codes training has.
    edges: (fn, PIECES + 1) quantiles of the standardised training values.
  """

  numeric_names: tuple[str, ...]
  categorical_names: tuple[str, ...]
  bend: np.ndarray
  origin: np.ndarray
  shift: np.ndarray
  low: np.ndarray
  high: np.ndarray
  centre: np.ndarray
  scale: np.ndarray
  seen: np.ndarray
  gaps: np.ndarray
  levels: tuple[np.ndarray, ...]
  codes_seen: np.ndarray
  edges: np.ndarray


class Table(kind.Kind):
  """Columns, standardised or coded as the training part says."""

  name = NAME
  side = modality_lib.RECORD
  data = Data
  fitted = Fitted
  marks_absence = True

  def fit(self, modality, rows, config) -> Fitted:
    data = modality.data
    x, cells = numeric(modality)[rows], categorical(modality)[rows]
    stats = np.array([_fit_numeric(column) for column in x.T], np.float64)
    stats = stats.reshape(-1, len(_NUMERIC)).T
    levels, codes_seen = [], []
    for j in range(len(data.categorical_names)):
      levels.append(_fit_levels(cells[:, j], config))
      codes = _codes(cells[:, j], _codes_of(levels[-1]))
      codes_seen.append(np.bincount(codes, minlength=config.max_levels) > 0)
    fitted = Fitted(
      numeric_names=data.numeric_names,
      categorical_names=data.categorical_names,
      **dict(zip(_NUMERIC, stats, strict=True)),
      seen=np.isfinite(x).any(axis=0),
      gaps=~np.isfinite(x).all(axis=0),
      levels=tuple(levels),
      codes_seen=np.array(codes_seen, bool).reshape(-1, config.max_levels),
      edges=np.zeros((x.shape[1], PIECES + 1)),
    )
    here = np.isfinite(x)
    inside = _standardise(fitted, np.where(here, x, np.nan))
    for j, edges in enumerate(fitted.edges):
      edges[:] = _fit_edges(inside[here[:, j], j])
    return fitted

  def derived(self, fitted, data):
    """Inputs of neural models for N studies.

    Returns:
      'numeric' (N, fn) float32 standardised, 0 where missing; 'observed'
      (N, fn) float32 0 or 1; 'categorical' (N, fc) int32 codes.

    Raises:
      UserError: naming a column that the data lack.
    """
    raw = _known(fitted, data.numeric, data)
    return {
      'numeric': _standardise(fitted, raw).astype(np.float32),
      'observed': np.isfinite(raw).astype(np.float32),
      'categorical': _coded(fitted, data.categorical, data),
    }

  def constants(self, fitted):
    """'edges' (fn, PIECES + 1) float32."""
    return {'edges': fitted.edges.astype(np.float32)}

  def inputs(self, constants, values):
    """The arrays that `derived` made, of b studies, and 'pieces'.

    'pieces' (b, fn, PIECES): how far, from 0 to 1, a number has come through
    each part of the training values; 0 where it is missing.
    """
    low, high = constants['edges'][:, :-1], constants['edges'][:, 1:]
    x = values['numeric'][..., None]
    # Ties leave a part without width, which is passed in one step.
    share = jnp.where(
      high > low, (x - low) / jnp.where(high > low, high - low, 1), x >= high
    )
    observed = values['observed'][..., None]
    return {**values, 'pieces': jnp.clip(share, 0.0, 1.0) * observed}

  def given(self, fitted):
    """`levels`: codes a categorical column can take."""
    return {'levels': fitted.codes_seen.shape[1]}

  def columns(self, fitted, reduction, modality, learner) -> kind.Columns:
    """See `Kind.columns`.

    LINEAR: standardised numeric columns with the training mean where missing,
    an indicator 'NAME missing' for those with gaps in training, and an
    indicator 'NAME = LEVEL' for each level, 'other' and 'missing' that training
    has. Columns constant in training are left out.

    TREES: numeric values as they are, then categorical codes; NaN where
    missing. A column without any training value is 0 throughout.
    """
    del reduction
    raw = _known(fitted, numeric(modality), modality.data)
    codes = _coded(fitted, categorical(modality), modality.data)
    if learner == kind.LINEAR:
      return _design(fitted, raw, codes)
    codes = codes.astype(np.float64)
    codes[codes == MISSING] = np.nan
    raw[:, ~fitted.seen] = 0.0
    codes[:, ~fitted.codes_seen[:, OTHER:].any(axis=1)] = 0.0
    kinds = np.repeat([False, True], [raw.shape[1], codes.shape[1]])
    names = fitted.numeric_names + fitted.categorical_names
    x = np.concatenate([raw, codes], axis=1)
    return kind.Columns.of(x, names, is_categorical=kinds)

  def noise(self, modality, rows, pool, rng) -> Data:
    """Each column drawn on its own from the rows `pool` that have a table."""
    pool = pool[modality.present[pool]]
    drawn = {}
    for name, values in (
      ('numeric', numeric(modality)),
      ('categorical', categorical(modality)),
    ):
      drawn[name] = out = values[rows]
      for j in range(values.shape[1]) if len(pool) else ():
        out[:, j] = values[rng.choice(pool, len(rows)), j]
    return dataclasses.replace(modality.data, **drawn)

  def missing(self, modality):
    """Of each column."""
    data, out = modality.data, {}
    for name, x in zip(data.numeric_names, numeric(modality).T, strict=True):
      out[f'{name} is missing'] = np.isnan(x)
    cells = categorical(modality).T
    for name, x in zip(data.categorical_names, cells, strict=True):
      out[f'{name} is missing'] = np.equal(x, None)
    return out

  def unknown(self, modality):
    """Of each level that is declared so."""
    data, out = modality.data, {}
    cells = categorical(modality).T
    for name, x in zip(data.categorical_names, cells, strict=True):
      for code in data.unknown_codes.get(name, ()):
        out[f'{name} is {code}'] = np.equal(x, code)
    return out

  def described(self, modality):
    """Every column."""
    data = modality.data
    cells = numeric(modality).T, categorical(modality).T
    return {
      name: x
      for names, columns in zip(
        (data.numeric_names, data.categorical_names), cells, strict=True
      )
      for name, x in zip(names, columns, strict=True)
    }

  def levels(self, fitted, modality):
    """Of every column of names that was fitted."""
    data, out = modality.data, []
    cells = categorical(modality)
    matched = _levels_of(fitted, cells, data)
    for column, known, taken_for in zip(
      fitted.categorical_names, fitted.levels, matched, strict=True
    ):
      at = data.categorical_names.index(column)
      present = tuple(x for x in cells[:, at] if x is not None)
      out.append(kind.Levels(column, present, taken_for, tuple(known.tolist())))
    return out

  def summary(self, modality):
    """How many columns there are, how much of them is missing, their names."""
    data, out = modality.data, {}
    for what, gaps, names in (
      ('numeric', np.isnan(numeric(modality)), data.numeric_names),
      (
        'categorical',
        np.equal(categorical(modality), None),
        data.categorical_names,
      ),
    ):
      if names:
        out[f'{what} columns'] = (
          f'{len(names)}, {gaps.mean():.1%} missing: {", ".join(names)}'
        )
    return out


@kind.KINDS.register(NAME, summary='numbers and names by column')
def table() -> Table:
  """Laboratory values, demographics, diagnoses: one row a study."""
  return Table()


def numeric(modality: modality_lib.Modality) -> np.ndarray:
  """(n, fn) float64, NaN where missing or the study has no table."""
  x = modality.given(modality.data.numeric)
  gone = modality.data.present[modality.rows] & ~modality.present
  return np.where(gone[:, None], np.nan, x) if gone.any() else x


def categorical(modality: modality_lib.Modality) -> np.ndarray:
  """(n, fc) object array of str, None likewise."""
  x = modality.given(modality.data.categorical)
  gone = modality.data.present[modality.rows] & ~modality.present
  return np.where(gone[:, None], None, x) if gone.any() else x


def _levels_of(fitted, cells, data) -> list[dict[str, str]]:
  """By column, which of `cells` are levels of training, and which.

  A cell is the level that is spelt alike, else the only one of the same number
  (see `spellings.match`): '1.0' is '1'.
  """
  at = _places(data, 'categorical', fitted.categorical_names)
  out = []
  for column, levels in zip(at, fitted.levels, strict=True):
    present = {x for x in cells[:, column] if x is not None}
    matched = spellings.match(levels.tolist(), present)
    out.append({cell: level for level, cell in matched.items()})
  return out


def _known(fitted, x, data) -> np.ndarray:
  """(n, fn) float64 copy, NaN where missing or never seen in training."""
  x = np.array(x[:, _places(data, 'numeric', fitted.numeric_names)], np.float64)
  x[~np.isfinite(x)] = np.nan
  x[:, ~fitted.seen] = np.nan
  return x


def _coded(fitted, cells, data) -> np.ndarray:
  """(n, fc) int32 codes."""
  out = np.zeros((len(cells), len(fitted.levels)), np.int32)
  for j, levels in enumerate(_levels_of(fitted, cells, data)):
    column = data.categorical_names.index(fitted.categorical_names[j])
    codes = _codes_of(fitted.levels[j])
    known = {cell: codes[level] for cell, level in levels.items()}
    out[:, j] = _codes(cells[:, column], known)
  return out


def _standardise(fitted, raw) -> np.ndarray:
  x = _bend(raw, fitted.bend, fitted.origin, fitted.shift)
  x = (np.clip(x, fitted.low, fitted.high) - fitted.centre) / fitted.scale
  return np.where(np.isnan(x), 0.0, np.clip(x, -CLIP, CLIP))


def _design(fitted, raw, codes) -> kind.Columns:
  """The columns of LINEAR learners."""
  x = _standardise(fitted, raw)
  columns, names = [], []
  for j, name in enumerate(fitted.numeric_names):
    if fitted.high[j] > fitted.low[j]:
      columns.append(x[:, j])
      names.append(name)
    if fitted.gaps[j] and fitted.seen[j]:
      columns.append(~np.isfinite(raw[:, j]))
      names.append(f'{name} missing')
  for j, name in enumerate(fitted.categorical_names):
    seen = np.flatnonzero(fitted.codes_seen[j])
    for code in seen if len(seen) > 1 else ():
      columns.append(codes[:, j] == code)
      names.append(f'{name} = {_level(fitted, j, code)}')
  out = np.zeros((len(raw), len(columns)))
  for j, column in enumerate(columns):
    out[:, j] = column
  return kind.Columns.of(out, names)


def _level(fitted, column: int, code: int) -> str:
  if code in (MISSING, OTHER):
    return ('missing', 'other')[code]
  return str(fitted.levels[column][code - FIRST_LEVEL])


_NUMERIC = ('bend', 'origin', 'shift', 'low', 'high', 'centre', 'scale')


def _bend(x, bend, origin, shift):
  """`x`, as a log where `bend` is not 0."""
  above = np.maximum(bend * (x - origin), 0.0)
  return np.where(bend == 0, x, bend * np.log(above + shift))


def _fit_numeric(x: np.ndarray) -> tuple[float, ...]:
  """The values of _NUMERIC for (n,) values with NaN."""
  x = x[np.isfinite(x)]
  plain = 0.0, 0.0, 1.0
  if not len(x):
    return *plain, 0.0, 0.0, 0.0, 1.0
  if x.min() == x.max():
    return *plain, x[0], x[0], x[0], 1.0
  low, high, centre, scale = _moments(x)
  inside = (np.clip(x, low, high) - centre) / scale
  skew = np.mean(inside**3)
  if abs(skew) <= _SKEW:
    return *plain, low, high, centre, scale
  bend = np.sign(skew)
  origin = x.min() if bend > 0 else x.max()
  above = bend * (x - origin)
  bent = bend, origin, np.median(above[above > 0])
  return *bent, *_moments(_bend(x, *bent))


def _moments(x: np.ndarray) -> tuple[float, float, float, float]:
  """Fences of (n,) values, and mean and standard deviation within."""
  low, high = x.min(), x.max()
  first, third = np.quantile(x, (0.25, 0.75))
  if third > first:
    reach = _FENCE * (third - first)
    low, high = max(low, first - reach), min(high, third + reach)
  x = np.clip(x, low, high)
  return low, high, x.mean(), x.std() or 1.0


def _fit_edges(x: np.ndarray) -> np.ndarray:
  """(PIECES + 1,) quantiles of (n,) values; 0 without any."""
  at = np.linspace(0, 1, PIECES + 1)
  return np.quantile(x, at) if len(x) else np.zeros(len(at))


def _fit_levels(
  values: np.ndarray, config: config_lib.PreprocessConfig
) -> np.ndarray:
  """Levels of (n,) str or None, most frequent first, ties by name."""
  observed = [x for x in values if x is not None]
  if not observed:
    return np.array([], np.str_)
  names, counts = np.unique(np.array(observed, np.str_), return_counts=True)
  order = np.argsort(-counts, kind='stable')
  order = order[counts[order] >= config.min_level_count]
  return names[order[: config.max_levels - FIRST_LEVEL]]


def _codes_of(levels: np.ndarray) -> dict[str, int]:
  """The code of each level."""
  return {str(x): FIRST_LEVEL + i for i, x in enumerate(levels)}


def _codes(values: np.ndarray, known: Mapping[str, int]) -> np.ndarray:
  """(n,) int codes of (n,) str or None, by the code of each known value."""
  known = {**known, None: MISSING}
  return np.array([known.get(x, OTHER) for x in values], int)


def _places(data: Data, what: str, wanted: tuple[str, ...]) -> list[int]:
  """Column numbers in the data of the columns that training had."""
  names = getattr(data, f'{what}_names')
  missing = [x for x in wanted if x not in names]
  if missing:
    others = {*data.numeric_names, *data.categorical_names} - {*names}
    note = ' (it has another type there)' if missing[0] in others else ''
    raise errors.UserError(
      f"The cohort lacks the {what} column '{missing[0]}' that training "
      f'used{note}. Its {what} columns: {", ".join(names) or "none"}.'
    )
  return [names.index(x) for x in wanted]
