"""Gaussian processes as a learner (training/gaussian_process.py).

The marginal likelihood of the training rows chooses their covariance, so that
they want no validation rows. In small cohorts they are fitted on both parts, as
elastic nets and trees are, and rows are predicted without their fold for
whatever needs predictions of studies that a model has not seen.
"""

import numpy as np

from fusion_jax.ablation import classical_learners
from fusion_jax.data import kind as kinds
from fusion_jax.training import cross_validated, gaussian_process


class GaussianProcess(classical_learners.Classical):
  """Gaussian processes on what elastic nets see."""

  settings = ('inner_folds',)
  record = 'numbers, indicators and one column a level'
  _kind = gaussian_process.GaussianProcess
  _file = 'gaussian_process.npz'
  _columns = kinds.LINEAR
  _absent = 0.0

  @classmethod
  def claims(cls, arm):
    del arm
    return gaussian_process.TASKS, True, 'indicator'

  def _fit(self, is_categorical, *, task, x, labels, weight, seed, **valid):
    del is_categorical, valid
    return gaussian_process.fit(
      task=task, x=x, labels=labels, weight=weight, seed=seed
    )

  def _cross_validate(
    self, is_categorical, candidates, *, task, x, labels, weight, fold, seed
  ):
    del is_categorical, candidates
    out = np.zeros((len(x), task.num_outputs))
    for number in np.unique(fold):
      kept = fold != number
      model = gaussian_process.fit(
        task=task,
        x=x[kept],
        labels=labels[kept],
        weight=None if weight is None else weight[kept],
        seed=seed,
      )
      out[~kept] = model.logits(x[~kept])
    model = gaussian_process.fit(
      task=task, x=x, labels=labels, weight=weight, seed=seed
    )
    return cross_validated.Tuned(model, out)

  def _chosen(self, model):
    lengths = [x.numbers[-1] for part in model.parts for x in part.processes]
    return {'length': tuple(map(float, lengths))}
