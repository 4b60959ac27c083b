"""What the texts of a report may say of a run: names, counts, yes or no.

Nothing is computed here but counts; docs/summary.md is the schema of what is
read.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.report import audits as audits_lib
from fusion_jax.report import names, run_box

BEST_SINGLE = 'best_single'
_GAPS = ('tpr_gap', 'fpr_gap')
# The cause of miscalibrated probabilities that the slope shows.
_SLOPE = 'slope'
_SPREADS = ('fold_sd', 'seed_sd')


@dataclasses.dataclass(frozen=True)
class Facts:
  """Of one run; the names are those that templates use.

  Attributes:
    kind: of the task.
    outcomes: names of its labels.
    studies: tested ones.
    patients: to whom they belong.
    events: studies with the outcome; None where that is not known.
    complete: studies with all modalities; None where all have.
    citation: of the cohort, or empty, as the next ones.
    licence: of the cohort.
    division: how folds were made.
    own: whether the models are the run's own, not other people's.
    external: whether frozen models of another cohort were tested.
    trained_on: that cohort, or empty.
    divided: whether models were trained and tested on parts of one cohort.
    parts: number of test parts.
    folds: of one repeat.
    repeats: how often folds were drawn.
    seeds: models per arm and fold, the most of any; 0 where not known.
    seeds_differ: whether some have fewer.
    arms: number of all arms.
    singles: names of the single-modality arms.
    fusions: names of the fusion arms that are compared.
    reference: the one arm that all are compared with, or empty.
    named: whether it was given by name.
    metric: of the comparison, in plain words.
    lower_is_better: of it.
    in_units: whether it has the unit of the label.
    margin: of equivalence.
    margin_given: whether it was chosen, and is no default.
    method: of intervals.
    replicates: of the bootstrap.
    factor: of standard errors; None where no training data are shared.
    factor_reason: why.
    estimand: what the intervals are about, in the summary's words.
    judged: whether any gain has bounds.
    within_margin: whether any verdict holds by less than the margin.
    miscalibrated: by arm whose probabilities are, the slope where that is why.
    metrics: all that any arm has, by their names in the summary.
    defined: those with a value in some arm.
    spreads: 'fold_sd' and 'seed_sd' where some arm has it.
    recalibrated: ways in which predictions of some arm were recalibrated.
    trials: settings of hyperparameters that were tried; 0 where not known.
    chosen_by: what the setting was chosen by, or empty.
    untuned: arms without hyperparameters to choose.
    audits: names of those that came to a result.
    alarms: of these, those that alarm.
    not_possible: names of the others.
    registered: whether there is a registration.
    deviations: from it.
    unchecked: how many of its points could not be checked.
    late: whether it was given after results had been seen.
    sha256: of it.
    withheld: whether modalities were withheld from test studies.
    learning: whether there are learning curves.
    controls: whether there are any.
    declared: number of declared subgroups that are large enough.
    odds: whether there are gaps of equalised odds.
    library: name, version and commit; 'fusion_jax' where not known.
    software: versions of what it stands on, or empty.
  """

  kind: str
  outcomes: Sequence[str]
  studies: int
  patients: int
  events: int | None
  complete: int | None
  citation: str
  licence: str
  division: str
  own: bool
  external: bool
  trained_on: str
  divided: bool
  parts: int
  folds: int
  repeats: int
  seeds: int
  seeds_differ: bool
  arms: int
  singles: Sequence[str]
  fusions: Sequence[str]
  reference: str
  named: bool
  metric: str
  lower_is_better: bool
  in_units: bool
  margin: float
  margin_given: bool
  method: str
  replicates: int | None
  factor: float | None
  factor_reason: str
  estimand: str
  judged: bool
  within_margin: bool
  miscalibrated: Mapping[str, float | None]
  metrics: Sequence[str]
  defined: frozenset[str]
  spreads: Sequence[str]
  recalibrated: Sequence[str]
  trials: int
  chosen_by: str
  untuned: Sequence[str]
  audits: Sequence[str]
  alarms: Sequence[str]
  not_possible: Sequence[str]
  registered: bool
  deviations: Sequence[str]
  unchecked: int
  late: bool
  sha256: str
  withheld: bool
  learning: bool
  controls: bool
  declared: int
  odds: bool
  library: str
  software: str


def of(summary: Mapping[str, Any]) -> Facts:
  """Reads what texts need from what `summary.json` holds."""
  cohort, evaluation = summary['cohort'], summary['evaluation']
  arms, comparisons = summary['arms'], summary['comparisons']
  audits = summary.get('audits') or {}
  tuning = audits.get('tuning') or {}
  registration = summary.get('registration') or {}
  factor = evaluation.get('factor') or {}
  shared = bool(factor.get('shared'))
  every_audit = audits_lib.audits(summary)
  seeds = {
    len(fold['seeds']) for x in arms.values() for fold in x.get('folds', ())
  }
  own, frozen = trained_here(summary), trained_on(summary)
  return Facts(
    kind=summary['task']['kind'],
    outcomes=summary['task']['names'],
    studies=cohort['studies'],
    patients=cohort['patients'],
    events=events(summary),
    complete=(summary.get('complete_cases') or {}).get('studies'),
    citation=str(cohort.get('citation') or ''),
    licence=str(cohort.get('licence') or ''),
    division=cohort.get('division') or '',
    own=own,
    external=bool(audits.get('external')),
    trained_on=frozen,
    divided=own and not frozen,
    parts=len(summary['folds']),
    folds=len({x['fold'] for x in summary['folds']}),
    repeats=len({x['repeat'] for x in summary['folds']}),
    seeds=max(seeds, default=0),
    seeds_differ=len(seeds) > 1,
    arms=len(arms),
    singles=_singles(summary),
    fusions=[x['arm'] for x in comparisons],
    reference=reference(summary),
    named=_named(summary),
    metric=names.of_comparison(summary),
    lower_is_better=not evaluation['higher_is_better'],
    in_units=evaluation['metric'] in _IN_UNITS,
    margin=evaluation['margin'],
    margin_given=evaluation.get('margin_given', True),
    method=evaluation.get('method') or '',
    replicates=evaluation.get('replicates'),
    factor=factor['value'] if shared else None,
    factor_reason=factor.get('reason', ''),
    estimand=evaluation.get('estimand_text') or '',
    judged=any(x.get('low') is not None for x in comparisons),
    within_margin=any(x.get('within_margin') for x in comparisons),
    miscalibrated=_miscalibrated(summary),
    metrics=list(dict.fromkeys(m for x in arms.values() for m in x['metrics'])),
    defined=frozenset(
      name
      for x in arms.values()
      for name, value in x['metrics'].items()
      if value.get('estimate') is not None
    ),
    spreads=[
      name
      for name in _SPREADS
      if any(
        (x.get('variability') or {}).get(name) is not None
        for x in arms.values()
      )
    ],
    recalibrated=_recalibrated(summary),
    trials=tuning.get('trials') or 0,
    chosen_by=tuning.get('chosen_by') or '',
    untuned=tuning.get('without_hyperparameters') or (),
    audits=[x.name for x in every_audit if x.possible()],
    alarms=[x.name for x in every_audit if x.alarm],
    not_possible=[x.name for x in every_audit if not x.possible()],
    registered=bool(registration),
    deviations=registration.get('deviations') or (),
    unchecked=len(registration.get('unchecked') or ()),
    late=bool(registration.get('after_results')),
    sha256=registration.get('sha256') or '',
    withheld=bool(summary.get('missing')),
    learning=bool(summary.get('learning_curve')),
    controls=bool(summary.get('controls')),
    declared=len(declared(summary)),
    odds=any(
      (x.get(gap) or {}).get('estimate') is not None
      for x in summary.get('equalised_odds') or ()
      for gap in _GAPS
    ),
    library=run_box.library(summary['run']) or 'fusion_jax',
    software=run_box.software(summary['run']),
  )


# In the unit of the label: no default margin is known for them.
_IN_UNITS = ('rmse', 'mae')


def trained_here(summary: Mapping[str, Any]) -> bool:
  """Whether the models are this run's own, not other people's."""
  return bool(summary['run'].get('config_digest')) or any(
    x.get('strategy') for x in summary['arms'].values()
  )


def trained_on(summary: Mapping[str, Any]) -> str:
  """The cohort of frozen models that are tested on another one, or ''."""
  external = (summary.get('audits') or {}).get('external') or {}
  return external.get('trained_on') or ''


def events(summary: Mapping[str, Any]) -> int | None:
  """How many tested studies had the event; None if that is not known.

  Folds are added up only where each study is tested in one of them.
  """
  folds = summary['folds']
  counts = [x['events'] for x in folds]
  once = sum(x['studies'] for x in folds) == summary['cohort']['studies']
  if once and all(isinstance(x, int) for x in counts):
    return sum(counts)
  return None


def reference(summary: Mapping[str, Any]) -> str:
  """The arm that is the reference in every fold, or '' if none has to be.

  It was given by name, or is the only single modality.
  """
  if _named(summary):
    return summary['evaluation']['reference']
  singles = _singles(summary)
  return singles[0] if len(singles) == 1 else ''


def declared(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
  """The subgroups that were declared and are large enough to be shown.

  Whether a modality was recorded is no group of people.
  """
  return [
    x
    for x in summary.get('subgroups') or ()
    if not x.get('suppressed')
    and not all(c.startswith('available_') for c in x['group'])
  ]


def without_models(summary: Mapping[str, Any]) -> dict[str, int]:
  """By arm, in how many test parts it has no model, where there are any."""
  lacking = {
    arm: len(summary['folds']) - len(x['folds'])
    for arm, x in summary['arms'].items()
    if x.get('folds')
  }
  return {arm: count for arm, count in lacking.items() if count > 0}


def _miscalibrated(summary: Mapping[str, Any]) -> dict[str, float | None]:
  """By arm, the slope of probabilities that are miscalibrated.

  None where it is not the slope that makes them so.
  """
  slopes = {}
  verdicts = {c['arm']: c['verdict'] for c in summary['comparisons']}
  # Those that a reader may use come first.
  order = sorted(
    summary['arms'],
    key=lambda a: (verdicts.get(a) != 'superior', a not in verdicts),
  )
  for arm in order:
    entry = summary['arms'][arm]
    probabilities = entry.get('probabilities') or {}
    if probabilities.get('miscalibrated'):
      steep = _SLOPE in (probabilities.get('causes') or ())
      slopes[arm] = probabilities.get('slope') if steep else None
  return slopes


def _named(summary) -> bool:
  return summary['evaluation'].get('reference', BEST_SINGLE) != BEST_SINGLE


def _singles(summary) -> list[str]:
  return [a for a, x in summary['arms'].items() if x['role'] == 'single']


def _recalibrated(summary) -> list[str]:
  return list(
    dict.fromkeys(
      way
      for entry in summary['arms'].values()
      for way, after in (
        (entry.get('calibration') or {}).get('recalibrated') or {}
      ).items()
      if after.get('brier') is not None
    )
  )
