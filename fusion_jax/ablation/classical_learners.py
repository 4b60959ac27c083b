"""Elastic nets, boosted trees and late rules: one node at a time.

In small cohorts elastic nets and trees are tuned by a cross-validation over the
training and validation parts and fitted on both (training/cross_validated.py).
"""

import abc
import json
import pathlib
import time
from collections.abc import Sequence

import numpy as np

from fusion_jax.ablation import arms as arms_lib
from fusion_jax.ablation import learner
from fusion_jax.ablation import rows as rows_lib
from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import inner, preprocess
from fusion_jax.fusion import late
from fusion_jax.training import classical, cross_validated

_FITTED = 'fitted.npz'
_RULE = 'rule.json'
_EXTRA = 'extra.json'
# Of the cross-validation that chooses a stack's penalty.
_STACK_FOLDS = 5


class _Classical(learner.Learner):
  """Learners of a table of numbers, one node at a time."""

  def fit(self, jobs, on_epoch=None):
    del on_epoch
    return [self._fit_one(job) for job in jobs]

  def _fit_one(self, job):
    start = time.perf_counter()
    valid = rows_lib.usable(self.arm, job.inputs.cohort, job.split.valid)
    found, unseen = [], []
    for half, train in enumerate(learner.model_rows(self.arm, job)):
      if job.inner_folds:
        tuned = self._tune(job, half, train, valid)
        found.append(tuned.model)
        unseen.append(tuned.out_of_fold[len(train) :])
      else:
        found.append(self._learn(job, half, train, valid))
    valid_logits = None
    if unseen:
      at = np.searchsorted(job.split.valid, valid)
      valid_logits = np.full(
        (len(job.split.valid), self.task.num_outputs), np.nan
      )
      valid_logits[at] = self.mean(unseen)
    return learner.Trained(
      models=tuple(found),
      parameters=self.parameters(found, job.inputs.fitted),
      seconds=time.perf_counter() - start,
      notes=tuple(n for m in found for n in getattr(m, 'notes', ())),
      chosen=tuple(map(self._chosen, found)),
      valid_logits=valid_logits,
    )

  def _learn(self, job, half, train, valid):
    """The model that the validation part chooses."""
    cohort = job.inputs.cohort
    x, is_categorical = self._table(job.inputs, half)
    weight = cohort.weight
    return self._fit(
      is_categorical,
      task=self.task,
      x=x[train],
      labels=cohort.labels[train],
      weight=None if weight is None else weight[train],
      x_valid=x[valid],
      labels_valid=cohort.labels[valid],
      weight_valid=None if weight is None else weight[valid],
      seed=job.seed,
      **job.hyper,
    )

  def _tune(self, job, half, train, valid) -> cross_validated.Tuned:
    """The model that a cross-validation over both parts chooses."""
    cohort = job.inputs.cohort
    x, is_categorical = self._table(job.inputs, half)
    rows = np.concatenate([train, valid])
    weight = cohort.weight
    return self._cross_validate(
      is_categorical,
      self._candidates(job.inputs, x.shape[1]),
      task=self.task,
      x=x[rows],
      labels=cohort.labels[rows],
      weight=None if weight is None else weight[rows],
      fold=inner.folds(cohort, rows, job.inner_folds, job.seed),
      seed=job.seed,
      **job.hyper,
    )

  def _candidates(self, inputs, columns: int) -> list[np.ndarray]:
    """(p,) bool each, the sets of columns that a cross-validation tries.

    Of reduced pixels the first components alone, in several numbers, and all
    with the histograms; of anything else all columns.
    """
    every = np.ones(columns, bool)
    if self.arm.image_input != arms_lib.PIXELS:
      return [every]
    most = inputs.fitted.config.pixel_components
    pixels = len(inputs.fitted.pixel_fit.mean)
    found = []
    for count in (most // 4, most // 2, most):
      kept = every.copy()
      kept[count:pixels] = False
      found.append(kept)
    return [*found, every]

  @abc.abstractmethod
  def _fit(self, is_categorical, **arguments):
    """The fitted model."""

  @abc.abstractmethod
  def _cross_validate(
    self, is_categorical, candidates, **arguments
  ) -> cross_validated.Tuned:
    """The model fitted on all rows it is given, and out-of-fold logits."""

  @abc.abstractmethod
  def _chosen(self, model) -> dict[str, tuple[float, ...]]:
    """What fitting chose on the validation part (`Trained.chosen`)."""

  @abc.abstractmethod
  def _ehr(self, inputs) -> tuple[np.ndarray, np.ndarray]:
    """(n, p) columns and (p,) whether they are categorical."""

  # What stands for the features of a study without an image.
  _absent: float
  _file: str

  def blocks(
    self,
    inputs: learner.Inputs,
    half: int,
    modalities: Sequence[str] | None = None,
  ) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By modality in the table's order, (n, p) columns and (p,) kinds.

    A kind is whether the column is categorical. `modalities` are those wanted,
    all of the arm's if None.
    """
    wanted = self.arm.modalities if modalities is None else modalities
    found = {}
    if types.IMAGE in wanted:
      image = self._image(inputs, half)
      found[types.IMAGE] = image, np.zeros(image.shape[1], bool)
    if types.EHR in wanted:
      found[types.EHR] = self._ehr(inputs)
    return found

  def _table(self, inputs: learner.Inputs, half: int):
    """(n, p) columns of the arm's modalities and which are categorical."""
    columns, kinds = zip(*self.blocks(inputs, half).values(), strict=True)
    return np.concatenate(columns, axis=1), np.concatenate(kinds)

  def _image(self, inputs, half):
    here = inputs.cohort.present[types.IMAGE]
    if self.arm.image_input == arms_lib.FEATURES:
      values = inputs.features[half].astype(np.float64)
    else:
      values = inputs.fitted.pixels(inputs.cohort)
    values = np.where(here[:, None], values, self._absent)
    if self.arm.modalities == (types.IMAGE,):
      return values
    # Lets an additive learner tell absence from an average image.
    return np.concatenate([values, ~here[:, None]], axis=1)

  def size(self, model):
    return int(model.cost['parameters'])

  def logits(self, trained, inputs, rows):
    out = []
    for t, seen, at in zip(trained, inputs, rows, strict=True):
      each = [
        m.logits(self._table(seen, half)[0][at])
        for half, m in enumerate(t.models)
      ]
      out.append(self.mean(each))
    return out

  def save(self, trained, folder, *, fitted, extra):
    folder = pathlib.Path(folder)
    folder.mkdir()
    for number, model in enumerate(trained.models):
      (folder / str(number)).mkdir()
      model.save(folder / str(number) / self._file)
    pixels = self.arm.image_input == arms_lib.PIXELS
    with open(folder / _FITTED, 'wb') as f:
      np.savez(f, **fitted.to_arrays((types.IMAGE,) if pixels else ()))
    (folder / _EXTRA).write_text(json.dumps(extra), encoding='utf-8')

  def load(self, folder):
    found = [
      self._kind.load(path / self._file)
      for path in learner.model_folders(folder)
    ]
    with np.load(pathlib.Path(folder) / _FITTED, allow_pickle=False) as f:
      fitted = preprocess.Fitted.from_arrays({k: f[k] for k in f.files})
    parameters = self.parameters(found, fitted)
    return learner.Trained(tuple(found), parameters), fitted


class ElasticNet(_Classical):
  """Elastic nets."""

  _kind = classical.Linear
  _file = 'linear.npz'
  _absent = 0.0

  def _fit(self, is_categorical, **arguments):
    del is_categorical
    return classical.fit_elastic_net(**arguments)

  def _cross_validate(self, is_categorical, candidates, **arguments):
    del is_categorical, arguments['seed']  # there is nothing random in it
    return cross_validated.fit_elastic_net(candidates=candidates, **arguments)

  def _chosen(self, model):
    # That of a label that could not be learnt is infinite.
    penalties = model.penalties[np.isfinite(model.penalties)]
    return {'penalty': tuple(np.unique(penalties).tolist())}

  def _ehr(self, inputs):
    x, _ = inputs.fitted.design(inputs.cohort)
    return x, np.zeros(x.shape[1], bool)


class Trees(_Classical):
  """Gradient boosting."""

  _kind = classical.Trees
  _file = 'trees.npz'
  _absent = np.nan

  def _fit(self, is_categorical, **arguments):
    return classical.fit_trees(is_categorical=is_categorical, **arguments)

  def _cross_validate(self, is_categorical, candidates, **arguments):
    del candidates  # trees choose their columns themselves
    return cross_validated.fit_trees(is_categorical=is_categorical, **arguments)

  def _chosen(self, model):
    return {'rounds': tuple(part.rounds for part in model.parts)}

  def _ehr(self, inputs):
    return inputs.fitted.table(inputs.cohort)


def _stack_folds(
  rule: str, cohort: cohort_lib.Cohort, valid: np.ndarray, seed: int
) -> np.ndarray | None:
  """Folds of the validation part for a stack; None where it needs none."""
  if rule != late.STACK or len(np.unique(cohort.patient[valid])) < _STACK_FOLDS:
    return None
  return inner.folds(cohort, valid, _STACK_FOLDS, seed)


class Rule(learner.Learner):
  """Late rules; they see upstream predictions only."""

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
      valid_present={m: cohort.present[m][valid] for m in self.arm.modalities},
      valid_labels=cohort.labels[valid],
      valid_weight=None if cohort.weight is None else cohort.weight[valid],
      valid_fold=_stack_folds(self.arm.rule, cohort, valid, job.seed),
    )
    return learner.Trained(
      models=(rule,),
      parameters=self.parameters([rule], job.inputs.fitted),
      seconds=time.perf_counter() - start,
    )

  def size(self, model):
    used = {k: x for k, x in model.state.items() if k != 'penalty'}
    return sum(np.size(x) for x in used.values())

  def logits(self, trained, inputs, rows):
    out = []
    for t, seen, at in zip(trained, inputs, rows, strict=True):
      present = {m: seen.cohort.present[m][at] for m in self.arm.modalities}
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
