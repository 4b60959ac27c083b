"""What shared training data costs: folds whose models' true AUROCs are known.

Given the label, image and EHR columns are normal with one covariance. A linear
score x'w is then normal given the label, and the true AUROC of a trained model
is Phi(w'm / sqrt(2 w'Sw)), exactly; those of trees and networks are measured on
FRESH new studies. Every patient has one study. The bounds of a run are d -+
c * factor * se, so that one run serves every factor.
"""

import dataclasses
import math
import warnings
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special
from sklearn import ensemble, exceptions, linear_model, neural_network

from experiments.studies.calibration import cells, scores
from fusion_jax.evaluation import bounds, comparison, delong
from fusion_jax.evaluation import folds as folds_lib

LDA, ELASTIC_NET, TREES, NETWORK = 'lda', 'elastic_net', 'trees', 'network'
# Those that the factor is chosen by, and those that are shown beside them.
JUDGED = (LDA, ELASTIC_NET)
LEARNERS = (*JUDGED, TREES, NETWORK)
TIED, COPY, NOISE = 'tied', 'copy', 'noise'
LAYOUTS = (TIED, COPY, NOISE)
FEW, MANY = (8, 4), (60, 30)
FACTORS = tuple(round(1 + 0.05 * i, 2) for i in range(13))
FRESH = 20_000

SINGLES = ('image', 'ehr')
# Weights of the two single arms' standardised scores in late fusion.
LATE = {'late_mean': (0.5, 0.5), 'late_three_to_one': (0.75, 0.25)}
FUSIONS = ('joint', *LATE)
ARMS = (*SINGLES, *FUSIONS)

_AUROC = 0.75
_PREVALENCE = 0.5
_COPY_NOISE = 0.8
_RIDGE = 0.1
_ROUNDING = 1e-12


@dataclasses.dataclass(frozen=True)
class Cell:
  """One learner in one world.

  Attributes:
    part: the learner.
    n: studies of the cohort, all of which are tested in some fold.
    folds: K.
    columns: of the image, and of the EHR.
    layout: 'tied' (two independent modalities of equal worth), 'copy' (the EHR
      is a noisy copy of the image) or 'noise' (the EHR says nothing).
  """

  part: str
  n: int
  folds: int
  columns: tuple[int, int]
  layout: str

  @property
  def k(self) -> int:
    """Number of fusion arms, by which `cells.run` orders its work."""
    return len(FUSIONS)

  @property
  def name(self) -> str:
    return (
      f'{self.part}-n{self.n}-f{self.folds}-p{sum(self.columns)}-{self.layout}'
    )

  def rng(self, seed: int, run: int) -> np.random.Generator:
    """Of one run, whatever else has run."""
    return np.random.default_rng([seed, zlib.crc32(self.name.encode()), run])


def geometry(cell: Cell) -> tuple[np.ndarray, np.ndarray]:
  """Shift (p,) between the classes and mixing (p, q) of standard normals."""
  image, ehr = cell.columns
  d = math.sqrt(2) * special.ndtri(_AUROC)
  mixing = np.eye(image + ehr)
  shift = np.concatenate(
    [np.full(image, d / math.sqrt(image)), np.full(ehr, d / math.sqrt(ehr))]
  )
  if cell.layout == NOISE:
    shift[image:] = 0
  elif cell.layout == COPY:
    mixing[image:] *= _COPY_NOISE
    mixing[np.arange(image, image + ehr), np.arange(ehr)] = 1
    shift[image:] = shift[:ehr]
  return shift, mixing


def draw(
  cell: Cell, rng: np.random.Generator, n: int
) -> tuple[np.ndarray, np.ndarray]:
  """(n, p) columns and (n,) labels; at least two studies of each class."""
  shift, mixing = geometry(cell)
  y = rng.random(n) < _PREVALENCE
  y[:2], y[2:4] = True, False
  x = rng.standard_normal((n, mixing.shape[1])) @ mixing.T
  return x + y[:, None] * shift, y


def true_auroc(cell: Cell, weights: np.ndarray) -> float:
  """AUROC of the score x @ weights in the population; .5 if constant."""
  shift, mixing = geometry(cell)
  spread = float(((mixing.T @ weights) ** 2).sum())
  if spread <= 0:
    return 0.5
  return float(special.ndtr(weights @ shift / math.sqrt(2 * spread)))


def simulate(
  cell: Cell, settings: cells.Settings, run: int
) -> Mapping[str, float]:
  """One cohort in K folds, from training to verdicts at every factor.

  Outcomes, each as NAME@FACTOR: those of `scores.judged` but the width, about
  the true gains of these trained models; `single_covered` (share of the
  differences from single arms inside their bounds) and `arm_covered` (share of
  the arms' own intervals that hold the true AUROC). And `fewest` (patients in
  the smaller class) and `squared_z` (mean square of a difference's error in
  bootstrap standard errors: 1 if these are right).
  """
  rng = cell.rng(settings.seed, run)
  x, y = draw(cell, rng, cell.n)
  fold = rng.permutation(cell.n) % cell.folds
  fresh = None
  if cell.part not in JUDGED:
    fresh = draw(cell, rng, FRESH)
  test, true = [], []
  for g in range(cell.folds):
    rows = np.flatnonzero(fold == g)
    train = np.flatnonzero(fold != g)
    values, areas = _arms(cell, x, y, train, rows, fresh, run)
    test.append(_fold(g, rows, y, values))
    true.append(areas)
  areas = dict(zip(ARMS, np.mean(true, axis=0), strict=True))
  return {
    **_at_every_factor(test, areas, settings, run),
    'fewest': scores.fewest(test),
  }


def _at_every_factor(test, areas, settings, run) -> dict[str, float]:
  values = scores.auroc(test, ARMS)
  replicates = scores.resampled(settings, run, test, ARMS)
  best = max(areas[a] for a in SINGLES)
  delta = [areas[a] - best for a in FUSIONS]
  single = np.array([[areas[f] - areas[s] for s in SINGLES] for f in FUSIONS])
  made = comparison.resampled(ARMS, replicates.by_fold, values, 1.0)
  outcomes: dict[str, float] = {}
  for factor in FACTORS:
    compared = comparison.compare(
      arms=ARMS,
      fusions=FUSIONS,
      singles=SINGLES,
      values=values,
      margin=scores.MARGIN,
      families=lambda *x, factor=factor: made(*x).with_factor(factor),
    )
    family = compared.family
    inside = (family.low <= single + _ROUNDING) & (
      single - _ROUNDING <= family.high
    )
    of_arms = []
    for a, arm in enumerate(ARMS):
      low, high, _ = bounds.of_metric(
        scores.METRIC,
        float(np.nanmean(values[:, a])),
        replicates.means[a, 0],
        factor=factor,
      )
      of_arms.append(low <= areas[arm] <= high)
    judged = scores.judged(compared.gains, delta)
    judged.pop('width')
    judged |= {
      'single_covered': float(inside.mean()),
      'arm_covered': float(np.mean(of_arms)),
    }
    outcomes |= {f'{name}@{factor:.2f}': x for name, x in judged.items()}
  error = (family.difference - single) / family.se
  return {**outcomes, 'squared_z': float(np.mean(error**2))}


def _arms(cell, x, y, train, rows, fresh, run) -> tuple[np.ndarray, np.ndarray]:
  """(a, n) test scores and (a,) true AUROCs of the arms of one fold."""
  image = cell.columns[0]
  used = {
    'image': np.arange(image),
    'ehr': np.arange(image, x.shape[1]),
    'joint': np.arange(x.shape[1]),
  }
  if cell.part in JUDGED:
    weights = {
      arm: _linear(cell.part, x[train], y[train], columns)
      for arm, columns in used.items()
    }
    # Scores are put on one scale by their spread on the training part.
    scaled = {
      arm: weights[arm] / max(float((x[train] @ weights[arm]).std()), 1e-9)
      for arm in SINGLES
    }
    for arm, (a, b) in LATE.items():
      weights[arm] = a * scaled['image'] + b * scaled['ehr']
    found = np.stack([x[rows] @ weights[arm] for arm in ARMS])
    return found, np.array([true_auroc(cell, weights[arm]) for arm in ARMS])
  new_x, new_y = fresh
  both = np.concatenate([x[rows], new_x])
  logits = {
    arm: _curved(cell.part, x[train], y[train], columns, both, run)
    for arm, columns in used.items()
  }
  for arm, (a, b) in LATE.items():
    logits[arm] = a * logits['image'] + b * logits['ehr']
  found = np.stack([logits[arm] for arm in ARMS])
  here = len(rows)
  return found[:, :here], delong.areas(new_y, found[:, here:]).auroc


def _linear(learner, x, y, columns) -> np.ndarray:
  """(p,) weights of a linear score on some of the columns."""
  z = x[:, columns]
  weights = np.zeros(x.shape[1])
  if learner == LDA:
    means = np.stack([z[~y].mean(axis=0), z[y].mean(axis=0)])
    within = z - means[y.astype(int)]
    covariance = within.T @ within / len(z)
    ridge = _RIDGE * np.trace(covariance) / len(columns)
    weights[columns] = np.linalg.solve(
      covariance + ridge * np.eye(len(columns)), means[1] - means[0]
    )
    return weights
  target = y - y.mean()
  centred = z - z.mean(axis=0)
  # A tenth of the penalty that removes every column.
  most = np.abs(centred.T @ target).max() / (0.5 * len(z))
  fitted = linear_model.ElasticNet(alpha=0.1 * most, l1_ratio=0.5).fit(
    centred, target
  )
  weights[columns] = fitted.coef_
  return weights


def _curved(learner, x, y, columns, wanted, run) -> np.ndarray:
  """(n,) log odds of a learner that is not linear."""
  if learner == TREES:
    model = ensemble.HistGradientBoostingClassifier(
      max_iter=40, max_leaf_nodes=8, min_samples_leaf=10, random_state=run
    )
  else:
    model = neural_network.MLPClassifier(
      (16,),
      solver='lbfgs',
      alpha=1.0,
      max_iter=60,
      random_state=run,
    )
  with warnings.catch_warnings():
    # Networks are stopped early on purpose.
    warnings.simplefilter('ignore', exceptions.ConvergenceWarning)
    model.fit(x[:, columns], y)
  p = model.predict_proba(wanted[:, columns])[:, 1]
  return special.logit(np.clip(p, 1e-6, 1 - 1e-6))


def _fold(g, rows, y, values) -> folds_lib.Fold:
  names = np.char.add('p', rows.astype(str))
  order = np.argsort(names)
  return folds_lib.Fold(
    repeat=0,
    fold=g,
    study=names[order],
    patient=names[order],
    labels=y[rows][order, None].astype(float),
    weight=np.ones(len(rows)),
    complete=np.ones(len(rows), bool),
    scores={
      arm: {0: v[order, None]} for arm, v in zip(ARMS, values, strict=True)
    },
  )


def grid(learners: Sequence[str] = LEARNERS) -> list[Cell]:
  """All cells of the learners that are judged, a few of the others."""
  worlds = [(COPY, 120), (COPY, 300), (COPY, 1000), (TIED, 300), (NOISE, 300)]
  chosen = []
  for learner in learners:
    if learner in JUDGED:
      chosen += [
        Cell(learner, n, folds, columns, layout)
        for columns in (FEW, MANY)
        for layout, n in worlds
        for folds in (3, 5, 10)
      ]
    else:
      chosen += [Cell(learner, 300, folds, FEW, COPY) for folds in (3, 5, 10)]
  return chosen
