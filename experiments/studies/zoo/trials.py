"""Trains a subject on all places of a ground, and predicts."""

import dataclasses
import time
from collections.abc import Mapping, Sequence

import numpy as np

from experiments.studies.zoo import grounds, subjects
from fusion_jax.ablation import learner as learner_lib
from fusion_jax.ablation import learners
from fusion_jax.core import errors
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config


@dataclasses.dataclass(frozen=True)
class Cell:
  """One training: a world, what its training studies lack, and a seed."""

  world: str
  gap: grounds.Gap
  seed: int


@dataclasses.dataclass(frozen=True, eq=False)
class Trial:
  """What training a subject gave.

  Attributes:
    logits: by cell, (n,) of all rows of the ground's cohort, NaN where they
      were not asked for.
    parameters: of one model; None of a rule, which has those of its upstream.
    seconds: of processor time, with compilation.
  """

  logits: Mapping[Cell, np.ndarray]
  parameters: int | None
  seconds: float


def cells(
  gaps: Mapping[str, Sequence[grounds.Gap]], seeds: Mapping[str, int]
) -> list[Cell]:
  """Every seed of every gap of every world that is trained on."""
  return [
    Cell(world, gap, seed)
    for world, found in gaps.items()
    for gap in found
    for seed in range(seeds[world])
  ]


def run(
  subject: subjects.Subject,
  ground: grounds.Ground,
  setting: grounds.Setting,
  wanted: Sequence[Cell],
  singles: Mapping[str, Trial],
) -> Trial:
  """Trains all cells, of which those alike are one fleet, and predicts.

  Predicted are a cell's validation studies, and the test studies of its world
  as they are and without each modality.

  Args:
    subject: what is trained.
    ground: holds all places.
    setting: how it is trained.
    wanted: the cells.
    singles: by modality, their trials, which late rules join.

  Raises:
    UserError: where training fails, with the reason.
  """
  start = time.process_time()
  arm = subjects.arm(subject, ground.cohort, dict(setting.encoders))
  learner = learners.create_learner(
    arm,
    ground.cohort.task,
    training=training_config.TrainingConfig(
      epochs=setting.epochs,
      patience=setting.patience,
      least_steps=0,
      learning_rate=setting.learning_rate,
      augment=False,
      save_minutes=0.0,
    ),
    parallel=parallel_config.ParallelConfig(devices=1),
  )
  jobs = []
  for cell in wanted:
    place = ground.place(cell.world, cell.gap)
    upstream = {m: t.logits[cell][:, None] for m, t in singles.items()}
    inputs = learner_lib.Inputs(
      ground.cohort, place.fitted, logits=upstream if arm.upstream else {}
    )
    jobs.append(learner_lib.Job(inputs, place.split, cell.seed, {}))
  trained = learner.fit(jobs)
  for cell, t in zip(wanted, trained, strict=True):
    if t.failure:
      raise errors.UserError(f'{subject.key}, {cell}: {t.failure}')
  rows = [rows_of(ground, cell) for cell in wanted]
  found = learner.predict(trained, [j.inputs for j in jobs], rows)
  logits = {}
  for cell, at, values in zip(wanted, rows, found, strict=True):
    full = np.full(len(ground.cohort), np.nan)
    full[at] = values[:, 0]
    logits[cell] = full
  rule = subject.kind == subjects.RULE
  return Trial(
    logits,
    None if rule else trained[0].parameters,
    time.process_time() - start,
  )


def rows_of(ground, cell) -> np.ndarray:
  """A cell's validation studies, and its world's tests in each state."""
  valid = ground.place(cell.world, cell.gap).split.valid
  tests = [
    ground.test(world, gap)
    for world, gap in ground.rows
    if world == cell.world and gap.share in (0, 1)
  ]
  return np.concatenate([valid, *tests])
