"""Runs what an ablation lacks, then evaluates all of it."""

import contextlib
import dataclasses
import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fusion_jax.ablation import audits as audits_lib
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import (
  controls,
  finished,
  footprints,
  learners,
  losses,
  made_of,
  outcome,
  registered,
  roster,
  saved,
  unforeseen,
)
from fusion_jax.ablation import hazards as hazards_lib
from fusion_jax.ablation import learner as learner_lib
from fusion_jax.ablation import nodes as nodes_lib
from fusion_jax.ablation import plan as plan_lib
from fusion_jax.ablation import progress as progress_lib
from fusion_jax.ablation import rows as rows_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import commands, errors, words
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import reader, schemes
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import summary as summary_lib
from fusion_jax.parallel import strategy

_AGAIN = 'it is made again where it is needed'
_LOST = (
  'curves of missing modalities and of fewer patients are left out: run '
  f'{commands.line("robustness")} again'
)
# Of a node's record, what logs and saved models repeat.
_FACTS = ('arm', 'repeat', 'fold', 'seed', 'trial', 'hyper', 'valid_loss')


@dataclasses.dataclass(frozen=True)
class Report:
  """What a run came to.

  Attributes:
    summary: what summary.json holds; None if no arm could be evaluated.
    failures: by arm, why it is not in the table.
  """

  summary: Mapping[str, Any] | None
  failures: Mapping[str, str]


class _ArmError(Exception):
  """An arm cannot be finished; the others can."""


def run(
  config: config_lib.ExperimentConfig,
  store: store_lib.Store,
  progress: progress_lib.Progress,
) -> Report:
  """Runs the ablation that `config` describes in the folder of `store`.

  Nodes that are finished are not run again. An arm that fails stops; the
  others go on.

  Raises:
    UserError: for bad input, before anything is trained, or a full disk.
  """
  config = config_lib.of_cohort(config)
  config_lib.check(config)
  # Opening a cohort can take long: what can be refused before, is.
  asked, config = config, _extended(store, config, progress)
  strategy.create_strategy(config.parallel, members=1)
  name = errors.brief(config.cohort.name)
  progress.message(f"Opening cohort '{name}'")
  cohort = reader.open_cohort(config.cohort)
  select = functools.partial(
    roster.select, task=cohort.task, modalities=cohort.modalities
  )
  # What this command names must be possible, whatever was run before.
  select(config.known_arms, asked.run_arms)
  splits = splits_lib.make_splits(cohort, config.splits)
  progress.message(
    f'{words.counted(len(splits), "fold")}: '
    f'{schemes.described(cohort, config.splits)}'
  )
  for split in splits:
    _check_split(cohort, split)
  summary_lib.check_config(cohort.task, config.evaluation, folds=len(splits))
  horizons = hazards_lib.horizons(cohort, config.evaluation)
  with contextlib.ExitStack() as stack:
    while True:
      listed, warnings = select(config.known_arms, config.run_arms)
      if config.footprint:
        footprints.complete(cohort)
      plan = plan_lib.make_plan(
        config,
        listed=listed,
        task=cohort.task,
        cohort_digest=cohort.digest,
        cells=plan_lib.cells_of(config, cohort, splits),
      )
      try:
        stack.enter_context(store.open(config))
        break
      except store_lib.ExtendedError:
        config = _extended(store, asked, progress)
    for line in _changes(store, cohort):
      progress.message(line)
    splits_lib.save(splits, cohort, store.path / store_lib.SPLITS)
    store.log(
      'start',
      pid=os.getpid(),
      cohort=cohort.name,
      digest=cohort.digest,
      arms=list(plan.nodes),
      nodes=len(plan.by_key()),
    )
    work = _Run(config, cohort, splits, plan, store, progress)
    with progress:
      work.run_all()
    summary = None
    if any(arm not in work.failures for arm in listed):
      progress.message('Evaluating')
      summary = work.evaluate(warnings, horizons)
    store.log(
      'end',
      failures=work.failures,
      **registered.logged(config, results=summary is not None),
    )
    if summary is not None:
      store.seal()
  return Report(summary, work.failures)


def _extended(store, config, progress) -> config_lib.ExperimentConfig:
  """`config` and what the folder was asked for before."""
  store.check(config)
  saved = store.saved_config()
  if saved is None:
    return config
  found = config_lib.extended(saved, config)
  for name in ('run_arms', 'seeds', 'trials'):
    value = getattr(found, name)
    if value != getattr(config, name):
      if name == 'run_arms':
        value = ','.join(value) or 'all'
      progress.message(
        f"More was run in '{store.path}' before and stays in the comparison: "
        f'{name}={value}. Give another --out to compare less.'
      )
  return found


def _changes(store, cohort) -> list[str]:
  """What is not as an earlier command left it, one line for each.

  Nodes that are damaged are removed.
  """
  found = []
  for name, line in store.damages().items():
    kept = name == store_lib.ROBUSTNESS
    found.append(f'{line}; {_LOST if kept else _AGAIN}.')
  found += [f'{line}; {_AGAIN}.' for line in store.mend()]
  before = store.last_logged('start').get('digest', cohort.digest)
  if before != cohort.digest:
    found.append(
      f"The content of cohort '{cohort.name}' has changed since it was last "
      f"run in '{store.path}' (digest {before} then, {cohort.digest} now): all "
      'arms are trained again.'
    )
  return found


def _check_split(cohort, split) -> None:
  for part in ('train', 'valid'):
    name = {'train': 'training', 'valid': 'validation'}[part]
    try:
      rows_lib.check_labels(cohort, getattr(split, part), name)
    except errors.UserError as e:
      raise errors.UserError(
        f"Cohort '{cohort.name}', repeat {split.repeat}, fold {split.fold}: {e}"
      ) from None


class _Run:
  """The state of one call of `run`."""

  def __init__(self, config, cohort, splits, plan, store, progress):
    self.config: config_lib.ExperimentConfig = config
    self.cohort: cohort_lib.Cohort = cohort
    self.splits = {(s.repeat, s.fold): s for s in splits}
    self.plan: plan_lib.Plan = plan
    self.store: store_lib.Store = store
    self.progress: progress_lib.Progress = progress
    self.failures: dict[str, str] = {}
    # Beside arms, what could not be made.
    self._lost: list[str] = []
    self._started = time.time()
    self._nodes = nodes_lib.Nodes(config, cohort, splits, plan, store)

  def run_all(self) -> None:
    """Trains every node that is not in the store."""
    work = {arm: self.plan.distinct(arm) for arm in self.plan.nodes}
    self.progress.plan(
      {
        arm: (len(nodes), sum(self.store.has(n.key) for n in nodes))
        for arm, nodes in work.items()
      }
    )
    for arm, nodes in work.items():
      missing = [n for n in nodes if not self.store.has(n.key)]
      if not missing:
        continue
      self.progress.start(arm)
      with self._surviving(arm):
        self._run_arm(arm, missing)
      self.progress.end(arm, self.failures.get(arm, ''))

  @contextlib.contextmanager
  def _surviving(self, arm: str):
    """What fails in this block, foreseen or not, ends this arm only."""
    more = {}
    try:
      yield
      return
    except _ArmError as e:
      failure = str(e)
    except errors.UserError:
      # A full disk and the like: no other arm could do better.
      raise
    except Exception as e:
      failure = unforeseen.told(e, self.store)
      more = unforeseen.logged(e)
    self.failures[arm] = f"Arm '{arm}' failed: {failure}"
    self.store.log('failure', arm=arm, message=self.failures[arm], **more)

  def _or(self, otherwise: Any, what: str, make: Callable[[], Any]) -> Any:
    """What `make` gives; if that fails unforeseen, `otherwise` and a line."""
    try:
      return make()
    except errors.UserError:
      raise
    except Exception as e:
      line = f'{what} could not be made: {unforeseen.told(e, self.store)}'
      self._lost.append(line)
      self.progress.message(line)
      self.store.log('failure', message=line, **unforeseen.logged(e))
      return otherwise

  def _run_arm(self, arm, missing) -> None:
    for other in self.config.known_arms[arm].upstream:
      if other in self.failures:
        raise _ArmError(f"it needs '{other}', which failed.")
    learner = self._learner(arm)
    groups = [missing] if learner.fleet else [[n] for n in missing]
    troubles: dict[tuple, str] = {}
    for nodes in groups:
      troubles.update(self._run_nodes(arm, learner, nodes))
    lost = [
      place
      for place in dict.fromkeys(n.place for n in self.plan.nodes[arm])
      if self._nodes.best(arm, place) is None
    ]
    for node, trouble in troubles.items():
      place, trial = node
      text = f'{nodes_lib.place_text(place)}, trial {trial}: {trouble}'
      if place in lost:
        raise _ArmError(f'{text}.')
      self.progress.message(f"Arm '{arm}', {text}; other trials go on.")

  def _run_nodes(self, arm, learner, nodes) -> dict[tuple, str]:
    """Trains, applies and lands nodes; returns what went wrong, by node."""
    try:
      jobs = [self._nodes.job(n, learner) for n in nodes]
    except errors.UserError as e:
      raise _ArmError(str(e)) from None
    learner.folder = self.store.training_folder(arm)
    learner.tell = self.progress.once
    try:
      trained = learner.fit(jobs, functools.partial(self.progress.epoch, arm))
    except errors.UserError as e:
      # Which node it was is known where there is only one.
      where = ''
      if len(nodes) == 1:
        where = f'{nodes_lib.place_text(nodes[0].place)}: '
      raise _ArmError(f'{where}{e}') from None
    sound = [k for k, t in enumerate(trained) if not t.failure]
    if sound:
      self._land(
        learner,
        [nodes[k] for k in sound],
        [jobs[k] for k in sound],
        [trained[k] for k in sound],
      )
    self.store.remove_training(arm)
    return {
      (n.place, n.trial): t.failure
      for n, t in zip(nodes, trained, strict=True)
      if t.failure
    }

  def _land(self, learner, nodes, jobs, trained) -> None:
    arrays, losses = self._nodes.results(learner, jobs, trained)
    config = saved.to_json(self.config)
    for node, job, model, values, loss in zip(
      nodes, jobs, trained, arrays, losses, strict=True
    ):
      record = {
        'arm': node.arm,
        'repeat': node.repeat,
        'fold': node.fold,
        'seed': node.seed,
        'trial': node.trial,
        'hyper': dict(node.hyper),
        'upstream': list(node.upstream),
        'valid_loss': loss if np.isfinite(loss) else None,
        'parameters': model.parameters,
        'seconds': model.seconds,
        'compile_seconds': model.compile_seconds,
        'epochs': list(model.epochs),
        'best_epoch': list(model.best_epoch),
        'history': [list(map(list, h)) for h in model.history],
        'notes': list(model.notes),
        'inner_folds': job.inner_folds,
        'chosen': [{k: list(v) for k, v in x.items()} for x in model.chosen],
      }
      facts = {name: record[name] for name in _FACTS}
      self.store.write(
        node.key,
        record=record,
        arrays=values,
        save_model=functools.partial(
          learner.save,
          model,
          fitted=job.inputs.fitted,
          extra={'config': config, 'node': facts},
        ),
      )
      self.store.log('node', key=node.key, **facts)
      self.progress.advance(node.arm)

  def _learner(self, arm: str) -> learner_lib.Learner:
    return learners.create_learner(
      self.config.known_arms[arm],
      self.cohort.task,
      training=self.config.training,
      parallel=plan_lib.parallel_of(self.config, self.plan, arm),
    )

  def _controls(self, models, intact) -> list[predictions_lib.Predictions]:
    def train(plan):
      work = _Run(
        self.config,
        self.cohort,
        self.splits.values(),
        plan,
        self.store,
        self.progress,
      )
      with self.progress:
        work.run_all()
      return work.failures

    return controls.make(
      finished.Finished(
        self.config,
        self.cohort,
        [*self.splits.values()],
        self.plan,
        self.store,
        models,
        train,
        self.progress.message,
      ),
      intact,
    )

  def evaluate(
    self, warnings: Sequence[str], horizons: Sequence[float]
  ) -> dict[str, Any]:
    """Predictions, summary and costs of all arms that did not fail."""
    arms = [a for a in self.plan.listed if a not in self.failures]
    tables = []
    hazards: dict[str, hazards_lib.Hazards] = {}
    for arm in arms:
      with self._surviving(arm):
        tables += self._tables(arm, horizons, hazards)
    arms = [a for a in arms if a not in self.failures]
    models = outcome.models(
      self.store, self.plan, self.cohort, self.failures, hazards
    )
    self.store.write_json(store_lib.MODELS, models)
    intact = outcome.together(tables)
    tables += self._or([], 'Controls', lambda: self._controls(models, intact))
    audits = self._or({}, 'Audits', self._audits)
    costs = self._costs(models, arms)
    curves, stale = finished.kept_curves(self.store, self.config, models)
    return outcome.finish(
      self.store.path,
      outcome.together(tables),
      config=self.config,
      cohort=self.cohort,
      arms=arms,
      costs=costs,
      warnings=[
        *self.failures.values(),
        *self._lost,
        *audits_lib.warnings(audits),
        *warnings,
        *([finished.STALE] if stale else ()),
        *outcome.notes(self.store, self.plan, arms),
      ],
      audits={'tuning': outcome.tuning(self.plan, self.config), **audits},
      test=[s.test for s in self.splits.values()],
      started=self._started,
      seen=registered.after(self.store, self.config),
      made_of=made_of.of_arms(self.config, models, self.store, arms),
      splits=[*self.splits.values()],
      losses=losses.of_models(models, self.store),
      failed=[a for a in self.plan.listed if a in self.failures],
      sections={
        'history': outcome.history(self.store, self.plan, self.failures),
        **curves,
      },
    )

  def _tables(
    self, arm, horizons, hazards
  ) -> list[predictions_lib.Predictions]:
    """Predictions of an arm; adds its nodes' hazards to `hazards`."""
    parts, tables = self.config.known_arms[arm], []
    for node in outcome.chosen(self.store, self.plan, arm):
      arrays = self.store.read(node.key).arrays
      split = self.splits[node.repeat, node.fold]
      given = {
        part: {
          'rows': getattr(split, part),
          'logits': arrays[nodes_lib.LOGITS.format(part=part)],
        }
        for part in predictions_lib.PARTS
      }
      if horizons:
        hazards[node.key] = hazards_lib.Hazards.estimate(
          self.cohort, parts, times=horizons, **given[predictions_lib.VALID]
        )
      for part, values in given.items():
        survival = {}
        if horizons:
          survival = hazards[node.key].survival(self.cohort, parts, **values)
        tables.append(
          outcome.table(
            self.cohort,
            node.arm,
            node.place,
            part=part,
            survival=survival,
            **values,
          )
        )
    return tables

  def _audits(self) -> dict[str, dict[str, Any]]:
    return audits_lib.run(
      self.cohort,
      [*self.splits.values()],
      config=self.config.audits,
      evaluation=self.config.evaluation,
      preprocessing=self.config.preprocess,
      seed=self.config.seed,
      folder=self.store.path,
    )

  def _costs(self, models, arms) -> dict[str, dict[str, Any]]:
    found = outcome.costs(self.store, self.plan, self.config.known_arms)
    if self.config.footprint:
      self.progress.message('Measuring what each arm takes')
      measured = self._or(
        {},
        'Footprints',
        lambda: footprints.measure(
          self.config, models, self.store, self.cohort, arms
        ),
      )
      for arm, amounts in measured.items():
        found[arm].update(amounts)
    return found
