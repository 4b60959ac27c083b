"""Predictions of two modalities, for tests of late rules."""

import numpy as np

from fusion_jax.core import types
from fusion_jax.fusion import late

TASKS = {
  types.BINARY: types.Task(types.BINARY, ('y',)),
  types.MULTICLASS: types.Task(types.MULTICLASS, ('a', 'b', 'c')),
  types.MULTILABEL: types.Task(types.MULTILABEL, ('a', 'b')),
  types.REGRESSION: types.Task(types.REGRESSION, ('y',)),
  types.SURVIVAL: types.Task(types.SURVIVAL, ('t', 'e')),
}
BINARY = TASKS[types.BINARY]


def example(kind, n=120, seed=0, absent=0.2):
  """Logits of two modalities, presence, labels; some absent, some unknown."""
  rng = np.random.default_rng(seed)
  task = TASKS[kind]
  s = task.num_outputs
  truth = rng.normal(size=(n, s))
  logits = {
    'image': truth + rng.normal(size=(n, s)),
    'ehr': 0.6 * (truth + 1.2 * rng.normal(size=(n, s))) + 0.2,
  }
  present = {name: rng.random(n) >= absent for name in logits}
  if kind == types.MULTICLASS:
    labels = (2 * truth + rng.gumbel(size=(n, s))).argmax(axis=1)[:, None]
  elif kind == types.REGRESSION:
    labels = 10 + 3 * truth + rng.normal(size=(n, 1))
    logits = {name: 10 + 2 * value for name, value in logits.items()}
  elif kind == types.SURVIVAL:
    time = rng.exponential(size=n) * np.exp(-truth[:, 0])
    labels = np.stack([time, rng.random(n) < 0.7], axis=1)
  else:
    labels = 2 * truth + rng.logistic(size=(n, s)) > 0
  labels = labels.astype(np.float64)
  labels[rng.random(labels.shape) < 0.1] = np.nan
  return logits, present, labels


def fit(rule, kind, logits, present, labels, weight=None, fold=None):
  return late.fit_late(
    rule,
    task=TASKS[kind],
    valid_logits=logits,
    valid_present=present,
    valid_labels=labels,
    valid_weight=weight,
    valid_fold=fold,
  )


def everyone(logits):
  return {name: np.ones(len(x), bool) for name, x in logits.items()}
