"""Reporting checklists: what a run can answer, and what only authors can.

TRIPOD+AI (Collins et al., 2024), CLAIM (2024 update, Tejani et al.) and
PROBAST+AI (Moons et al., 2025), by own short labels; no item counts as
answered unless the summary holds its answer.
"""

import dataclasses
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

from fusion_jax.report import content as content_lib
from fusion_jax.report import findings, notes
from fusion_jax.report import text as text_lib


@dataclasses.dataclass(frozen=True)
class Item:
  """One item; `answer` is empty where it is for the authors."""

  number: str
  label: str
  answer: str


@dataclasses.dataclass(frozen=True)
class Checklist:
  """A checklist with the answers of one run."""

  name: str
  about: str
  items: Sequence[Item]

  def answered(self) -> int:
    return sum(bool(x.answer) for x in self.items)


def build(
  summary: Mapping[str, Any], curves: Mapping[str, Any] | None = None
) -> list[Checklist]:
  """All checklists as far as a summary answers them."""
  path = resources.files('fusion_jax.report') / 'templates' / 'checklists.toml'
  data = tomllib.loads(path.read_text(encoding='utf-8'))
  facts = {name: answer(summary, curves) for name, answer in ANSWERS.items()}
  return [
    Checklist(
      entry['name'],
      entry['about'],
      [
        Item(number, label, facts[key[0]] if key else '')
        for number, label, *key in entry['items']
      ],
    )
    for entry in data['checklist']
  ]


def _source(summary, curves) -> str:
  citation = summary['cohort'].get('citation')
  return str(citation) if citation else ''


def _licence(summary, curves) -> str:
  licence = summary['cohort'].get('licence')
  return f'licence of the data: {licence}' if licence else ''


def _preparation(summary, curves) -> str:
  if not content_lib.trained_here(summary):
    return ''
  return (
    'vocabularies, imputation, scaling and image statistics were fitted on the '
    'training part of each fold alone'
  )


def _size(summary, curves) -> str:
  cohort = summary['cohort']
  text = f'{cohort["studies"]} studies of {cohort["patients"]} patients tested'
  events = content_lib.events(summary)
  if events is not None:
    text += f', {events} with the event'
  return f'{text}; by fold in the table of folds'


def _missing(summary, curves) -> str:
  complete = summary.get('complete_cases')
  if complete:
    return (
      f'{complete["studies"]} studies had all modalities; those without one '
      'were kept, and complete cases stand beside all studies'
    )
  if not content_lib.trained_here(summary):
    return ''
  return 'every tested study had all modalities'


def _split(summary, curves) -> str:
  folds = len(summary['folds'])
  own = content_lib.trained_here(summary)
  if not own or folds < 2 or content_lib.trained_on(summary):
    return ''
  return (
    f'{folds} test parts; training, validation and test parts of a fold have '
    f'{content_lib.apart(summary)}'
  )


def _models(summary, curves) -> str:
  if not content_lib.trained_here(summary):
    return ''
  tuning = (summary.get('audits') or {}).get('tuning') or {}
  text = f'{len(summary["arms"])} arms, in the model cards'
  if tuning.get('trials'):
    text += f'; {tuning["trials"]} settings tried per arm, fold and seed'
  return text


def _choice(summary, curves) -> str:
  tuning = (summary.get('audits') or {}).get('tuning') or {}
  if not tuning.get('chosen_by'):
    return ''
  return f'chosen by {tuning["chosen_by"]}; no test study was used'


def _seeds(summary, curves) -> str:
  if not content_lib.trained_here(summary):
    return ''
  seeds = {
    s
    for x in summary['arms'].values()
    for f in x.get('folds', ())
    for s in f['seeds']
  }
  return (
    f'random, {len(seeds)} seeds per fold'
    if len(seeds) > 1
    else ('random, one seed per fold')
  )


def _fairness(summary, curves) -> str:
  # Whether a modality was recorded is no group of people.
  found = [
    x
    for x in summary.get('subgroups') or ()
    if not x.get('suppressed')
    and not all(c.startswith('available_') for c in x['group'])
  ]
  if not found:
    return ''
  text = f'{len(found)} declared subgroups in the report'
  if summary.get('equalised_odds'):
    text += ', and gaps of equalised odds'
  return text


def _measures(summary, curves) -> str:
  names = dict.fromkeys(
    m.split('/')[0] for x in summary['arms'].values() for m in x['metrics']
  )
  text = ', '.join(names)
  return f'{text}; curves in the report' if curves else text


def _recalibration(summary, curves) -> str:
  if content_lib.recalibrated(summary):
    return 'recalibrated on validation parts; results in the report'
  return ''


def _output(summary, curves) -> str:
  kind = summary['task']['kind']
  if kind == 'survival' and not content_lib.trained_here(summary):
    return 'a score that is higher where the risk is'
  return {
    'binary': 'the probability of the outcome',
    'multiclass': 'the probability of every class',
    'multilabel': 'the probability of every label',
    'regression': 'the value of the outcome',
    'survival': 'a log relative hazard',
  }.get(kind, '')


def _registration(summary, curves) -> str:
  found = summary.get('registration')
  if not found:
    return ''
  deviations = len(found.get('deviations') or ())
  return f'fixed beforehand, SHA-256 {found["sha256"]}; {deviations} deviations'


def _code(summary, curves) -> str:
  versions = summary['run'].get('versions') or {}
  told = ', '.join(f'{k} {v}' for k, v in versions.items() if k != 'backend')
  return f'fusion_jax with {told}' if told else ''


def _artefacts(summary, curves) -> str:
  if not content_lib.trained_here(summary) or not summary['run'].get('folder'):
    return ''
  return 'models, configuration and predictions are in the run folder'


def _performance(summary, curves) -> str:
  metric = summary['evaluation']['metric']
  return f'{metric} and other metrics of every arm with 95% intervals'


def _absent(summary, curves) -> str:
  if summary.get('missing'):
    return 'performance by share of studies without a modality'
  return ''


def _needed(summary, curves) -> str:
  found = (summary.get('question') or {}).get('patients_needed')
  if not found:
    return ''
  margin = text_lib.plain(summary['evaluation']['margin'])
  return f'{found} patients would be needed for a margin of {margin}'


def _uncertainty(summary, curves) -> str:
  evaluation = summary['evaluation']
  text = f'{evaluation["replicates"]} replicates of a patient bootstrap'
  if notes.by_delong(evaluation):
    text = "DeLong's intervals, studies taken as independent"
  if summary['comparisons']:
    text += f', all {len(summary["comparisons"])} comparisons as one family'
  return f'{text}; training variability stands beside it'


def _robustness(summary, curves) -> str:
  told = {
    'missing': 'missing modalities',
    'controls': 'controls',
    'learning_curve': 'learning curves',
    'subgroups': 'subgroups',
  }
  return ', '.join(v for k, v in told.items() if summary.get(k))


def _external(summary, curves) -> str:
  name = content_lib.trained_on(summary)
  return f'frozen models, trained on {name}, were tested' if name else ''


def _shortcuts(summary, curves) -> str:
  audits = findings.audits(summary)
  if not audits:
    return ''
  alarms = [x.name for x in audits if x.alarm]
  text = f'{len(audits)} audits of shortcuts'
  return (
    f'{text}; alarms: {", ".join(alarms)}' if alarms else (f'{text}, no alarm')
  )


def _leakage(summary, curves) -> str:
  if not _split(summary, curves):
    return ''
  text = (
    f'parts of a fold have {content_lib.apart(summary)}; all fitting is on the '
    'training part'
  )
  shortcuts = _shortcuts(summary, curves)
  return f'{text}; {shortcuts}' if shortcuts else text


def _calibration(summary, curves) -> str:
  metrics = {m for x in summary['arms'].values() for m in x['metrics']}
  if 'calibration_slope' not in metrics:
    return ''
  return 'both, for every arm: discrimination, slope, intercept and Brier score'


def _usefulness(summary, curves) -> str:
  found = any(
    kind.startswith('decision') for x in (curves or {}).values() for kind in x
  )
  return 'decision curves in the report' if found else ''


def _clusters(summary, curves) -> str:
  cohort = summary['cohort']
  alone = cohort['patients'] == cohort['studies']
  if alone or notes.by_delong(summary['evaluation']):
    return ''
  text = 'patients, not studies, are redrawn'
  if _split(summary, curves):
    text += ', and each is in one part of a fold only'
  return text


ANSWERS: Mapping[
  str, Callable[[Mapping[str, Any], Mapping[str, Any] | None], str]
] = {
  'absent': _absent,
  'artefacts': _artefacts,
  'calibration': _calibration,
  'choice': _choice,
  'clusters': _clusters,
  'code': _code,
  'external': _external,
  'fairness': _fairness,
  'leakage': _leakage,
  'licence': _licence,
  'measures': _measures,
  'missing': _missing,
  'models': _models,
  'needed': _needed,
  'output': _output,
  'performance': _performance,
  'preparation': _preparation,
  'recalibration': _recalibration,
  'registration': _registration,
  'robustness': _robustness,
  'seeds': _seeds,
  'size': _size,
  'source': _source,
  'split': _split,
  'uncertainty': _uncertainty,
  'usefulness': _usefulness,
}
