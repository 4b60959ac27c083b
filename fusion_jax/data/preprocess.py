"""What is fitted on the training part, of every modality by its kind.

`Preprocessor.fit` reads the rows it is given and no others; a model and its
`Fitted` are saved side by side and travel to other cohorts together.
"""

import contextlib
import dataclasses
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np

from fusion_jax.core import arrays as arrays_lib
from fusion_jax.core import errors, links
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import config as config_lib
from fusion_jax.data import kind as kinds
from fusion_jax.data import modality as modality_lib

_FIT, _REDUCTION = 'fit', 'reduction'


@dataclasses.dataclass(frozen=True)
class Preprocessor:
  """Fits everything that models need to know of the training part."""

  config: config_lib.PreprocessConfig = config_lib.PreprocessConfig()

  def __post_init__(self):
    for name, least, most in (
      ('max_levels', 3, 10_000),
      ('min_level_count', 1, 10**9),
      ('pixel_components', 1, 10_000),
      ('pixel_size', 1, 512),
      ('histogram_bins', 1, 65_536),
      ('volume_size', 1, 64),
      ('series_codes', 1, 10_000),
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
    return Fitted(
      config=self.config,
      kinds={name: x.kind for name, x in cohort.modalities.items()},
      fits={
        name: kinds.of(x).fit(x, rows, self.config)
        for name, x in cohort.modalities.items()
      },
      constant=_fit_constant(cohort, rows),
      training=(cohort, rows),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
  """What was learnt from the training part of a cohort.

  Attributes:
    config: as given.
    kinds: by modality, the name of its kind.
    fits: by modality, what its kind has fitted.
    constant: (s,) what an arm without its modality predicts, as scores: the
      training prevalence (see `links.constant_logits`) or mean; 0 (median
      risk) for survival.
    training: the cohort and rows that `reduction` reads when first asked for,
      since it costs seconds that most arms never need. It is not saved: None
      in what `from_arrays` gives.
    reductions: by modality, those that were asked for.
  """

  config: config_lib.PreprocessConfig
  kinds: Mapping[str, str]
  fits: Mapping[str, Any]
  constant: np.ndarray
  training: tuple[cohort_lib.Cohort, np.ndarray] | None = dataclasses.field(
    default=None, repr=False
  )
  reductions: dict[str, Any] = dataclasses.field(default_factory=dict)

  def kind(self, modality: str) -> kinds.Kind:
    """The kind of a modality."""
    return kinds.get(self.kinds[modality])

  def shown(
    self, cohort: cohort_lib.Cohort, modality: str
  ) -> modality_lib.Modality:
    """A modality of a cohort.

    Raises:
      UserError: if the cohort lacks it, or it is of another kind there.
    """
    if modality not in cohort.modalities:
      raise errors.UserError(
        f"Cohort '{cohort.name}' lacks the modality '{modality}' that training "
        f'used. It has {", ".join(cohort.modalities) or "none"}.'
      )
    found = cohort.modalities[modality]
    if found.kind != self.kinds[modality]:
      raise errors.UserError(
        f"Cohort '{cohort.name}': modality '{modality}' is of kind "
        f"'{found.kind}', but was of kind '{self.kinds[modality]}' in training."
      )
    return found

  def columns(
    self, cohort: cohort_lib.Cohort, modality: str, learner: str
  ) -> kinds.Columns:
    """A modality of n studies as columns (`Kind.columns`).

    Raises:
      UserError: if the cohort lacks what training used.
    """
    found, kind = self.shown(cohort, modality), self.kind(modality)
    with _named(cohort, modality):
      return kind.columns(
        self.fits[modality], self.reduction(modality), found, learner
      )

  def derived(
    self, cohort: cohort_lib.Cohort, modality: str
  ) -> Mapping[str, Any]:
    """What models of this fit get beside what is held (`Kind.derived`).

    Raises:
      UserError: if the cohort lacks what training used.
    """
    found = self.shown(cohort, modality)
    with _named(cohort, modality):
      return self.kind(modality).derived(self.fits[modality], found.data)

  def reduction(self, modality: str) -> Any:
    """What `columns` needs beside the fit; fitted when first asked for.

    Raises:
      UserError: if it was not saved.
    """
    if modality not in self.reductions:
      if self.training is None:
        raise errors.UserError(
          f"This preprocessing was saved without the reduction of '{modality}':"
          ' no arm of that run used it.'
        )
      cohort, rows = self.training
      self.reductions[modality] = self.kind(modality).fit_reduction(
        cohort.modalities[modality], rows, self.config
      )
    return self.reductions[modality]

  def levels(self, cohort: cohort_lib.Cohort) -> list[kinds.Levels]:
    """What cells of other data are to models of this fit (`Kind.levels`).

    Modalities that the cohort lacks are passed over.

    Raises:
      UserError: if one that it has lacks what training used.
    """
    out: list[kinds.Levels] = []
    for name, fit in self.fits.items():
      if name in cohort.modalities:
        found = self.shown(cohort, name)
        with _named(cohort, name):
          out += self.kind(name).levels(fit, found)
    return out

  def to_arrays(self, reduced: Collection[str] = ()) -> dict[str, np.ndarray]:
    """Everything as arrays without objects, for `np.savez` and the like.

    Args:
      reduced: modalities whose reductions are kept too.
    """
    out = arrays_lib.to_arrays(self.config, 'config/')
    out['constant'] = self.constant
    out['modalities'] = np.array(list(self.kinds), np.str_)
    out['kinds'] = np.array(list(self.kinds.values()), np.str_)
    for name, fit in self.fits.items():
      out |= arrays_lib.to_arrays(fit, f'{name}/{_FIT}/')
      reduction = self.reduction(name) if name in reduced else None
      if reduction is not None:
        out |= arrays_lib.to_arrays(reduction, f'{name}/{_REDUCTION}/')
    return out

  @classmethod
  def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> 'Fitted':
    """What `to_arrays` returned, back as it was.

    Raises:
      UserError: if something is missing in `arrays`.
    """
    config = arrays_lib.from_arrays(
      config_lib.PreprocessConfig, arrays, 'config/'
    )
    for name in ('constant', 'modalities', 'kinds'):
      if name not in arrays:
        raise errors.UserError(
          f'Saved preprocessing is incomplete: {name} is missing.'
        )
    names = [str(x) for x in arrays['modalities']]
    of_kind = dict(zip(names, map(str, arrays['kinds']), strict=True))
    fits, reductions = {}, {}
    for name, kind_name in of_kind.items():
      kind = kinds.get(kind_name)
      fits[name] = arrays_lib.from_arrays(
        kind.fitted, arrays, f'{name}/{_FIT}/'
      )
      prefix = f'{name}/{_REDUCTION}/'
      if kind.reduction is None:
        reductions[name] = None
      elif any(key.startswith(prefix) for key in arrays):
        reductions[name] = arrays_lib.from_arrays(
          kind.reduction, arrays, prefix
        )
    return cls(
      config=config,
      kinds=of_kind,
      fits=fits,
      constant=np.asarray(arrays['constant']),
      reductions=reductions,
    )


@contextlib.contextmanager
def _named(cohort: cohort_lib.Cohort, modality: str) -> Iterator[None]:
  """Names cohort and modality in what a kind has to complain of."""
  try:
    yield
  except errors.UserError as e:
    text = str(e)
    raise errors.UserError(
      f"Cohort '{cohort.name}', modality '{modality}': "
      f'{text[0].lower()}{text[1:]}'
    ) from None


def _fit_constant(cohort: cohort_lib.Cohort, rows: np.ndarray) -> np.ndarray:
  """(s,) scores of a prediction that knows nothing of the study."""
  weight = None if cohort.weight is None else cohort.weight[rows]
  logits = links.constant_logits(cohort.task, cohort.labels[rows], weight)
  return links.scores_from_logits(cohort.task, logits[None])[0]
