"""Runs from scores alone: binormal arms whose true AUROCs are known.

Given the label, the scores of a study's arms are normal with unit variance;
AUROC = Phi(d / sqrt 2) for a shift d. Single arms see one of two latent
modalities, fusion arms both. All studies of a patient have one label, and half
of the variance of the scores is the patient's. The scoring rules are fixed:
no arm is trained, so that test parts are independent and the factor is 1.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special

from experiments.studies.calibration import cells, former
from fusion_jax.core import types
from fusion_jax.evaluation import comparison, delong, resampling
from fusion_jax.evaluation import estimates as estimates_lib
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import verdict as verdict_lib

PREVALENCE = 0.3
MARGIN = 0.02
METRIC = 'auroc'
TASK = types.Task(types.BINARY, ('event',))
# Share of an arm's variance that is of the modalities it sees, and the
# correlation of the two modalities, all within a class.
_SEEN, _BETWEEN = 0.8, 0.3
_OF_PATIENT = 0.5
# Validation studies, as a share of those tested; the former rule needs them.
_VALID = 0.25
# Share of the variance of a score that differs between seeds.
_OF_SEED = 0.05
# Studies in which the twins differ from the first single arm.
_TWINS = (1, 3)
_ROUNDING = 1e-12


def singles(cell: cells.Cell) -> tuple[str, ...]:
  """Names of the single-modality arms."""
  return tuple(f'single{i}' for i in range(len(cell.singles)))


def fusions(cell: cells.Cell) -> tuple[str, ...]:
  """Names of the fusion arms; the first has the cell's gain."""
  return tuple(f'fusion{i}' for i in range(cell.k))


def truth(cell: cells.Cell) -> dict[str, float]:
  """The true AUROC of every arm."""
  best = max(cell.singles)
  areas = dict(zip(singles(cell), cell.singles, strict=True))
  for i, arm in enumerate(fusions(cell)):
    areas[arm] = best + (cell.gain if cell.every or not i else 0.0)
  if cell.twins:
    areas |= dict.fromkeys(fusions(cell)[-len(_TWINS) :], cell.singles[0])
  return areas


def correlation(cell: cells.Cell) -> np.ndarray:
  """(a, a) correlation of the arms' scores within a class.

  Single arms see the two modalities in turn, fusion arms half of each.
  """
  s = len(cell.singles)
  seen = np.zeros((s + cell.k, 2))
  seen[np.arange(s), np.arange(s) % 2] = math.sqrt(_SEEN)
  seen[s:] = math.sqrt(_SEEN / 2)
  between = np.array([[1, _BETWEEN], [_BETWEEN, 1]])
  covariance = seen @ between @ seen.T + (1 - _SEEN) * np.eye(len(seen))
  sd = np.sqrt(np.diagonal(covariance))
  return covariance / np.outer(sd, sd)


def draw(
  cell: cells.Cell, rng: np.random.Generator, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Patients (n,) int, labels (n,) bool and scores (m, a, n) of n studies.

  Arms are in the order of `truth`, m are the seeds. At least one patient of
  each class.
  """
  areas = np.array(list(truth(cell).values()))
  a, m = len(areas), cell.seeds
  shifts = math.sqrt(2) * special.ndtri(areas)
  root = np.linalg.cholesky(correlation(cell))
  patients = max(2, math.ceil(n / cell.per_patient))
  patient = np.minimum(np.arange(n) // cell.per_patient, patients - 1)
  sick = rng.random(patients) < PREVALENCE
  sick[0], sick[1] = True, False
  if cell.events:
    sick = np.arange(patients) < cell.events
  noise = rng.standard_normal((a, n))
  if cell.per_patient > 1:
    noise *= math.sqrt(1 - _OF_PATIENT)
    own = rng.standard_normal((a, patients))
    noise += math.sqrt(_OF_PATIENT) * own[:, patient]
  noise = np.repeat((root @ noise)[None], m, axis=0)
  if m > 1:
    noise *= math.sqrt(1 - _OF_SEED)
    noise += math.sqrt(_OF_SEED) * rng.standard_normal((m, a, n))
  label = sick[patient]
  scores = noise + shifts[:, None] * label
  if cell.twins:
    for place, count in enumerate(_TWINS, start=a - len(_TWINS)):
      scores[:, place] = scores[:, 0]
      scores[:, place, rng.choice(n, min(count, n), replace=False)] += 1.0
  return patient, label, scores


def parts(
  cell: cells.Cell, settings: cells.Settings, run: int
) -> tuple[list[folds_lib.Fold], folds_lib.Fold]:
  """(test parts, validation) of a run, the same for all procedures."""
  rng = cell.rng(settings.seed, run)
  test = _folds(cell, draw(cell, rng, cell.n), cell.folds)
  valid = draw(cell, rng, max(4, round(_VALID * cell.n)))
  return test, _folds(cell, valid, 1)[0]


def assess(
  cell: cells.Cell,
  settings: cells.Settings,
  run: int,
  test: Sequence[folds_lib.Fold],
) -> tuple[np.ndarray, np.ndarray, comparison.Families]:
  """(g, a) AUROCs, their replicates, and what makes families of them."""
  arms = list(truth(cell))
  values = auroc(test, arms)
  replicates = resampled(settings, run, test, arms).by_fold
  return (
    values,
    replicates,
    comparison.resampled(arms, replicates, values, 1.0),
  )


def resampled(
  settings: cells.Settings,
  run: int,
  test: Sequence[folds_lib.Fold],
  arms: Sequence[str],
) -> resampling.Replicates:
  """Bootstrap replicates of the arms' AUROCs, patients drawn by the run."""
  return resampling.replicate(
    TASK,
    test,
    arms=arms,
    wanted=[METRIC],
    metric=METRIC,
    resamples=resampling.draw(
      np.concatenate([f.patient for f in test]),
      replicates=settings.replicates,
      seed=run,
    ),
  )


def verdict(
  cell: cells.Cell, settings: cells.Settings, run: int
) -> Mapping[str, float]:
  """The library's own procedure on one data set, and the former one beside it.

  Outcomes: those of `judged`; `found` and `same` (the first fusion arm is
  called superior, equivalent); `others_width` where there are twins (the
  width of the first arm's interval with the twins in the family over that
  without them); what `former.outcomes` says; `fewest` (patients in the smaller
  class).
  """
  test, valid = parts(cell, settings, run)
  true = truth(cell)
  arms, names = list(true), fusions(cell)
  values, _, families = assess(cell, settings, run, test)
  common = {
    'arms': arms,
    'values': values,
    'margin': MARGIN,
    'families': families,
  }
  gains = comparison.compare(
    **common, fusions=names, singles=singles(cell)
  ).gains
  delta = gain_of(cell)
  outcomes = {
    **judged(gains, [delta[arm] for arm in names]),
    'found': float(gains[0].verdict == verdict_lib.SUPERIOR),
    'same': float(gains[0].verdict == verdict_lib.EQUIVALENT),
    **former.outcomes(
      common,
      singles(cell),
      names,
      auroc([valid], singles(cell))[0],
      gains,
      delta,
    ),
    'fewest': fewest(test),
  }
  if cell.twins:
    without = comparison.compare(
      **common, fusions=names[: -len(_TWINS)], singles=singles(cell)
    ).gains
    outcomes['others_width'] = _width(gains[0]) / _width(without[0])
  return outcomes


def judged(
  gains: Sequence[comparison.Gain], delta: Sequence[float]
) -> dict[str, float]:
  """How a run's verdicts and bounds stand to the truth.

  Args:
    gains: of the fusion arms.
    delta: their true gains.

  Returns:
    `superior` (any arm with delta <= 0 is called so), `inferior` (any with
    delta >= 0), `equivalent` (any with |delta| >= margin), NaN where there is
    no such arm; `covered` (all intervals hold their delta); `width` (mean).
  """

  def wrongly(verdict, wrong):
    called = [
      g.verdict == verdict for g, w in zip(gains, wrong, strict=True) if w
    ]
    return float(any(called)) if called else math.nan

  delta = np.asarray(delta)
  widths = np.array([_width(g) for g in gains])
  return {
    'superior': wrongly(verdict_lib.SUPERIOR, delta <= _ROUNDING),
    'inferior': wrongly(verdict_lib.INFERIOR, delta >= -_ROUNDING),
    'equivalent': wrongly(
      verdict_lib.EQUIVALENT, np.abs(delta) >= MARGIN - _ROUNDING
    ),
    # An interval that does not exist claims nothing.
    'covered': float(
      all(
        not g.low > d + _ROUNDING and not g.high < d - _ROUNDING
        for g, d in zip(gains, delta, strict=True)
      )
    ),
    'width': float(np.nanmean(widths))
    if np.isfinite(widths).any()
    else math.nan,
  }


def gain_of(cell: cells.Cell) -> dict[str, float]:
  """The true gain of every fusion arm over the best single one."""
  true = truth(cell)
  return {arm: true[arm] - max(cell.singles) for arm in fusions(cell)}


def naive(
  cell: cells.Cell, settings: cells.Settings, run: int
) -> Mapping[str, float]:
  """What papers do on the same data: the best arm on the test part, DeLong.

  Outcomes, each a share of runs in which a gain that is not there is claimed
  at the one-sided 2.5% level, studies taken as independent: `best_of_k`
  (against the better single arm on the test part), `against_weaker` (the
  same against the weakest one and read as a gain of fusion) and `one_arm` (one
  fixed arm without a gain against the first single arm).
  """
  (test, *_), _ = parts(cell, settings, run)
  arms, names = list(truth(cell)), fusions(cell)
  areas = delong.areas(
    test.labels[:, 0] > 0,
    np.stack([test.scores[arm][0][:, 0] for arm in arms]),
  )
  place = {arm: i for i, arm in enumerate(arms)}
  best = max(names, key=lambda arm: areas.auroc[place[arm]])
  order = sorted(singles(cell), key=lambda arm: areas.auroc[place[arm]])

  def claimed(arm, single):
    return float(delong.difference(areas, place[arm], place[single]).low > 0)

  return {
    'best_of_k': claimed(best, order[-1]),
    'against_weaker': claimed(best, order[0]),
    'one_arm': claimed(names[-1], singles(cell)[0]),
    'fewest': fewest([test]),
  }


def auroc(folds: Sequence[folds_lib.Fold], arms: Sequence[str]) -> np.ndarray:
  """(g, a) AUROCs, means over seeds."""
  return estimates_lib.estimate(TASK, folds, arms=arms, wanted=[METRIC]).values[
    METRIC
  ]


def fewest(folds: Sequence[folds_lib.Fold]) -> float:
  """Patients in the smaller class."""
  patient = np.concatenate([f.patient for f in folds])
  labels = np.concatenate([f.labels[:, 0] for f in folds])
  return float(min(len(np.unique(patient[labels == y])) for y in (0, 1)))


def _width(gain) -> float:
  return gain.high - gain.low


def _folds(cell, drawn, count) -> list[folds_lib.Fold]:
  """The studies in `count` test parts by patient."""
  patient, label, scores = drawn
  number = np.arange(len(patient))
  arms = list(truth(cell))
  folds = []
  for fold in range(count):
    rows = patient % count == fold
    folds.append(
      folds_lib.Fold(
        repeat=0,
        fold=fold,
        study=np.array([f's{i:06}' for i in number[rows]]),
        patient=np.array([f'p{i:06}' for i in patient[rows]]),
        labels=label[rows, None].astype(float),
        weight=np.ones(rows.sum()),
        complete=np.ones(rows.sum(), bool),
        scores={
          arm: {
            m: special.ndtr(of_seed[a, rows])[:, None]
            for m, of_seed in enumerate(scores)
          }
          for a, arm in enumerate(arms)
        },
      )
    )
  return folds
