"""Sizes of the experiments, and ablations run below one folder."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import external, runner
from fusion_jax.ablation import progress as progress_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors

RUNS, CACHE = 'runs', 'images'
# Those of a run's own summary, which is not used.
_REPLICATES = 100


@dataclasses.dataclass(frozen=True)
class Settings:
  """How large the experiments are.

  Attributes:
    quick: whether this only shows that all works.
    n: studies of the cohorts.
    n_interactions: of the world in which modalities interact.
    n_curve: of the learning curves, before any is left out.
    fractions: of the training patients, below 1.
    size: pixels a side.
    folds: test parts.
    epochs: most epochs of neural arms.
    least: whether they are trained a least number of steps, whatever `epochs`.
    draws: hyperparameter settings drawn at random.
    seeds: trainings of the configured setting.
    replicates: of the patient bootstrap.
  """

  quick: bool = False
  n: int = 800
  n_interactions: int = 1500
  n_curve: int = 2000
  fractions: tuple[float, ...] = (0.125, 0.25, 0.5)
  size: int = 16
  folds: int = 2
  epochs: int = 20
  least: bool = True
  draws: int = 6
  seeds: int = 3
  replicates: int = 2000


QUICK = Settings(
  quick=True,
  n=160,
  n_interactions=160,
  n_curve=240,
  fractions=(0.5,),
  epochs=2,
  least=False,
  draws=2,
  seeds=2,
  replicates=200,
)


class Work:
  """Where ablations of these experiments are run, each once."""

  def __init__(
    self,
    folder: pathlib.Path,
    settings: Settings,
    progress: progress_lib.Progress,
  ):
    self.folder = folder
    self.settings = settings
    self.progress = progress

  def config(
    self, world: str, arms: Sequence[str], **cohort: Any
  ) -> config_lib.ExperimentConfig:
    """An ablation of some arms; `cohort` changes settings of the cohort."""
    s = self.settings
    base = config_lib.ExperimentConfig()
    given: Mapping[str, Any] = {
      'name': world,
      'n': s.n,
      'image_size': s.size,
      'cache_dir': str(self.folder / CACHE),
      **cohort,
    }
    training = dataclasses.replace(base.training, epochs=s.epochs)
    if not s.least:
      training = dataclasses.replace(training, least_steps=0, least_patience=0)
    return dataclasses.replace(
      base,
      cohort=dataclasses.replace(base.cohort, **given),
      splits=dataclasses.replace(base.splits, scheme='kfold', folds=s.folds),
      training=training,
      evaluation=dataclasses.replace(base.evaluation, replicates=_REPLICATES),
      run_arms=tuple(arms),
    )

  def run(self, name: str, config: config_lib.ExperimentConfig) -> external.Run:
    """The finished run in the folder `name`; what is there is not run again.

    Raises:
      UserError: if an arm could not be trained.
    """
    path = self.folder / RUNS / name
    self.progress.message(f'Run {name}')
    report = runner.run(config, store_lib.Store(path), self.progress)
    if report.failures:
      raise errors.UserError(f'{path}: {next(iter(report.failures.values()))}')
    return external.open_run(path)
