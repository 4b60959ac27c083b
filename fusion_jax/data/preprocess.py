"""What is fitted on the training part: vocabularies, imputation, scaling.

`Preprocessor.fit` reads the rows it is given and no others; a model and its
`Fitted` are saved side by side and travel to other cohorts together.
"""

import dataclasses
import functools
from collections.abc import Mapping

import numpy as np

from fusion_jax.core import errors, links, spellings
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import config as config_lib
from fusion_jax.data import pixels as pixels_lib

MISSING, OTHER, FIRST_LEVEL = 0, 1, 2
# Standardised values are held within this many standard deviations.
CLIP = 5.0
# Tukey's far-out fences, in interquartile ranges beyond the quartiles: values
# outside are pulled to the fence before mean and deviation are taken.
_FENCE = 3.0
# Columns more skewed than this, as laboratory values are, are read as logs.
_SKEW = 1.0
_PIXELS = 'pixels/'


@dataclasses.dataclass(frozen=True)
class Preprocessor:
  """Fits everything that models need to know of the training part."""

  config: config_lib.PreprocessConfig = config_lib.PreprocessConfig()

  def __post_init__(self):
    for name, least, most in (
      ('max_levels', FIRST_LEVEL + 1, 10_000),
      ('min_level_count', 1, 10**9),
      ('pixel_components', 1, 10_000),
      ('pixel_size', 1, 512),
      ('histogram_bins', 1, 65_536),
    ):
      value = getattr(self.config, name)
      if not least <= value <= most:
        raise errors.UserError(
          f'preprocess.{name} = {value}: expected a whole number from {least} '
          f'to {most}.'
        )

  def fit(self, cohort: cohort_lib.Cohort, rows: np.ndarray) -> 'Fitted':
    """Fits on the studies `rows` of `cohort`.

    Args:
      cohort: n studies.
      rows: row numbers of the training part.

    Raises:
      UserError: if there is no training study.
    """
    rows = np.asarray(rows)
    if not len(rows):
      raise errors.UserError(
        f"Cohort '{cohort.name}': a training part without studies."
      )
    numeric = [_fit_numeric(x) for x in cohort.numeric[rows].T]
    levels, codes_seen = [], []
    for j in range(len(cohort.categorical_names)):
      values = cohort.categorical[rows, j]
      levels.append(_fit_levels(values, self.config))
      codes = _codes(values, _codes_of(levels[-1]))
      codes_seen.append(
        np.bincount(codes, minlength=self.config.max_levels) > 0
      )
    stats = np.array(numeric, np.float64).reshape(-1, len(_NUMERIC)).T
    x = cohort.numeric[rows]
    return Fitted(
      config=self.config,
      numeric_names=cohort.numeric_names,
      categorical_names=cohort.categorical_names,
      **dict(zip(_NUMERIC, stats, strict=True)),
      seen=np.isfinite(x).any(axis=0),
      gaps=~np.isfinite(x).all(axis=0),
      levels=tuple(levels),
      codes_seen=np.array(codes_seen, bool).reshape(-1, self.config.max_levels),
      image_stats=pixels_lib.image_stats(cohort, rows),
      constant=_fit_constant(cohort, rows),
      training=(cohort, rows),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
  """What was learnt from the training part of a cohort.

  Attributes:
    config: as given.
    numeric_names: (fn,) columns, found by name in other cohorts.
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
    image_stats: 'mean' (c,) and 'std' (c,), float32 on the 0..1 scale.
    constant: (s,) what an arm without its modality predicts, as scores: the
      training prevalence (see `links.constant_logits`) or mean; 0 (median
      risk) for survival.
    training: the cohort and rows that `pixel_fit` reads when first asked for,
      since it costs seconds that most arms never need. It is not saved: None
      in what `from_arrays` gives.
  """

  config: config_lib.PreprocessConfig
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
  image_stats: dict[str, np.ndarray]
  constant: np.ndarray
  training: tuple[cohort_lib.Cohort, np.ndarray] | None = dataclasses.field(
    default=None, repr=False, compare=False
  )

  def ehr(self, cohort: cohort_lib.Cohort) -> dict[str, np.ndarray]:
    """Inputs of neural models for n studies.

    Returns:
      'numeric' (n, fn) float32 standardised, 0 where missing; 'observed'
      (n, fn) float32 0 or 1; 'categorical' (n, fc) int32 codes.

    Raises:
      UserError: naming a column that the cohort lacks.
    """
    raw = self._numeric(cohort)
    return {
      'numeric': self._standardise(raw).astype(np.float32),
      'observed': np.isfinite(raw).astype(np.float32),
      'categorical': self._categorical(cohort),
    }

  def design(
    self, cohort: cohort_lib.Cohort
  ) -> tuple[np.ndarray, tuple[str, ...]]:
    """(n, p) float64 for linear learners, and the p column names.

    Standardised numeric columns with the training mean where missing, an
    indicator 'NAME missing' for those with gaps in training, and an indicator
    'NAME = LEVEL' for each level, 'other' and 'missing' that training has.
    Columns constant in training are left out.

    Raises:
      UserError: naming a column that the cohort lacks.
    """
    raw = self._numeric(cohort)
    x, codes = self._standardise(raw), self._categorical(cohort)
    columns, names = [], []
    for j, name in enumerate(self.numeric_names):
      if self.high[j] > self.low[j]:
        columns.append(x[:, j])
        names.append(name)
      if self.gaps[j] and self.seen[j]:
        columns.append(~np.isfinite(raw[:, j]))
        names.append(f'{name} missing')
    for j, name in enumerate(self.categorical_names):
      seen = np.flatnonzero(self.codes_seen[j])
      for code in seen if len(seen) > 1 else ():
        columns.append(codes[:, j] == code)
        names.append(f'{name} = {self._level(j, code)}')
    out = np.zeros((len(cohort), len(columns)))
    for j, column in enumerate(columns):
      out[:, j] = column
    return out, tuple(names)

  def table(self, cohort: cohort_lib.Cohort) -> tuple[np.ndarray, np.ndarray]:
    """(n, fn + fc) float64 for tree learners, and which are categorical.

    Numeric values as they are, then categorical codes; NaN where missing. A
    column without any training value is 0 throughout.

    Raises:
      UserError: naming a column that the cohort lacks.
    """
    codes = self._categorical(cohort).astype(np.float64)
    codes[codes == MISSING] = np.nan
    numeric = self._numeric(cohort)
    numeric[:, ~self.seen] = 0.0
    codes[:, ~self.codes_seen[:, OTHER:].any(axis=1)] = 0.0
    x = np.concatenate([numeric, codes], axis=1)
    kinds = np.repeat([False, True], [numeric.shape[1], codes.shape[1]])
    return x, kinds

  def levels_of(self, cohort: cohort_lib.Cohort) -> list[dict[str, str]]:
    """By column, which cells of `cohort` are levels of training, and which.

    A cell is the level that is spelt alike, else the only one of the same
    number (see `spellings.match`): '1.0' is '1'.

    Raises:
      UserError: naming a column that the cohort lacks.
    """
    at = _places(
      cohort, 'categorical', self.categorical_names, cohort.categorical_names
    )
    found = []
    for column, levels in zip(at, self.levels, strict=True):
      cells = {x for x in cohort.categorical[:, column] if x is not None}
      matched = spellings.match(levels.tolist(), cells)
      found.append({cell: level for level, cell in matched.items()})
    return found

  def pixels(self, cohort: cohort_lib.Cohort) -> np.ndarray:
    """(n, q) float64 components and histograms (see data/pixels.py).

    Raises:
      UserError: for another number of channels than in training, or where
        they were not saved.
    """
    return pixels_lib.transform(self.pixel_fit, cohort)

  @functools.cached_property
  def pixel_fit(self) -> pixels_lib.PixelFit:
    """What `pixels` uses; fitted on the training part when first asked for."""
    if self.training is None:
      raise errors.UserError(
        'This preprocessing was saved without its principal components: no '
        'arm of that run used them.'
      )
    cohort, rows = self.training
    return pixels_lib.fit(
      cohort,
      rows,
      size=self.config.pixel_size,
      components=self.config.pixel_components,
      bins=self.config.histogram_bins,
    )

  def to_arrays(self, *, pixels: bool = True) -> dict[str, np.ndarray]:
    """Everything as arrays without objects, for `np.savez` and the like.

    Args:
      pixels: whether to keep what `pixels` needs too.
    """
    out = {
      f'config/{f.name}': np.array(getattr(self.config, f.name))
      for f in dataclasses.fields(self.config)
    }
    for name in _ARRAYS:
      out[name] = getattr(self, name)
    for name in ('numeric_names', 'categorical_names'):
      out[name] = np.array(getattr(self, name), np.str_)
    out['num_levels'] = np.array([len(x) for x in self.levels], np.int64)
    empty = np.array([], np.str_)
    out['levels'] = np.concatenate([empty, *self.levels])
    for name, x in self.image_stats.items():
      out[f'image_stats/{name}'] = x
    if pixels:
      for f in dataclasses.fields(pixels_lib.PixelFit):
        out[_PIXELS + f.name] = getattr(self.pixel_fit, f.name)
    return out

  @classmethod
  def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> 'Fitted':
    """What `to_arrays` returned, back as it was.

    Raises:
      UserError: if something is missing in `arrays`.
    """
    try:
      config = config_lib.PreprocessConfig(
        **{
          f.name: int(arrays[f'config/{f.name}'])
          for f in dataclasses.fields(config_lib.PreprocessConfig)
        }
      )
      ends = np.cumsum(arrays['num_levels'])[:-1]
      levels = np.split(arrays['levels'], ends) if len(ends) else []
      if len(arrays['num_levels']) == 1:
        levels = [arrays['levels']]
      fitted = cls(
        config=config,
        numeric_names=tuple(str(x) for x in arrays['numeric_names']),
        categorical_names=tuple(str(x) for x in arrays['categorical_names']),
        levels=tuple(levels),
        image_stats={k: arrays[f'image_stats/{k}'] for k in ('mean', 'std')},
        **{name: np.asarray(arrays[name]) for name in _ARRAYS},
      )
      if _PIXELS + 'mean' in arrays:
        fields = dataclasses.fields(pixels_lib.PixelFit)
        fit = {f.name: np.asarray(arrays[_PIXELS + f.name]) for f in fields}
        fitted.__dict__['pixel_fit'] = pixels_lib.PixelFit(**fit)
    except KeyError as e:
      raise errors.UserError(
        f'Saved preprocessing is incomplete: {e.args[0]} is missing.'
      ) from None
    return fitted

  def _level(self, column: int, code: int) -> str:
    if code in (MISSING, OTHER):
      return ('missing', 'other')[code]
    return str(self.levels[column][code - FIRST_LEVEL])

  def _numeric(self, cohort: cohort_lib.Cohort) -> np.ndarray:
    """(n, fn) float64 copy, NaN where missing or never seen in training."""
    at = _places(cohort, 'numeric', self.numeric_names, cohort.numeric_names)
    x = np.array(cohort.numeric[:, at], np.float64)
    x[~np.isfinite(x)] = np.nan
    x[:, ~self.seen] = np.nan
    return x

  def _categorical(self, cohort: cohort_lib.Cohort) -> np.ndarray:
    """(n, fc) int32 codes."""
    out = np.zeros((len(cohort), len(self.levels)), np.int32)
    for j, levels in enumerate(self.levels_of(cohort)):
      column = cohort.categorical_names.index(self.categorical_names[j])
      codes = _codes_of(self.levels[j])
      known = {cell: codes[level] for cell, level in levels.items()}
      out[:, j] = _codes(cohort.categorical[:, column], known)
    return out

  def _standardise(self, raw: np.ndarray) -> np.ndarray:
    x = _bend(raw, self.bend, self.origin, self.shift)
    x = (np.clip(x, self.low, self.high) - self.centre) / self.scale
    return np.where(np.isnan(x), 0.0, np.clip(x, -CLIP, CLIP))


_NUMERIC = ('bend', 'origin', 'shift', 'low', 'high', 'centre', 'scale')
_ARRAYS = (*_NUMERIC, 'seen', 'gaps', 'codes_seen', 'constant')


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


def _fit_constant(cohort: cohort_lib.Cohort, rows: np.ndarray) -> np.ndarray:
  """(s,) scores of a prediction that knows nothing of the study."""
  weight = None if cohort.weight is None else cohort.weight[rows]
  logits = links.constant_logits(cohort.task, cohort.labels[rows], weight)
  return links.scores_from_logits(cohort.task, logits[None])[0]


def _places(
  cohort: cohort_lib.Cohort, kind: str, wanted: tuple, found: tuple
) -> list[int]:
  """Column numbers in the cohort of the columns that training had."""
  missing = [x for x in wanted if x not in found]
  if missing:
    others = {*cohort.numeric_names, *cohort.categorical_names} - {*found}
    note = ' (it has another type there)' if missing[0] in others else ''
    raise errors.UserError(
      f"Cohort '{cohort.name}' lacks the {kind} column '{missing[0]}' that "
      f'training used{note}. Its {kind} columns: {", ".join(found) or "none"}.'
    )
  return [found.index(x) for x in wanted]
