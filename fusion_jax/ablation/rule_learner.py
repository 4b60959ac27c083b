"""Late rules: what joins the predictions of other arms."""

from __future__ import annotations

import json
import pathlib
import time

import numpy as np

from fusion_jax.ablation import learner, views
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import inner, preprocess
from fusion_jax.fusion import late

_FITTED = 'fitted.npz'
_RULE = 'rule.json'
_EXTRA = 'extra.json'
# Of the cross-validation of rules that choose something by one.
_FOLDS = 5


def _folds(
  rule: late.Rule, cohort: cohort_lib.Cohort, valid: np.ndarray, seed: int
) -> np.ndarray | None:
  """Folds of the validation part; None where the rule needs none."""
  if not rule.folds or len(np.unique(cohort.patient[valid])) < _FOLDS:
    return None
  return inner.folds(cohort, valid, _FOLDS, seed)


def _count(values) -> int:
  """How many numbers there are in lists of lists."""
  return sum(map(_count, values)) if isinstance(values, list) else 1


class Rule(learner.Learner):
  """Late rules; they see upstream predictions only."""

  joins = True

  def __init__(self, arm, task):
    super().__init__(arm, task)
    self._rule = late.create(arm.rule)

  @classmethod
  def reads(cls, x):
    return x.view == views.LOGITS

  @classmethod
  def claims(cls, arm):
    rule = late.create(arm.rule)
    return rule.tasks, rule.interactions, 'left out'

  def check(self, job):
    """Nothing is trained on the rows that the arms below were trained on."""

  def present(
    self, cohort: cohort_lib.Cohort, rows: np.ndarray
  ) -> dict[str, np.ndarray]:
    """By term, (len(rows),) bool: whether any of its modalities is there."""
    return {
      term: np.any([cohort.present[m][rows] for m in modalities], axis=0)
      for term, (_, modalities) in self.arm.terms.items()
    }

  def fit(self, jobs, on_epoch=None):
    del on_epoch
    return [self._fit_one(job) for job in jobs]

  def _fit_one(self, job):
    start = time.perf_counter()
    cohort, valid = job.inputs.cohort, job.split.valid
    rule = late.fit_late(
      self.arm.rule,
      task=self.task,
      valid_logits={m: x[valid] for m, x in job.inputs.logits.items()},
      valid_present=self.present(cohort, valid),
      valid_labels=cohort.labels[valid],
      valid_weight=None if cohort.weight is None else cohort.weight[valid],
      valid_fold=_folds(self._rule, cohort, valid, job.seed),
    )
    return learner.Trained(
      models=(rule,),
      parameters=self.parameters([rule], job.inputs.fitted),
      seconds=time.perf_counter() - start,
    )

  def size(self, model):
    return sum(_count(x) for k, x in model.state.items() if k != 'penalty')

  def logits(self, trained, inputs, rows):
    out = []
    for t, seen, at in zip(trained, inputs, rows, strict=True):
      present = self.present(seen.cohort, at)
      logits = {m: x[at] for m, x in seen.logits.items()}
      out.append(t.models[0].apply(logits, present))
    return out

  def save(self, trained, folder, *, fitted, extra):
    folder = pathlib.Path(folder)
    folder.mkdir()
    (folder / _RULE).write_text(json.dumps(trained.models[0].to_json()))
    (folder / _EXTRA).write_text(json.dumps(extra), encoding='utf-8')
    with open(folder / _FITTED, 'wb') as f:
      np.savez(f, **fitted.to_arrays())

  def load(self, folder):
    folder = pathlib.Path(folder)
    rule = late.LateRule.from_json(json.loads((folder / _RULE).read_text()))
    with np.load(folder / _FITTED, allow_pickle=False) as f:
      fitted = preprocess.Fitted.from_arrays({k: f[k] for k in f.files})
    parameters = self.parameters([rule], fitted)
    return learner.Trained((rule,), parameters), fitted
