"""Applies the frozen models of a run to another cohort."""

import csv
import dataclasses
import hashlib
import os
import pathlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import (
  frozen,
  levels,
  made_of,
  outcome,
  own_files,
  saved,
)
from fusion_jax.ablation import hazards as hazards_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import (
  commands,
  errors,
  identifiers,
  spellings,
  types,
  words,
)
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import config as data_config
from fusion_jax.data import kind as kinds
from fusion_jax.data import reader, synthetic
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import site_calibration

FOLDER = 'external'


@dataclasses.dataclass(frozen=True)
class Run:
  """A finished run.

  Attributes:
    path: its folder.
    config: what it was run with.
    models: what models.json holds.
    summary: what summary.json holds.
  """

  path: pathlib.Path
  config: config_lib.ExperimentConfig
  models: Mapping[str, Any]
  summary: Mapping[str, Any]


def check_finished(path: str | os.PathLike) -> store_lib.Store:
  """The folder of a finished run, of whatever version.

  Raises:
    UserError: if it is none, has not come to its end or is damaged.
  """
  path = pathlib.Path(path)
  store = store_lib.Store(path)
  if not (path / store_lib.CONFIG).is_file():
    raise errors.UserError(
      f"'{path}' is not a run folder: it has no {store_lib.CONFIG}."
    )
  for name in (*store_lib.FINISHED, store_lib.CHECKSUMS):
    if not (path / name).is_file():
      raise errors.UserError(
        f"The run in '{path}' is not finished: it has no {name}. "
        f'{store.again()}'
      )
  for name, trouble in store.faults().items():
    # What was added to a finished run can be made again by itself; nothing
    # that can be read without the configuration depends on it.
    if name in (*store_lib.FINISHED[1:], store_lib.CHECKSUMS):
      raise errors.UserError(f"'{path / name}' {trouble}. {store.again()}")
  return store


def open_run(path: str | os.PathLike) -> Run:
  """Reads a run folder.

  Raises:
    UserError: if it is none, has not come to its end, is damaged or is of a
      former version.
  """
  path = pathlib.Path(path)
  store = check_finished(path)
  store.saved_config()
  config = saved.load(path / store_lib.CONFIG)
  models = store.read_json(store_lib.MODELS)
  if not frozen.sound(models):
    raise errors.UserError(
      f"'{path / store_lib.MODELS}' does not say which models there are. "
      f'{store.again()}'
    )
  return Run(path, config, models, store.read_json(store_lib.SUMMARY))


def cohort_config(
  run: Run, *, name: str, data_root: str = ''
) -> data_config.CohortConfig:
  """How to open another cohort so that its images are as in training.

  Where those of several modalities differ in size, its descriptor has to say
  which they have.
  """
  # Height, width and channels: nothing else has three lengths.
  sides = {x[0] for x in run.models['shapes'].values() if len(x) == 3}
  return data_config.CohortConfig(
    name=name,
    data_root=data_root,
    image_size=sides.pop() if len(sides) == 1 else 0,
    cache_dir=run.config.cohort.cache_dir,
  )


def default_folder(
  run: Run, config: config_lib.ExperimentConfig, arms: Sequence[str] = ()
) -> pathlib.Path:
  """RUN/external/<cohort>-<hash>, and a hash of `arms` where not all."""
  name = config_lib.default_folder(config).name
  if arms and set(arms) != set(run.summary['arms']):
    text = ','.join(sorted(set(arms)))
    name += f'-{hashlib.sha256(text.encode()).hexdigest()[:8]}'
  return run.path / FOLDER / name


def apply(
  run: Run,
  config: config_lib.ExperimentConfig,
  folder: str | os.PathLike,
  *,
  arms: Sequence[str] = (),
) -> dict[str, Any]:
  """Predicts every study of `config.cohort` with every model of the run.

  Gains are over the frozen single-modality arms on the same studies; nothing
  is chosen on a validation part. Where the cohort has sites, calibration is
  also given by site.

  Args:
    run: whose models are used, as they are.
    config: that of the run but for cohort, evaluation and parallel.
    folder: where predictions and summary go.
    arms: which arms to apply; empty for all.

  Returns:
    The summary.

  Raises:
    UserError: if the cohort has another task or lacks what the models need,
      has patients of the run's cohort, or the folder holds a run.
  """
  started = time.time()
  folder = pathlib.Path(folder)
  if (folder / store_lib.CONFIG).exists():
    raise errors.UserError(
      f"'{folder}' holds a run, which this would overwrite: give another --out."
    )
  listed = _listed(run, arms)
  cohort = reader.open_cohort(config.cohort)
  cohort = _with_labels_of(run, cohort)
  _check(run, cohort, listed)
  warnings = _check_patients(run, config, cohort)
  own_files.refuse_link(run.path / FOLDER)
  if folder.parent == run.path / FOLDER:
    own_files.refuse_link(folder)
  hazards = _hazards(run, config, listed)
  store = store_lib.Store(run.path)
  work = frozen.Frozen(config, run.models, store, cohort)
  everyone = np.arange(len(cohort))
  tables = []
  for arm in listed:
    for place, logits in work.logits(arm).items():
      survival = {}
      if hazards:
        survival = hazards[arm, place].survival(
          cohort, run.config.known_arms[arm], rows=everyone, logits=logits
        )
      tables.append(
        outcome.table(
          cohort,
          arm,
          place,
          part=predictions_lib.TEST,
          rows=everyone,
          logits=logits,
          survival=survival,
        )
      )
  warnings += levels.warnings(cohort, work.fits.values())
  predictions = predictions_lib.concat(tables)
  summary = outcome.finish(
    folder,
    predictions,
    config=config,
    cohort=cohort,
    arms=listed,
    costs={
      arm: {'parameters': run.summary['arms'][arm]['cost'].get('parameters')}
      for arm in listed
    },
    warnings=warnings,
    audits={
      'external': {
        'trained_on': run.summary['cohort']['name'],
        'trained_on_digest': run.summary['cohort'].get('digest'),
        'models': {arm: len(run.models['arms'][arm]) for arm in listed},
      }
    },
    test=[everyone],
    started=started,
    made_of=made_of.of_arms(run.config, run.models, store, listed),
    sections={
      'calibration_by_site': []
      if cohort.site is None
      else site_calibration.by_site(
        predictions,
        study=cohort.study,
        site=cohort.site,
        arms=listed,
        config=config.evaluation,
      )
    },
  )
  return summary


def _listed(run, arms) -> list[str]:
  known = list(run.summary['arms'])
  for name in arms:
    if name not in known:
      raise errors.unknown_name(
        'arm', name, known, where=f"--arms, of '{run.path}'"
      )
  return [a for a in known if not arms or a in arms]


def _with_labels_of(run, cohort: cohort_lib.Cohort) -> cohort_lib.Cohort:
  """The cohort with classes spelt as in training: '1.0' is '1'."""
  found, names = cohort.task.names, tuple(run.models['task']['names'])
  if cohort.task.kind != types.MULTICLASS or len(found) != len(names):
    return cohort
  pairs = zip(found, names, strict=True)
  if any(spellings.meaning(a) != spellings.meaning(b) for a, b in pairs):
    return cohort
  return dataclasses.replace(
    cohort, task=dataclasses.replace(cohort.task, names=names)
  )


def _check(run, cohort: cohort_lib.Cohort, listed) -> None:
  kind, names = run.models['task']['kind'], tuple(run.models['task']['names'])
  if cohort.task.kind != kind:
    raise errors.UserError(
      f"Cohort '{cohort.name}' has a {cohort.task.kind} task; the run in "
      f"'{run.path}' was trained for a {kind} task."
    )
  many = kind in (types.MULTICLASS, types.MULTILABEL)
  if many and cohort.task.names != names:
    raise errors.UserError(
      f"Cohort '{cohort.name}' has the labels {', '.join(cohort.task.names)}; "
      f'the run was trained for {", ".join(names)}, in that order.'
    )
  for arm in listed:
    for modality in run.config.known_arms[arm].modalities:
      if modality not in cohort.modalities:
        able = [
          a
          for a in listed
          if set(run.config.known_arms[a].modalities) <= set(cohort.modalities)
        ]
        hint = f' Give --arms={",".join(able)}.' if able else ''
        raise errors.UserError(
          f"Cohort '{cohort.name}' has no {modality} data, which arm '{arm}' "
          f'needs.{hint}'
        )
  for modality, shape in run.models['shapes'].items():
    x = cohort.modalities.get(modality)
    found = x and kinds.of(x).shape(x.data)
    if found and list(found) != shape:
      raise errors.UserError(
        f"'{modality}' of cohort '{cohort.name}' is {_size(found)}; what the "
        f'run was trained on is {_size(shape)}.'
      )


def _hazards(
  run, config, listed
) -> dict[tuple[str, tuple[int, int, int]], hazards_lib.Hazards]:
  """By arm and place, what the run has stored; {} if nothing.

  Folders of runs made before survival was stored have nothing.
  """
  times = tuple(run.models.get('horizons', ()))
  asked = config.evaluation.horizons
  if run.models['task']['kind'] == types.SURVIVAL and set(asked) - set(times):
    known = ', '.join(f'{t:g}' for t in times) or 'no time'
    raise errors.UserError(
      f'evaluation.horizons={",".join(f"{t:g}" for t in asked)}: the run in '
      f"'{run.path}' knows survival at {known}. Name other times there first: "
      + commands.line(
        'ablate',
        f'--config={run.path / store_lib.CONFIG}',
        f'--out={run.path}',
        '--set=evaluation.horizons=...',
      )
    )
  if not times:
    return {}
  found = {}
  for arm in listed:
    for entry in run.models['arms'][arm]:
      hazards = hazards_lib.Hazards.from_json(times, entry['cumulative_hazard'])
      found[arm, frozen.place_of(entry)] = hazards.only(asked)
  return found


def _size(shape) -> str:
  return ' x '.join(map(str, shape))


def _check_patients(run, config, cohort) -> list[str]:
  """Refuses patients the models have seen; warns of what cannot be known.

  The run folder names the patients that were tested or validated on in any
  fold, which in cross-validation are all, but of those that were only trained
  on (one held-out part, folds in time) only the studies.

  Raises:
    UserError: if patients of the run are among those of the cohort.
  """
  if not _can_share(run.config.cohort, config.cohort):
    return []
  before = predictions_lib.read(run.path / store_lib.PREDICTIONS)
  here = np.unique(cohort.patient)
  shared = int(np.isin(here, before.patient_id).sum())
  trained_on = run.summary['cohort']['name']
  if shared:
    if config.cohort.name in synthetic.NAMES:
      way = 'Give another seed, as with --set=cohort.seed=1.'
    else:
      way = (
        'Leave them out of the cohort; if they are other people with the same '
        'ids, make the ids differ, as by a prefix.'
      )
    raise errors.UserError(
      f'{shared} of the {words.counted(len(here), "patient")} of cohort '
      f"'{cohort.name}' are also in cohort '{trained_on}', which the models of "
      f"'{run.path}' were made with: this would be no external validation. "
      f'{way}'
    )
  warnings = []
  seen = {identifiers.folded(x) for x in set(before.patient_id.tolist())}
  alike = sum(identifiers.folded(x) in seen for x in here.tolist())
  if alike:
    warnings.append(
      f'{words.counted(alike, "patient")} of this cohort '
      f'{"is" if alike == 1 else "are"} written like patients that the models '
      f'were made with, but for {identifiers.FOLDED}: if they are the same '
      'people, this is no external validation.'
    )
  unknown = _studies(run) - set(before.study_id.tolist())
  twice = int(np.isin(cohort.study, sorted(unknown)).sum())
  if not twice:
    return warnings
  return [
    *warnings,
    f'{words.counted(twice, "study id")} of this cohort '
    f'{"is" if twice == 1 else "are"} also the id of a study that the models '
    'were trained on but not tested with, whose patient the run folder does '
    'not name: if it is the same study, this is no external validation.',
  ]


def _can_share(one, other) -> bool:
  """Whether the patients of two cohorts can be the same people at all.

  Those of built-in worlds are numbered in each of them.
  """
  generated = [c.name in synthetic.NAMES for c in (one, other)]
  if not any(generated):
    return True
  return all(generated) and (one.name, one.seed) == (other.name, other.seed)


def _studies(run) -> set[str]:
  """Ids of all studies in the parts of the run's folds."""
  path = run.path / store_lib.SPLITS
  if not path.is_file():
    return set()
  with open(path, encoding='utf-8', newline='') as f:
    return {row['study_id'] for row in csv.DictReader(f)}
