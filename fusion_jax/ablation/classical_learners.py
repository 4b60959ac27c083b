"""Elastic nets, boosted trees and kernel machines: one node at a time.

In small cohorts they are tuned by a cross-validation over the training and
validation parts and fitted on both (training/cross_validated.py).
"""

from __future__ import annotations

import abc
import dataclasses
import json
import math
import pathlib
import time
from collections.abc import Sequence

import numpy as np

from fusion_jax.ablation import learner, views
from fusion_jax.ablation import rows as rows_lib
from fusion_jax.core import errors, types
from fusion_jax.data import inner, preprocess
from fusion_jax.data import kind as kinds
from fusion_jax.training import classical, cross_validated, kernel_machine

_FITTED = 'fitted.npz'
_EXTRA = 'extra.json'


@dataclasses.dataclass(frozen=True)
class ClassicalConfig:
  """Hyperparameters of the classical learners' first trial.

  Attributes:
    l1_ratio: elastic net: share of the absolute penalty.
    learning_rate: gradient boosting: shrinkage of each tree.
    max_leaf_nodes: gradient boosting: leaves of a tree.
    l2: gradient boosting: penalty on leaf values.
    column_share: gradient boosting: share of the columns, drawn anew, among
      which each split is sought; 0 for the square root of their number.
    inner_folds: folds of the cross-validation that tunes all in small cohorts
      (`ExperimentConfig.small_below`).
  """

  l1_ratio: float = 0.5
  learning_rate: float = 0.05
  max_leaf_nodes: int = 6
  l2: float = 1.0
  column_share: float = 0.0
  inner_folds: int = 5


def check(config: ClassicalConfig) -> None:
  """Checks values that no learner could use.

  Raises:
    UserError: naming the first bad value and the legal ones.
  """
  finite = math.isfinite
  for name, legal, expected in (
    ('l1_ratio', lambda x: 0 <= x <= 1, 'a number from 0 to 1'),
    ('learning_rate', lambda x: x > 0 and finite(x), 'a number above 0'),
    (
      'max_leaf_nodes',
      lambda x: 2 <= x <= 10_000,
      'a whole number from 2 to 10000',
    ),
    ('l2', lambda x: x >= 0 and finite(x), '0 or a positive number'),
    ('column_share', lambda x: 0 <= x <= 1, 'a number from 0 to 1'),
    ('inner_folds', lambda x: 2 <= x <= 100, 'a whole number from 2 to 100'),
  ):
    value = getattr(config, name)
    if not legal(value):
      raise errors.UserError(f'classical.{name}={value}: expected {expected}.')


class Classical(learner.Learner):
  """Learners of a table of numbers, one node at a time."""

  group = 'classical'

  @classmethod
  def reads(cls, x):
    return x.view in (views.RAW, *views.VECTORS)

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
      self._candidates(job.inputs, half),
      task=self.task,
      x=x[rows],
      labels=cohort.labels[rows],
      weight=None if weight is None else weight[rows],
      fold=inner.folds(cohort, rows, job.inner_folds, job.seed),
      seed=job.seed,
      **job.hyper,
    )

  def _candidates(self, inputs, half: int) -> list[np.ndarray]:
    """(p,) bool each, the sets of columns that a cross-validation tries.

    Of what is reduced to components the first of them alone, in several
    numbers, and all columns; of anything else all columns.
    """
    component = np.concatenate(
      [x.component for x in self._blocks(inputs, half)]
    )
    every = np.ones(len(component), bool)
    if not (component > 0).any():
      return [every]
    most = inputs.fitted.config.pixel_components
    found = [
      (component >= 0) & (component <= count)
      for count in (most // 4, most // 2, most)
    ]
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

  # How kinds make columns for it, and what stands for an absent modality.
  _columns: str
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
    found = self._blocks(inputs, half, wanted)
    return {
      m: (x.x, x.is_categorical) for m, x in zip(wanted, found, strict=True)
    }

  def _blocks(
    self, inputs: learner.Inputs, half: int, wanted: Sequence[str] = ()
  ) -> list[kinds.Columns]:
    """The columns of each modality, of all of the arm's if none is named."""
    return [self._block(m, inputs, half) for m in wanted or self.arm.modalities]

  def _block(self, modality, inputs, half) -> kinds.Columns:
    x, fitted = self.arm.inputs[modality], inputs.fitted
    if x.view in views.ENCODED:
      values = views.vectors(modality, x, inputs, half, self._columns)
      names = [f'feature {k + 1}' for k in range(values.shape[1])]
      block = kinds.Columns.of(values, names)
    else:
      block = fitted.columns(inputs.cohort, modality, self._columns)
      if fitted.kind(modality).marks_absence:
        return block
    here = inputs.cohort.present[modality][:, None]
    values, names = np.where(here, block.x, self._absent), block.names
    component = block.component
    if len(self.arm.modalities) > 1:
      # Lets an additive learner tell absence from an average image.
      values = np.concatenate([values, ~here], axis=1)
      names, component = (*names, 'absent'), np.append(component, 0)
    return kinds.Columns.of(values, names, component=component)

  def _table(self, inputs: learner.Inputs, half: int):
    """(n, p) columns of the arm's modalities and which are categorical."""
    blocks = self._blocks(inputs, half)
    return (
      np.concatenate([x.x for x in blocks], axis=1),
      np.concatenate([x.is_categorical for x in blocks]),
    )

  @property
  def _reduced(self) -> tuple[str, ...]:
    """The modalities whose reduction a prediction needs."""
    return tuple(
      m
      for m, x in self.arm.inputs.items()
      if x.view in (views.RAW, views.REDUCED)
    )

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
    with open(folder / _FITTED, 'wb') as f:
      np.savez(f, **fitted.to_arrays(self._reduced))
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


class ElasticNet(Classical):
  """Elastic nets."""

  space = {'l1_ratio': ('uniform', 0.05, 1.0)}
  settings = ('l1_ratio', 'inner_folds')
  record = 'numbers, indicators and one column a level'
  _kind = classical.Linear
  _file = 'linear.npz'
  _columns = kinds.LINEAR
  _absent = 0.0

  @classmethod
  def claims(cls, arm):
    del arm
    return types.TASK_KINDS, False, 'indicator'

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


class Kernel(Classical):
  """Kernel machines, for few studies."""

  settings = ('inner_folds',)
  record = 'numbers, indicators and one column a level'
  _kind = kernel_machine.Kernel
  _file = 'kernel.npz'
  _columns = kinds.LINEAR
  _absent = 0.0

  @classmethod
  def claims(cls, arm):
    del arm
    return types.TASK_KINDS, True, 'indicator'

  def _fit(self, is_categorical, **arguments):
    del is_categorical
    return kernel_machine.fit(**arguments)

  def _cross_validate(self, is_categorical, candidates, **arguments):
    del is_categorical, candidates  # Distances are of all columns.
    return cross_validated.fit_kernel(**arguments)

  def _chosen(self, model):
    return {
      'length': tuple(part.length for part in model.parts),
      'variance': tuple(part.variance for part in model.parts),
    }


class Trees(Classical):
  """Gradient boosting."""

  random = True  # Columns are drawn.
  space = {
    'learning_rate': ('scale', 3.0),
    'max_leaf_nodes': ('choice', 4, 6, 15, 31),
    'l2': ('scale', 10.0),
    'column_share': ('choice', 0.0, 0.5, 1.0),
  }
  settings = (
    *('learning_rate', 'max_leaf_nodes', 'l2', 'column_share'),
    'inner_folds',
  )
  record = 'numbers and codes, missing as missing'
  _kind = classical.Trees
  _file = 'trees.npz'
  _columns = kinds.TREES
  _absent = np.nan

  @classmethod
  def claims(cls, arm):
    del arm
    return types.TASK_KINDS, True, 'missing'

  def _fit(self, is_categorical, **arguments):
    return classical.fit_trees(is_categorical=is_categorical, **arguments)

  def _cross_validate(self, is_categorical, candidates, **arguments):
    del candidates  # trees choose their columns themselves
    return cross_validated.fit_trees(is_categorical=is_categorical, **arguments)

  def _chosen(self, model):
    return {'rounds': tuple(part.rounds for part in model.parts)}
