"""What a study is expected to be like: binary scores of known AUROCs."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from fusion_jax.core import errors, types, words
from fusion_jax.evaluation import (
  binormal,
  dependence,
  families,
  planning,
  power,
  registration,
)

# Normal vectors of which the numbers of standard errors of bounds are found.
_DRAWS = 100_000
_MOST_FOLDS = 1000


@dataclasses.dataclass(frozen=True)
class Binormal:
  """Binary scores that are normal within each class, with equal variances.

  Attributes:
    singles: names of s single modalities.
    fusions: names of f fusion arms.
    auroc_single: (s,) their AUROCs.
    prevalence: share of patients with the event.
    correlation_single: of two single modalities' scores within a class.
    correlation_fusion_single: of a fusion arm's and a single modality's.
    correlation_fusion: of two fusion arms'.
    studies_per_patient: mean number; all of a patient share their label.
    icc: correlation of an arm's scores in two studies of a patient, within a
      class.
    folds: number of test parts; every patient is in one of them.
    metric: what arms are compared by.
    reference: all single modalities, of which the best counts.
  """

  singles: tuple[str, ...]
  fusions: tuple[str, ...]
  auroc_single: tuple[float, ...]
  prevalence: float
  correlation_single: float = 0.5
  correlation_fusion_single: float = 0.6
  correlation_fusion: float = 0.8
  studies_per_patient: float = 1.0
  icc: float = 0.0
  folds: int = 1
  metric: str = 'auroc'
  reference: str = registration.BEST_SINGLE

  def __post_init__(self):
    _check(self)

  @property
  def clusters(self) -> binormal.Clusters:
    return binormal.Clusters(self.studies_per_patient, self.icc)

  @property
  def factor(self) -> float:
    return dependence.FACTOR if self.folds > 1 else 1.0

  @property
  def behind(self) -> np.ndarray:
    return max(self.auroc_single) - np.array(self.auroc_single)

  @property
  def correlation(self) -> np.ndarray:
    """(f + s, f + s) of scores within a class, fusion arms first."""
    f, s = len(self.fusions), len(self.singles)
    found = np.full((f + s, f + s), self.correlation_fusion_single)
    found[:f, :f] = self.correlation_fusion
    found[f:, f:] = self.correlation_single
    np.fill_diagonal(found, 1)
    return found

  def auroc(self, gains: Sequence[float]) -> np.ndarray:
    """(f + s,) of all arms, fusion arms first.

    Raises:
      UserError: if a gain leads out of 0.5 to 1.
    """
    best = max(self.auroc_single)
    for gain in gains:
      if not 0.5 < best + gain < 1:
        raise errors.UserError(
          f'gain={gain:g}: over an AUROC of {best:g} that is {best + gain:g}; '
          f'expected one above {0.5 - best:g} and below {1 - best:g}.'
        )
    return np.array([*(best + np.asarray(gains)), *self.auroc_single])

  def covariance(self, gains: Sequence[float], patients: float) -> np.ndarray:
    """(f, s, f, s) of the differences fusion arm - single modality."""
    f, s = len(self.fusions), len(self.singles)
    of_arms = binormal.covariance(
      self.auroc(gains),
      self.correlation,
      patients=patients,
      prevalence=self.prevalence,
      clusters=self.clusters,
      folds=self.folds,
    )
    difference = np.zeros((f, s, f + s))
    difference[np.arange(f), :, np.arange(f)] = 1
    difference[:, np.arange(s), f + np.arange(s)] = -1
    return np.einsum(
      'fsa,ab,gtb->fsgt', difference, of_arms, difference, optimize=True
    )

  def arms(self, gains: Sequence[float], patients: float) -> list[power.Arm]:
    f, s = len(self.fusions), len(self.singles)
    covariance = self.covariance(gains, patients)
    drawn = power.normal_draws(covariance.reshape(f * s, f * s), draws=_DRAWS)
    family = families.resampled(
      np.zeros((f, s)), drawn.T.reshape(f, s, _DRAWS), factor=self.factor
    )
    return planning.of_family(family, covariance, patients)

  def studies(self, patients: float) -> float:
    return patients * self.studies_per_patient

  def fewest(self, patients: float) -> float:
    return patients * min(self.prevalence, 1 - self.prevalence)

  def notes(self, need: planning.Need | None) -> list[str]:
    if need is None:
      return []
    found = [
      'patients: those who are tested. '
      + (
        f'With {self.folds} folds that is everybody, each once.'
        if self.folds > 1
        else 'With one held-out part it is that part; patients to train on '
        'come on top.'
      ),
      'scores: normal within each class, with equal variances; correlations '
      f'are {self.correlation_single:g} (two single modalities), '
      f'{self.correlation_fusion_single:g} (fusion arm and single modality) '
      f'and {self.correlation_fusion:g} (two fusion arms).',
    ]
    gains = [need.gain] + [0.0] * (len(self.fusions) - 1)

    def cost(patients, **simpler):
      """Variance of a difference as a multiple of that of a simpler study."""
      other = dataclasses.replace(self, **simpler)
      return (
        self.covariance(gains, need.patients)[0, 0, 0, 0]
        / other.covariance(gains, patients)[0, 0, 0, 0]
      )

    if self.studies_per_patient > 1:
      ratio = cost(
        self.studies(need.patients), studies_per_patient=1.0, icc=0.0
      )
      found.append(
        f'studies: {self.studies_per_patient:g} per patient, with the same '
        f'label; an icc of {self.icc:g} multiplies the variance that as many '
        f'independent studies have by {ratio:.3g} (design effect of the '
        f'scores: {self.clusters.design_effect:.3g}).'
      )
    if self.folds > 1:
      ratio = math.sqrt(cost(need.patients, folds=1))
      found.append(
        f'folds: the mean of {self.folds} AUROCs has a standard error '
        f'{ratio:.3f} times that of one AUROC of all patients (fewer pairs of '
        'an event and a non-event), before the factor.'
      )
    return [
      *found,
      'not in these numbers: what another training run would give, studies '
      'without a modality, and models that improve as more patients are '
      'trained on.',
    ]


def _check(design: Binormal) -> None:
  f, s = len(design.fusions), len(design.singles)
  if not s:
    raise errors.UserError(
      'auroc_single: give the AUROC of at least one single modality.'
    )
  if not f:
    raise errors.UserError('arms: give at least one fusion arm.')
  if len(design.auroc_single) != s:
    raise errors.UserError(
      f'auroc_single has {words.counted(len(design.auroc_single), "value")} '
      f'for {words.counted(s, "single modality")}: '
      f'{", ".join(design.singles)}.'
    )
  names = [*design.singles, *design.fusions]
  if len(names) > types.MOST_ARMS:
    raise errors.UserError(
      f'{len(names)} arms: at most {types.MOST_ARMS} can be compared at once.'
    )
  for name in names:
    if names.count(name) > 1:
      raise errors.UserError(f"arms: '{name}' is named twice.")
  for auroc in design.auroc_single:
    if not 0.5 < auroc < 1:
      raise errors.UserError(
        f'auroc_single={auroc:g}: expected a number between 0.5 and 1.'
      )
  for name, low, high in (
    ('prevalence', 0, 1),
    ('correlation_single', -1, 1),
    ('correlation_fusion_single', -1, 1),
    ('correlation_fusion', -1, 1),
  ):
    value = getattr(design, name)
    if not low < value < high:
      raise errors.UserError(
        f'{name}={value:g}: expected a number between {low} and {high}.'
      )
  if not 0 <= design.icc <= 1:
    raise errors.UserError(
      f'icc={design.icc:g}: expected a number from 0 to 1.'
    )
  if not 1 <= design.studies_per_patient < math.inf:
    raise errors.UserError(
      f'studies_per_patient={design.studies_per_patient:g}: expected 1 or more.'
    )
  if not 1 <= design.folds <= _MOST_FOLDS:
    raise errors.UserError(
      f'folds={design.folds}: expected 1 (one held-out part) to {_MOST_FOLDS}.'
    )
  _check_correlations(design, f, s)


def _check_correlations(design: Binormal, f: int, s: int) -> None:
  """Whether such correlations can be: their matrix is positive definite."""
  for name, k, what in (
    ('correlation_single', s, 'single modalities'),
    ('correlation_fusion', f, 'fusion arms'),
  ):
    value = getattr(design, name)
    if k > 1 and value * (k - 1) <= -1:
      raise errors.UserError(
        f'{name}={value:g}: {k} {what} cannot all be correlated like that; '
        f'expected more than {-1 / (k - 1):.3g}.'
      )
  # Sums of all fusion arms and of all single modalities have a correlation
  # below 1; all else that the matrix has to fulfil was checked above.
  within = [
    1 + (k - 1) * getattr(design, name)
    for name, k in (('correlation_single', s), ('correlation_fusion', f))
  ]
  limit = math.sqrt(within[0] * within[1] / (s * f))
  if abs(design.correlation_fusion_single) >= limit:
    # Rounded towards what is allowed.
    shown = math.floor(1000 * limit) / 1000
    raise errors.UserError(
      f'correlation_fusion_single={design.correlation_fusion_single:g}: with '
      f'{words.counted(s, "single modality")} correlated by '
      f'{design.correlation_single:g} and {words.counted(f, "fusion arm")} by '
      f'{design.correlation_fusion:g} it has to lie between {-shown:g} and '
      f'{shown:g}.'
    )
