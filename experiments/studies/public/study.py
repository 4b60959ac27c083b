"""Runs the arms of a task, and holds trained fusion against frozen recipes."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import rich.console

from experiments.studies.public import tasks
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import progress, runner, store
from fusion_jax.core import errors, files
from fusion_jax.evaluation import config as evaluation_config
from fusion_jax.evaluation import league, league_runs, pilot
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import summary as summary_lib
from fusion_jax.launch import output, settings

AGAINST = 'against_frozen.json'
_SHOWN = ('difference', 'low', 'high', 'p_adjusted', 'verdict', 'within_margin')


def folder_of(
  folder: pathlib.Path, stage: str, task: tasks.Task
) -> pathlib.Path:
  """The run folder of a stage of a task."""
  return folder / stage / task.name


def run(
  stage: tasks.Stage,
  task: tasks.Task,
  data_root: str,
  folder: pathlib.Path,
  overrides: Sequence[str] = (),
) -> None:
  """Runs the arms of a stage; what is finished is not run again.

  Args:
    stage: which arms.
    task: on what.
    data_root: holds the folders of the cohorts.
    folder: of the study.
    overrides: NAME=VALUE of further settings.

  Raises:
    UserError: if the cohort cannot be read, or an arm cannot be trained.
  """
  target = folder_of(folder, stage.name, task)
  if (target / store.SUMMARY).is_file():
    return
  config = configured(stage, task, data_root, overrides)
  store.make_folder(target)
  console = rich.console.Console(stderr=True)
  report = runner.run(config, store.Store(target), progress.Progress(console))
  for line in report.failures.values():
    raise errors.UserError(f'{task.name}: {line}')
  if report.summary is None:
    raise errors.UserError(f'{task.name}: no arm could be trained.')
  output.write(report.summary, target)


def configured(
  stage: tasks.Stage,
  task: tasks.Task,
  data_root: str,
  overrides: Sequence[str] = (),
) -> config_lib.ExperimentConfig:
  """The settings of one run.

  Raises:
    UserError: for a setting or an arm that there cannot be.
  """
  own = task.settings if stage.tasks_own else ()
  named = stage.run_arms or (task.run_arms if stage.tasks_own else ())
  return settings.resolve(
    'default',
    {
      'cohort.name': task.descriptor,
      'cohort.data_root': str(pathlib.Path(data_root) / task.data)
      if task.data
      else None,
      **({'run_arms': ','.join(named)} if named else {}),
    },
    ['audits.names=none', *own, *stage.settings, *overrides],
    arms=(*(task.arms if stage.tasks_own else ()), *stage.arms),
  )


def against(
  task: tasks.Task,
  folder: pathlib.Path,
  stages: Sequence[tasks.Stage] = tasks.STAGES,
) -> dict[str, Any]:
  """Trained fusion beside the frozen recipes of the same studies and folds.

  The gain of an arm is over the best frozen recipe: the smallest difference to
  any of them, with bounds that hold for all arms and recipes at once, as gains
  over single modalities are judged.

  Args:
    task: whose runs are finished.
    folder: of the study.
    stages: whose arms are judged, the recipes last.

  Returns:
    What `AGAINST` of the trained run's folder holds.

  Raises:
    UserError: if a run is not there, or they tested different studies.
  """
  tables = []
  for stage in stages:
    path = folder_of(folder, stage.name, task)
    summary = pilot.summary_of(path)
    found = pilot.predictions_of(path, summary)
    if found is None:
      raise errors.UserError(f"'{path}' has no {pilot.PREDICTIONS}.")
    arms = _judged(summary, stage)
    kept = (found.part == predictions_lib.TEST) & np.isin(found.arm, arms)
    tables.append((arms, _intact(found, kept)))
  trained = [arm for arms, _ in tables[:-1] for arm in arms]
  recipes = tables[-1][0]
  joined = predictions_lib.concat([x for _, x in tables])
  summary = summary_lib.summarise(
    joined,
    singles=recipes,
    fusions=trained,
    config=evaluation_config.EvaluationConfig(),
  )
  rows = [
    {
      'arm': entry['arm'],
      'recipe': entry['single'],
      **{k: entry[k] for k in _SHOWN},
    }
    for entry in summary['comparisons']
  ]
  content = {
    'task': dataclasses.asdict(task),
    'recipes': {
      arm: summary['arms'][arm]['metrics']['auroc'] for arm in recipes
    },
    'best': summary['best_single']['arm'],
    'verdict': summary['question']['verdict'],
    'words': summary['question']['words'],
    'rows': rows,
  }
  target = folder_of(folder, stages[0].name, task) / AGAINST
  with files.saving(target) as part:
    part.write_text(
      json.dumps(content, indent=1, allow_nan=False), encoding='utf-8'
    )
  return content


def finished(
  folder: pathlib.Path,
  chosen: Sequence[tasks.Task] = tasks.TASKS,
  stages: Sequence[tasks.Stage] = tasks.STAGES,
) -> list[tasks.Task]:
  """The tasks of which every stage has been run."""
  return [
    task
    for task in chosen
    if all(
      (folder_of(folder, x.name, task) / store.SUMMARY).is_file()
      for x in stages
    )
  ]


def pooled(
  folder: pathlib.Path, chosen: Sequence[tasks.Task]
) -> dict[str, Any]:
  """The league of the trained runs; tasks of one cohort count as one."""
  runs = league_runs.read(
    [str(folder_of(folder, tasks.TRAINED.name, t)) for t in chosen]
  )
  names = [t.title for t in chosen]
  runs = [
    dataclasses.replace(r, folder=name)
    for r, name in zip(runs, names, strict=True)
  ]
  return league.summarise(runs, shared=league.AVERAGE)


def _judged(summary: Mapping[str, Any], stage: tasks.Stage) -> list[str]:
  """Of trained arms those that fuse; of the recipes all that are named."""
  if stage.recipes:
    return list(stage.recipes)
  return [x['arm'] for x in summary['comparisons']]


def _intact(table, kept) -> predictions_lib.Predictions:
  # Runs of one cohort at other sizes may differ in what they hold beside.
  return dataclasses.replace(table.take(kept), subgroup={}, survival={})
