"""The interface of all learners: what goes in, what comes out.

Second stages (arms on the features of an image encoder) must not be trained on
features of studies that the encoder was fitted on. Where none of the cohort
formed the encoder (pretrained_learner.py) that is no matter; elsewhere the
training part is cut by
patient into two halves: encoder h is trained on half h, second-stage model h
on encoder h's features of the *other* half, and the logits of the two
second-stage models are averaged. Both stop on the fold's validation part.

In a small cohort half of the training part is little. There it is cut
SMALL_CUTS times, each time anew, and the logits of all second-stage models are
averaged. Elastic nets and trees are tuned there by a cross-validation and
fitted on the validation part too: no encoder is trained on it, though each
stops where it is best on it.
"""

from __future__ import annotations

import abc
import dataclasses
import pathlib
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

from fusion_jax.ablation import rows as rows_lib
from fusion_jax.core import links, registry, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import inner, preprocess

if typing.TYPE_CHECKING:
  from fusion_jax.ablation import arm as arm_lib
  from fusion_jax.data import splits as splits_lib

# How often the training part of a small cohort is cut into halves.
SMALL_CUTS = 2

# Given the number of an epoch, the most that there can be, and the mean
# validation loss after it.
LossCallback = Callable[[int, int, float], None]


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
  """What an arm's model of one fold sees of a cohort of n studies.

  Attributes:
    cohort: the studies.
    fitted: the preprocessing of the training part.
    features: by modality and encoder, (n, c) frozen features.
    logits: by term of a late rule (`Arm.terms`), (n, s) predictions of upstream
      arms, NaN in rows they were not asked for.
  """

  cohort: cohort_lib.Cohort
  fitted: preprocess.Fitted
  features: Mapping[str, tuple[np.ndarray, ...]] = dataclasses.field(
    default_factory=dict
  )
  logits: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
  """One node to train.

  Attributes:
    inputs: what it sees.
    split: its training and validation rows.
    seed: everything random follows from it.
    hyper: by name.
    cuts: how often the training part is cut into halves for second stages.
    inner_folds: of the cross-validation that tunes elastic nets and trees; 0
      where the validation part does.
  """

  inputs: Inputs
  split: splits_lib.Split
  seed: int
  hyper: Mapping[str, float]
  cuts: int = 1
  inner_folds: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Trained:
  """A trained node.

  Attributes:
    models: one, or one per half of each cut.
    parameters: what `Learner.parameters` counts.
    seconds: of training.
    compile_seconds: of compilation.
    epochs: by model, the most it was given; empty if not trained by epochs.
    best_epoch: by model, likewise.
    history: by model and epoch, training and validation loss.
    watched: by model, by modality and epoch the validation loss of it alone and
      the norm of its encoder's gradients; empty where they were not watched.
    failure: why there is no usable model; empty if there is one.
    notes: what a reader should know.
    chosen: by model, the numbers that fitting chose on the validation part
      ('penalty', 'rounds'), one for each label that has one of its own.
    valid_logits: (v, s) logits of the validation part by models that were not
      fitted on it, NaN where there is none; None where the models themselves
      were not.
  """

  models: tuple[Any, ...]
  parameters: int
  seconds: float = 0.0
  compile_seconds: float = 0.0
  epochs: tuple[int, ...] = ()
  best_epoch: tuple[int, ...] = ()
  history: tuple[tuple[tuple[float, float], ...], ...] = ()
  watched: tuple[Mapping[str, tuple[tuple[float, float], ...]], ...] = ()
  failure: str = ''
  notes: tuple[str, ...] = ()
  chosen: tuple[Mapping[str, tuple[float, ...]], ...] = ()
  valid_logits: np.ndarray | None = None


class Learner(abc.ABC):
  """Trains, applies, saves and loads the models of one arm.

  Attributes:
    fleet: whether one call should train many nodes together.
    random: whether its models differ by seed.
    learns: whether its models are fitted on studies. What one that does not
      gives of a cohort is the same in all folds and seeds.
    encodes: whether its inputs have encoders, and a combiner joins them.
    joins: whether it joins predictions of other arms by a rule.
    group: the group of the configuration that it reads; '' for none.
    settings: the names in it that count for the learner.
    parts: by name, those of them that are specs, and what knows the part.
    space: where the random search looks, by setting: ('scale', a) is the
      configured value times a log-uniform factor from 1 / a to a.
    packages: those whose versions a result depends on.
    record: how it sees a table, in words.
  """

  fleet = False
  random = False
  learns = True
  encodes = False
  joins = False
  group = ''
  settings: tuple[str, ...] = ()
  parts: Mapping[str, registry.Registry] = {}
  space: Mapping[str, tuple] = {}
  packages: tuple[str, ...] = ('numpy', 'scipy', 'scikit-learn')
  record = ''
  # Where a fleet is kept while it trains, to go on from after a kill; whoever
  # calls `fit` may set it.
  folder: pathlib.Path | None = None
  # Given lines about how it is trained, likewise.
  tell: Callable[[str], None] | None = None

  def __init__(self, arm: arm_lib.Arm, task: types.Task):
    self.arm = arm
    self.task = task

  @classmethod
  @abc.abstractmethod
  def reads(cls, x: arm_lib.Input) -> bool:
    """Whether it can see an input of this kind in this view."""

  @classmethod
  @abc.abstractmethod
  def claims(cls, arm: arm_lib.Arm) -> tuple[Collection[str], bool, str]:
    """What an arm of it can do, as `arm.Claims` has it."""

  def check(self, job: Job) -> None:
    """Checks that something can be learnt.

    Raises:
      UserError: if not.
    """
    model_rows(self.arm, job)

  @abc.abstractmethod
  def fit(
    self, jobs: Sequence[Job], on_epoch: LossCallback | None = None
  ) -> list[Trained]:
    """Trains all jobs.

    Args:
      jobs: one per node, all on one cohort.
      on_epoch: called with the number of an epoch, the most that there can be
        and the mean validation loss, by learners that have epochs.

    Raises:
      UserError: if a part cannot be learnt from.
    """

  @abc.abstractmethod
  def logits(
    self,
    trained: Sequence[Trained],
    inputs: Sequence[Inputs],
    rows: Sequence[np.ndarray],
  ) -> list[np.ndarray]:
    """For each node, (len(rows), s) float64 logits of the studies `rows`."""

  @abc.abstractmethod
  def size(self, model: Any) -> int:
    """How many fitted numbers of one model a prediction passes through."""

  def parameters(self, models: Sequence[Any], fitted: preprocess.Fitted) -> int:
    """How many fitted numbers a prediction passes through.

    Those of all models and, where they see reduced pixels, those of the
    reduction (`Kind.size`). What standardises columns and channels is not
    counted, of no arm.
    """
    return sum(self.size(m) for m in models) + sum(
      fitted.kind(m).size(fitted.reduction(m)) for m in self.arm.reduced
    )

  @abc.abstractmethod
  def save(self, trained: Trained, folder, *, fitted, extra) -> None:
    """Writes models, preprocessing and JSON-ready `extra` into `folder`."""

  @abc.abstractmethod
  def load(self, folder) -> tuple[Trained, preprocess.Fitted | None]:
    """Reads what `save` wrote."""

  def encode(
    self, trained: Sequence[Trained], inputs: Sequence[Inputs]
  ) -> list[tuple[np.ndarray, ...]]:
    """For each node and model, (n, c) float32 features of all studies.

    Raises:
      TypeError: by learners that have no encoder.
    """
    del trained, inputs
    raise TypeError(f'{type(self).__name__} has no encoder.')

  def predict(
    self,
    trained: Sequence[Trained],
    inputs: Sequence[Inputs],
    rows: Sequence[np.ndarray],
  ) -> list[np.ndarray]:
    """Like `logits`; studies without any of the modalities get the constant.

    The constant is the training prevalence (mean, median risk).
    """
    out = self.logits(trained, inputs, rows)
    for k, (seen, at) in enumerate(zip(inputs, rows, strict=True)):
      absent = ~rows_lib.present(self.arm, seen.cohort)[at]
      constant = links.logits_from_scores(self.task, seen.fitted.constant[None])
      out[k] = np.where(absent[:, None], constant, out[k])
    return out

  def mean(self, logits: Sequence[np.ndarray]) -> np.ndarray:
    """(n, s) mean of the models' logits."""
    if self.task.kind == types.MULTICLASS:
      # Those of one model are known up to a constant per study.
      logits = [special.log_softmax(x, axis=1) for x in logits]
    return np.mean(logits, axis=0)


def models_per_node(arm: arm_lib.Arm, small: bool, members: int = 1) -> int:
  """How many models a node of an arm trains: one, or one per half of each cut.

  Args:
    arm: the arm.
    small: whether the cohort is.
    members: of a deep ensemble, which replace the one.
  """
  halved = arm.extracts or arm.halved
  return 2 * (SMALL_CUTS if small else 1) if halved else members


def model_rows(arm, job) -> list[np.ndarray]:
  """Training rows of each of a node's models.

  Raises:
    UserError: if nothing can be learnt from them.
  """
  cohort, split = job.inputs.cohort, job.split
  parts = [split.train]
  if models_per_node(arm, small=False) > 1:
    # An encoder is trained on a half, its second stage on the other one.
    turn = 1 if arm.extracts else -1
    parts = [
      half
      for number in range(job.cuts)
      for half in inner.halves(split, cohort, job.seed, number)[::turn]
    ]
  rows = [rows_lib.usable(arm, cohort, part) for part in parts]
  valid = rows_lib.usable(arm, cohort, split.valid)
  for part in rows:
    rows_lib.check_labels(cohort, part, 'training', half=len(rows) > 1)
  rows_lib.check_labels(cohort, valid, 'validation')
  return rows


def model_folders(folder) -> list[pathlib.Path]:
  """The model folders 0, 1, ... in order."""
  found = [x for x in pathlib.Path(folder).iterdir() if x.name.isdigit()]
  return sorted(found, key=lambda x: int(x.name))
