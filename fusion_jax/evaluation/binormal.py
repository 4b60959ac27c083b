"""AUROCs of correlated binormal scores and the covariance of their estimates.

Given the label, the scores of a study's arms are jointly normal with unit
variance; arm a has AUROC Phi(h_a), that is, its scores of events lie
sqrt(2) h_a higher. All covariances then are integrals of the bivariate normal
density phi over its correlation (Plackett, 1954, Biometrika 41, 351-360).
"""

import dataclasses
import functools

import numpy as np
from scipy import special

# Of Gauss and Legendre: the integrands are smooth after a change of variable.
_NODES = 64


@dataclasses.dataclass(frozen=True)
class Clusters:
  """How studies belong to patients; a patient's studies share their label.

  Attributes:
    mean: studies per patient, 1 or more. Numbers in between are patients with
      the next lower and the next higher number.
    icc: correlation of an arm's scores in two studies of one patient, given
      the label; across two arms it is that of the arms times `icc`.
  """

  mean: float = 1.0
  icc: float = 0.0

  @property
  def others(self) -> float:
    """Other studies of a study's patient, on average over studies."""
    low = np.floor(self.mean)
    more = self.mean - low
    square = (1 - more) * low**2 + more * (low + 1) ** 2
    return float(square / self.mean - 1)

  @property
  def design_effect(self) -> float:
    """1 + others * icc (Kish, 1965): how much larger variances are."""
    return 1 + self.others * self.icc


def shift(auroc: np.ndarray) -> np.ndarray:
  """By how much scores of events are higher, in standard deviations."""
  return np.sqrt(2) * special.ndtri(auroc)


def covariance(
  auroc: np.ndarray,
  correlation: np.ndarray,
  *,
  patients: float,
  prevalence: float,
  clusters: Clusters = Clusters(),
  folds: int = 1,
) -> np.ndarray:
  """(a, a) covariance of the estimated AUROCs of a arms on the same studies.

  Exact for one study per patient: with m events and n others,
  (joint + (m + n - 2) single) / (m n), where `single` is the covariance of two
  placement values of one study (DeLong's S10 and S01, equal here) and `joint`
  that of the comparisons of one event with one other (Bamber, 1975, equation
  13, for two arms). Studies of one patient add the covariance of their
  placement values, less a term of order 1 / (m n).

  The mean of k per-fold AUROCs has the same variance but for `joint`, of which
  there are k times fewer pairs.

  Args:
    auroc: (a,) true ones.
    correlation: (a, a) of the scores of a study given the label.
    patients: number of them.
    prevalence: share of patients with the event.
    clusters: how many studies they have and how alike these are.
    folds: number of parts of equal size of which AUROCs are averaged.
  """
  h = special.ndtri(np.asarray(auroc, float))
  correlation = np.asarray(correlation, float)
  events = patients * prevalence * clusters.mean
  others = patients * (1 - prevalence) * clusters.mean
  single = excess(h, correlation / 2)
  again = excess(h, clusters.icc * correlation / 2)
  joint = excess(h, correlation)
  placements = single + clusters.others * again
  pairs = folds * (joint - 2 * single) / (events * others)
  return placements * (1 / events + 1 / others) + pairs


def excess(h: np.ndarray, correlation: np.ndarray) -> np.ndarray:
  """(a, a) P(x <= h_a, y <= h_b) - Phi(h_a) Phi(h_b) of correlated x and y.

  With r = sin(t), the integral of phi(h_a, h_b; r) over r from 0 to the
  correlation is that of exp(-(h_a^2 + h_b^2 - 2 h_a h_b r) / (2 (1 - r^2)))
  / (2 pi) over t.

  Args:
    h: (a,) finite.
    correlation: (a, a) from -1 to 1.
  """
  h = np.asarray(h, float)
  end = np.arcsin(np.clip(correlation, -1, 1))[..., None]
  nodes, weights = _legendre()
  t = end * (nodes + 1) / 2
  a, b = h[:, None, None], h[None, :, None]
  # The exponent, with what vanishes in both halves at t = pi / 2 divided out.
  power = (a - b) ** 2 / (2 * np.cos(t) ** 2) + a * b / (1 + np.sin(t))
  return (np.exp(-power) * weights).sum(axis=-1) * end[..., 0] / (4 * np.pi)


def draw(
  rng: np.random.Generator,
  *,
  auroc: np.ndarray,
  correlation: np.ndarray,
  patients: int,
  prevalence: float,
  clusters: Clusters = Clusters(),
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Patients (n,) int, labels (n,) bool and scores (a, n) of the model.

  The number of patients with the event is the expected one, rounded, but at
  least 1 and at most all but 1.
  """
  low = int(np.floor(clusters.mean))
  several = rng.random(patients) < clusters.mean - low
  patient = np.repeat(np.arange(patients), low + several)
  events = int(np.clip(round(patients * prevalence), 1, patients - 1))
  sick = rng.permutation(patients) < events
  root = np.linalg.cholesky(np.asarray(correlation, float))
  a = len(root)
  own = rng.standard_normal((a, patients))[:, patient]
  noise = rng.standard_normal((a, len(patient)))
  scores = root @ (
    np.sqrt(clusters.icc) * own + np.sqrt(1 - clusters.icc) * noise
  )
  label = sick[patient]
  return patient, label, scores + shift(np.asarray(auroc))[:, None] * label


@functools.cache
def _legendre() -> tuple[np.ndarray, np.ndarray]:
  """Nodes and weights on -1 to 1."""
  return np.polynomial.legendre.leggauss(_NODES)
