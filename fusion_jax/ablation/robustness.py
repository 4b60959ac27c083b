"""What missing modalities and fewer patients do to the arms of a run.

The arms are trained again on cohorts with a modality withheld, or on parts of
the training patients; each such run is an ablation of its own in a folder
below the run's. docs/robustness.md says how to read the results.
"""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import (
  audit_config,
  changes,
  external,
  finished,
  frozen,
  outcome,
  own_files,
  runner,
)
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import progress as progress_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import reader, withhold
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import entries, missing, resampling
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import summary as summary_lib

FOLDER = 'robustness'


def check(train_missing: Sequence[str], fractions: Sequence[float]) -> None:
  """Checks what is asked for.

  Raises:
    UserError: naming the value and what is legal.
  """
  for text in train_missing:
    withhold.parse(text)
  for fraction in fractions:
    if not 0 < fraction < 1:
      raise errors.UserError(
        f'A fraction of {fraction:g} of the training patients: expected a '
        'number above 0 and below 1; the run itself is the whole.'
      )


def extend(
  run: external.Run,
  *,
  train_missing: Sequence[str],
  fractions: Sequence[float],
  arms: Sequence[str],
  progress: progress_lib.Progress,
) -> dict[str, Any]:
  """Adds curves to a run's summary, and writes it.

  Without fractions an earlier learning curve stays, if it is of the same
  models; curves of missing modalities are made anew, from trainings that are
  kept. No other process can change the run meanwhile.

  Returns:
    The summary.

  Raises:
    UserError: for an arm that the run does not have, a training that fails, or
      a run that is in use.
  """
  store = store_lib.Store(run.path)
  with store.alone():
    # It may have gone on since it was opened.
    return _extend(
      external.open_run(run.path),
      store,
      train_missing=train_missing,
      fractions=fractions,
      arms=arms,
      progress=progress,
    )


def _extend(run, store, *, train_missing, fractions, arms, progress):
  for arm in arms:
    if arm not in run.summary['arms']:
      raise errors.unknown_name(
        'arm', arm, list(run.summary['arms']), where=f"--arms, of '{run.path}'"
      )
  found, stale = finished.kept_curves(store, run.config, run.models)
  if stale:
    progress.message(finished.STALE)
  if len(reader.open_cohort(run.config.cohort).modalities) > 1:
    found['missing'] = missing_curves(run, train_missing, arms, progress)
  if fractions:
    found['learning_curve'] = learning_curve(run, fractions, arms, progress)
  found = entries.plain(found)
  store.unseal()
  finished.keep_curves(store, run.config, run.models, found)
  summary = {**run.summary, **found}
  summary['warnings'] = [x for x in summary['warnings'] if x != finished.STALE]
  summary_lib.write(summary, run.path / store_lib.SUMMARY)
  store.seal()
  return summary


def missing_curves(
  run: external.Run,
  train_missing: Sequence[str],
  arms: Sequence[str],
  progress: progress_lib.Progress,
) -> list[dict[str, Any]]:
  """Curves over test rates, for the run and for each train rate.

  Args:
    run: the finished run.
    train_missing: 'MODALITY:SHARE' or 'MODALITY:SHARE:informative' withheld
      from all studies in training and validation; the test studies keep it
      before the curve takes it away.
    arms: whose; empty for all. Those they need and the single modalities that
      they are compared with are trained as well.
    progress: told of the trainings.

  Returns:
    Rows of `evaluation.missing.curves`, with `train_modality` (None for the
    run itself), `train_rate` and `train_mechanism`. There is no gain where a
    single-modality arm could not be trained: without it the best of them would
    be too easy to beat.
  """
  config = _narrowed(run, arms)
  cohort = reader.open_cohort(config.cohort)
  splits = splits_lib.make_splits(cohort, config.splits)
  own = _Training(run.path, True)
  trainings = [(None, 0.0, withhold.RANDOM, config, own)]
  for text in train_missing:
    modality, share, mechanism = withhold.parse(text)
    changed = dataclasses.replace(
      config, cohort=dataclasses.replace(config.cohort, withhold=(text,))
    )
    name = f'missing-{modality}-{share:g}'
    if mechanism != withhold.RANDOM:
      name += f'-{mechanism}'
    training = _train(run, name, changed, progress)
    trainings.append((modality, share, mechanism, changed, training))
  found = []
  for modality, share, mechanism, changed, training in trainings:
    for row in _curves(run, changed, training.folder, cohort, splits, arms):
      if not training.comparable:
        row['gain'] = {}
      trained = {
        'train_modality': modality,
        'train_rate': share,
        'train_mechanism': mechanism,
      }
      found.append({**trained, **row})
  return found


def learning_curve(
  run: external.Run,
  fractions: Sequence[float],
  arms: Sequence[str],
  progress: progress_lib.Progress,
) -> list[dict[str, Any]]:
  """The metric of comparison by share of the training patients.

  Returns:
    For each fraction, the whole last, {fraction, patients, arms: {arm:
    entry}, gain: {arm: entry}}: patients trained on (mean over folds), the
    metric, and the difference from the best single modality of that training,
    none where a single-modality arm could not be trained.
  """
  config = _narrowed(run, arms)
  cohort = reader.open_cohort(config.cohort)
  found = []
  for fraction in [*sorted(fractions), 1.0]:
    changed = dataclasses.replace(
      config, splits=dataclasses.replace(config.splits, train_fraction=fraction)
    )
    summary, comparable = run.summary, True
    if fraction < 1:
      training = _train(run, f'fraction-{fraction:g}', changed, progress)
      comparable = training.comparable
      summary = external.open_run(training.folder).summary
    splits = splits_lib.make_splits(cohort, changed.splits)
    metric = summary['evaluation']['metric']
    found.append(
      {
        'fraction': fraction,
        'patients': float(
          np.mean([len(np.unique(cohort.patient[s.train])) for s in splits])
        ),
        'arms': {
          arm: _without_count(entry['metrics'][metric])
          for arm, entry in summary['arms'].items()
          if not arms or arm in arms
        },
        'gain': {
          x['arm']: {
            'estimate': x['difference'],
            'low': x['low'],
            'high': x['high'],
            **({'reason': x['reason']} if x['low'] is None else {}),
          }
          for x in summary['comparisons']
          if comparable and (not arms or x['arm'] in arms)
        },
      }
    )
  return found


def _without_count(entry: Mapping[str, Any]) -> dict[str, Any]:
  return {k: v for k, v in entry.items() if k != 'undefined_cells'}


def _narrowed(run, arms) -> config_lib.ExperimentConfig:
  """The run's configuration for some arms and what they are compared with.

  Nothing is asked of these trainings but predictions.
  """
  config = run.config
  singles = [a for a, x in run.summary['arms'].items() if x['role'] == 'single']
  return dataclasses.replace(
    config,
    # An arm that failed in the run itself is not tried again here.
    run_arms=tuple(dict.fromkeys([*singles, *(arms or run.summary['arms'])])),
    audits=audit_config.AuditsConfig(names=(audit_config.NONE,)),
    controls=config_lib.ControlsConfig(),
    footprint=False,
  )


@dataclasses.dataclass(frozen=True)
class _Training:
  """A finished ablation, and whether all its single arms are there."""

  folder: pathlib.Path
  comparable: bool


def _train(run, name, config, progress) -> _Training:
  """Runs an ablation in the run's folder; arms that fail are left out.

  Raises:
    UserError: if no arm could be trained.
  """
  own_files.refuse_link(run.path / FOLDER)
  folder = run.path / FOLDER / name
  own_files.refuse_link(folder)
  progress.message(f'Training again: {name}')
  report = runner.run(config, store_lib.Store(folder), progress)
  for failure in report.failures.values():
    progress.message(f'{name}: {failure}')
  if report.summary is None:
    raise errors.UserError(f'{name}: no arm could be trained.')
  lost = [config.known_arms[a].strategy for a in report.failures]
  return _Training(folder, arm_lib.SINGLE not in lost)


def _curves(run, config, folder, cohort, splits, arms) -> list[dict[str, Any]]:
  trained = external.open_run(folder)
  listed = [a for a in trained.summary['arms'] if not arms or a in arms]
  best = trained.summary['best_single']['arm']
  named = [*dict.fromkeys([*listed, *filter(None, [best])])]
  intact = predicted(config, trained, cohort, splits, named)
  absent = {
    modality: predicted(config, trained, cohort, splits, named, modality)
    for modality in cohort.modalities
  }
  return missing.curves(
    cohort.task,
    intact,
    absent,
    arms=listed,
    references=[best] * len(intact),
    others={m: singles_without(config, named, m) for m in absent},
    metric=run.summary['evaluation']['metric'],
    resamples=resampling.draw_folds(intact, run.config.evaluation),
    seed=config.seed,
  )


def singles_without(
  config: config_lib.ExperimentConfig, arms: Sequence[str], modality: str
) -> list[str]:
  """The single-modality arms among `arms` that do not see `modality`."""
  return [
    a
    for a in arms
    if config.known_arms[a].strategy == arm_lib.SINGLE
    and modality not in config.known_arms[a].modalities
  ]


def predicted(
  config: config_lib.ExperimentConfig,
  trained: external.Run,
  cohort: cohort_lib.Cohort,
  splits: Sequence[splits_lib.Split],
  arms: Sequence[str],
  withheld: str = '',
) -> tuple[folds_lib.Fold, ...]:
  """Test parts as the trained models predict them, a modality withheld.

  Args:
    config: what the arms are made of.
    trained: whose models.
    cohort: whose test studies; it may hold what `trained` was not shown.
    splits: of the cohort.
    arms: whose models.
    withheld: the modality; empty for none.
  """
  store = store_lib.Store(trained.path)
  tables = []
  for group in changes.together(splits):
    seen = cohort
    if withheld:
      condition = f'{withheld}_{changes.ABSENT}'
      seen, _ = changes.change(cohort, condition, group, seed=config.seed)
    test = {(s.repeat, s.fold): s.test for s in group}
    places = [
      p
      for arm in arms
      for p in map(frozen.place_of, trained.models['arms'][arm])
      if p[:2] in test
    ]
    work = frozen.Frozen(
      config,
      trained.models,
      store,
      seen,
      places=set(places),
      rows=lambda place, test=test: test[place[:2]],
    )
    for arm in arms:
      for place, logits in work.logits(arm).items():
        rows = test[place[:2]]
        tables.append(
          outcome.table(
            cohort,
            arm,
            place,
            part=predictions_lib.TEST,
            rows=rows,
            logits=logits[rows],
          )
        )
  return folds_lib.arrange(predictions_lib.concat(tables))
