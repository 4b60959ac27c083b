"""From finished nodes to predictions, costs and a summary."""

import collections
import dataclasses
import datetime
import pathlib
import platform
import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import (
  characteristics,
  flow,
  footprints,
  learners,
  provenance,
)
from fusion_jax.ablation import config as config_lib
from fusion_jax.ablation import hazards as hazards_lib
from fusion_jax.ablation import losses as losses_lib
from fusion_jax.ablation import nodes as nodes_lib
from fusion_jax.ablation import plan as plan_lib
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import links, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import kind, schemes
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import (
  advice,
  caveats,
  curves,
  image_value,
  metrics,
  pictures,
)
from fusion_jax.evaluation import controls as controls_lib
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.evaluation import summary as summary_lib
from fusion_jax.fusion import late


def chosen(
  store: store_lib.Store, plan: plan_lib.Plan, arm: str
) -> list[plan_lib.Node]:
  """The best trial of each repeat, fold and seed that has one."""
  places = dict.fromkeys(n.place for n in plan.nodes[arm])
  found = [nodes_lib.best_trial(store, plan, arm, place) for place in places]
  return [n for n in found if n is not None]


def models(
  store: store_lib.Store,
  plan: plan_lib.Plan,
  cohort: cohort_lib.Cohort,
  failed: Collection[str],
  hazards: Mapping[str, hazards_lib.Hazards] | None = None,
) -> dict[str, Any]:
  """What models.json holds: by arm, also those upstream, the chosen models.

  Args:
    store: where the nodes are.
    plan: what they are.
    cohort: what they were trained on.
    failed: arms to leave out.
    hazards: survival only: by node.
  """
  shapes = {m: kind.of(x).shape(x.data) for m, x in cohort.modalities.items()}
  hazards = hazards or {}
  return {
    'task': {'kind': cohort.task.kind, 'names': list(cohort.task.names)},
    'shapes': {m: list(x) for m, x in shapes.items() if x},
    'horizons': list(next((h.times for h in hazards.values()), ())),
    'arms': {
      arm: [
        {
          'repeat': n.repeat,
          'fold': n.fold,
          'seed': n.seed,
          'trial': n.trial,
          'key': n.key,
          **(
            {'cumulative_hazard': hazards[n.key].to_json()}
            if n.key in hazards
            else {}
          ),
        }
        for n in chosen(store, plan, arm)
      ]
      for arm in plan.nodes
      if arm not in failed
    },
  }


def table(
  cohort: cohort_lib.Cohort,
  arm: str,
  place: tuple[int, int, int],
  *,
  part: str,
  rows: np.ndarray,
  logits: np.ndarray,
  survival: Mapping[str, np.ndarray] | None = None,
) -> predictions_lib.Predictions:
  """Predictions of one model on the studies `rows`, given (rows, s) logits.

  `survival` holds, by time as text, (rows,) P(no event by then).
  """
  repeat, fold, seed = place
  return predictions_lib.create(
    task=cohort.task,
    study_id=cohort.study[rows],
    patient_id=cohort.patient[rows],
    arm=arm,
    repeat=repeat,
    fold=fold,
    seed=seed,
    part=part,
    labels=cohort.labels[rows],
    scores=links.scores_from_logits(cohort.task, logits),
    available={m: p[rows] for m, p in cohort.present.items()},
    weight=None if cohort.weight is None else cohort.weight[rows],
    subgroup={name: x[rows] for name, x in cohort.groups.items()},
    survival=survival,
  )


def together(
  tables: Sequence[predictions_lib.Predictions],
) -> predictions_lib.Predictions:
  """All tables as one; curves are blank in those that have none."""
  names = dict.fromkeys(name for t in tables for name in t.survival)
  return predictions_lib.concat(
    [
      dataclasses.replace(
        t,
        survival={
          name: t.survival.get(name, np.full(len(t), np.nan)) for name in names
        },
      )
      for t in tables
    ]
  )


def costs(
  store: store_lib.Store,
  plan: plan_lib.Plan,
  arms: Mapping[str, arm_lib.Arm],
) -> dict[str, dict[str, Any]]:
  """By arm of the table, what it took.

  `parameters` are those of everything a prediction passes through, mean over
  the chosen models (`Learner.parameters` says what is counted); `seconds` and
  `compile_seconds` sum over the arm's own nodes; `upstream_seconds` are those
  of arms it needs, which others may share.
  """
  records = {
    arm: [store.record(n.key) for n in plan.distinct(arm) if store.has(n.key)]
    for arm in plan.nodes
  }

  def total(arm, name):
    return float(sum(r[name] for r in records[arm]))

  def parameters(arm):
    nodes = chosen(store, plan, arm)
    own = [store.record(n.key)['parameters'] for n in nodes]
    below = sum(parameters(other) for other in arms[arm].upstream)
    return below + (round(float(np.mean(own))) if own else 0)

  found = {}
  for arm in plan.listed:
    found[arm] = {
      'parameters': parameters(arm),
      'seconds': total(arm, 'seconds'),
      'compile_seconds': total(arm, 'compile_seconds'),
      'nodes': len(plan.nodes[arm]),
      'trials': plan.trials[arm],
    }
    if arms[arm].upstream:
      found[arm]['upstream_seconds'] = sum(
        total(other, 'seconds') + total(other, 'compile_seconds')
        for other in arms[arm].upstream
      )
  return found


def notes(
  store: store_lib.Store, plan: plan_lib.Plan, arms: Sequence[str]
) -> list[str]:
  """What the learners said about their models, each once per arm."""
  found = []
  for arm in arms:
    models = chosen(store, plan, arm)
    counts = collections.Counter(
      text for n in models for text in set(store.record(n.key)['notes'])
    )
    found += [
      f"Arm '{arm}', {count} of {len(models)} models: {text}"
      for text, count in sorted(counts.items())
    ]
  return found


def history(
  store: store_lib.Store,
  plan: plan_lib.Plan,
  failures: Mapping[str, str],
) -> list[dict[str, Any]]:
  """Every arm that the run folder was ever asked for, and what became of it.

  A folder's arms can only grow, so that none drops out of sight.
  """
  return [
    {
      'arm': arm,
      'status': 'failed' if arm in failures else 'finished',
      'models': sum(store.has(n.key) for n in plan.nodes[arm]),
      'reason': failures.get(arm, ''),
    }
    for arm in plan.listed
  ]


def tuning(
  plan: plan_lib.Plan, config: config_lib.ExperimentConfig
) -> dict[str, Any]:
  """How hyperparameters were chosen, for the summary's audits."""
  return {
    'trials': config.trials,
    'chosen_by': 'lowest validation loss per arm, fold and seed',
    'without_hyperparameters': [
      a for a in plan.listed if not learners.of(config.known_arms[a]).space
    ],
  }


def finish(
  folder: pathlib.Path,
  predictions: predictions_lib.Predictions,
  *,
  config: config_lib.ExperimentConfig,
  cohort: cohort_lib.Cohort,
  arms: Sequence[str],
  costs: Mapping[str, Mapping[str, Any]],
  warnings: Sequence[str],
  audits: Mapping[str, Any],
  test: Sequence[np.ndarray],
  started: float,
  made_of: Mapping[str, Mapping[str, Any]],
  splits: Sequence[splits_lib.Split] = (),
  losses: Mapping[str, Any] | None = None,
  failed: Collection[str] = (),
  seen: str = '',
  sections: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
  """Writes predictions and summary into `folder`; returns the summary.

  Args:
    folder: the run folder.
    predictions: of all arms.
    config: of the run.
    cohort: that was predicted.
    arms: those in the table, in its order.
    costs: by arm.
    warnings: that every report shows.
    audits: passed through.
    test: row numbers of each test part.
    started: seconds since the epoch.
    made_of: by arm, what `made_of.of_arms` says.
    splits: of the cohort; empty where nothing was trained on it.
    losses: what `losses.of_models` says, for the curves; None for none.
    failed: arms that were to be in the table and are not.
    seen: when results were seen before the registration was given, or empty.
    sections: beside those made here.
  """
  store_lib.make_folder(folder)
  predictions_lib.write(predictions, folder / store_lib.PREDICTIONS)
  singles = [a for a in arms if config.known_arms[a].strategy == arm_lib.SINGLE]
  fusions = [a for a in arms if a not in singles]
  # A single modality that failed is one that fusion is not shown to beat.
  expected = singles + [
    a for a in failed if config.known_arms[a].strategy == arm_lib.SINGLE
  ]
  record = {m.name for m in config.modalities if m.side == arm_lib.RECORD}
  summary = _summarise(
    config.known_arms,
    predictions,
    singles=expected,
    fusions=fusions,
    config=config.evaluation,
    costs={a: costs[a] for a in arms},
    facts={
      a: {
        'strategy': config.known_arms[a].strategy,
        'type': config.known_arms[a].type,
        'modalities': config.known_arms[a].modalities,
        'made_of': dict(made_of[a]),
      }
      for a in arms
    },
    warnings=[
      *caveats.of_no_patients(cohort.patient_note),
      *caveats.of_spellings(cohort.patient, noun='patient'),
      *cohort.warnings,
      *warnings,
      *_unknown_survival(predictions),
    ],
    audits=audits,
    seen=seen,
    cohort={
      **_cohort_facts(cohort, test, splits, config.evaluation),
      **(
        {'division': schemes.described(cohort, config.splits)} if splits else {}
      ),
    },
    sections={
      'controls': controls_lib.summarise(
        predictions,
        singles=singles,
        fusions=fusions,
        config=config.evaluation,
        sides={side: cohort.named(side) for side in types.SIDES},
        seen={a: config.known_arms[a].modalities for a in fusions},
      ),
      'image_value': image_value.of(
        predictions,
        fusions=fusions,
        singles=[
          a
          for a in singles
          if record.issuperset(config.known_arms[a].modalities)
        ],
        config=config.evaluation,
      ),
      **(sections or {}),
    },
    run={
      'folder': str(folder),
      'config_digest': config_lib.digest(config),
      'started': _timestamp(started),
      'finished': _timestamp(time.time()),
      'seconds': round(time.time() - started, 3),
      'command': provenance.command(),
      **footprints.machine(),
      'backend': jax.default_backend(),
      'devices': jax.local_device_count(),
      'python': platform.python_version(),
      **provenance.facts(),
    },
  )
  drawn = curves.of(predictions, config=config.evaluation)
  drawn = pictures.beside(
    drawn, predictions, summary=summary, config=config.evaluation
  )
  # An arm of that name keeps its curves.
  drawn = {**({losses_lib.KEY: losses} if losses else {}), **drawn}
  curves.write(drawn, folder / store_lib.CURVES)
  summary_lib.write(summary, folder / store_lib.SUMMARY)
  return summary


def _summarise(arms, predictions, **arguments) -> dict[str, Any]:
  """A summary in which miscalibrated arms name what recalibrates them."""
  summary = summary_lib.summarise(predictions, **arguments)
  kind = predictions.task.kind
  mends: dict[str, str] = {}
  for arm, entry in summary['arms'].items():
    flag = entry['probabilities']
    own = arms[arm].rule
    rule = late.recalibrated(own) if own else None
    if not (flag and flag['miscalibrated'] and rule):
      continue
    if kind in late.create(rule).tasks:
      mend = f'--arm={arm}_recalibrated={arm}(rule={rule})'
      flag['reasons'].append(f'Its recalibrated form is trained by {mend}.')
      mends[arm] = mend
  _say_what_mends(summary['use'], mends)
  return summary


def _say_what_mends(use, mends) -> None:
  """Adds to the advice how arms are trained that it leaves out for that."""
  found = {
    x['arm']: mends[x['arm']]
    for x in use['excluded']
    if x['arm'] in mends and advice.MISCALIBRATED in x['reason']
  }
  for entry in use['excluded']:
    if entry['arm'] in found:
      entry['remedy'] = found[entry['arm']]
  if use['advice'] == advice.NOT_DISTINGUISHABLE and found:
    use['sentence'] += f' Recalibrated: {" ".join(found.values())}.'


def _unknown_survival(predictions) -> list[str]:
  found = []
  for name, column in predictions.survival.items():
    column = column[predictions.condition == predictions_lib.INTACT]
    blank = int(np.isnan(column).sum())
    if blank:
      found.append(
        f'survival_{name} is blank in {blank} of {len(column)} predictions: '
        'the validation part of their fold was not followed up so long.'
      )
  return found


def _timestamp(seconds: float) -> str:
  moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
  return moment.isoformat(timespec='seconds')


def _cohort_facts(cohort, test, splits, evaluation) -> dict[str, Any]:
  facts = {
    'name': cohort.name,
    'digest': cohort.digest,
    'notes': list(cohort.notes),
    'licence': cohort.licence,
    'citation': cohort.citation,
    'table1': characteristics.table1(
      cohort,
      min_group=evaluation.min_group,
      min_events=evaluation.min_events,
    ),
    'flow': flow.steps(cohort),
  }
  if cohort.time_unit:
    facts['time_unit'] = cohort.time_unit
  if splits:
    facts['splits'] = flow.parts(cohort, splits)
  if cohort.oracle:
    facts['oracle'] = {
      name: _oracle(cohort, scores, test)
      for name, scores in cohort.oracle.items()
    }
  return facts


def _oracle(cohort, scores, test) -> float | None:
  """The best possible primary metric: mean over the test parts."""
  metric = metrics.PRIMARY[cohort.task.kind]
  if cohort.task.kind not in (types.BINARY, types.REGRESSION):
    return None
  found = []
  for rows in test:
    weight = None if cohort.weight is None else cohort.weight[rows]
    value = metrics.evaluate(
      cohort.task, cohort.labels[rows], scores[rows][:, None], weight, [metric]
    )
    found.append(value[metric].estimate)
  return float(np.nanmean(found)) if np.isfinite(found).any() else None
