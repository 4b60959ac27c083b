"""Reporting checklists: what a run can answer, and what only authors can.

TRIPOD+AI (Collins et al., 2024), CLAIM (2024 update, Tejani et al.) and
PROBAST+AI (Moons et al., 2025), by own short labels; an item has an answer only
if the summary holds it, and counts as answered only if that is all it asks for.
"""

import dataclasses
import tomllib
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import cohort as cohort_lib
from fusion_jax.report import content as content_lib
from fusion_jax.report import findings, methods, notes, run_box
from fusion_jax.report import text as text_lib

REST = '; the rest is for the authors'


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
    """How many items leave nothing to the authors."""
    return sum(
      bool(x.answer) and not x.answer.endswith(REST) for x in self.items
    )


def build(
  summary: Mapping[str, Any], curves: Mapping[str, Any] | None = None
) -> list[Checklist]:
  """All checklists as far as a summary answers them."""
  path = resources.files('fusion_jax.report') / 'templates' / 'checklists.toml'
  data = tomllib.loads(path.read_text(encoding='utf-8'))
  facts = {name: answer(summary, curves) for name, answer in ANSWERS.items()}

  def told(key='', part='') -> str:
    answer = facts[key] if key else ''
    return answer + REST if answer and part else answer

  return [
    Checklist(
      entry['name'],
      entry['about'],
      [
        Item(number, label, told(*answer))
        for number, label, *answer in entry['items']
      ],
    )
    for entry in data['checklist']
  ]


def _source(summary, curves) -> str:
  citation = summary['cohort'].get('citation')
  return str(citation) if citation else ''


def _origin(summary, curves) -> str:
  """The source of what models were trained on."""
  same = _level(summary, curves)
  return _source(summary, curves) if same else ''


def _licence(summary, curves) -> str:
  licence = summary['cohort'].get('licence')
  return f'licence of the data: {licence}' if licence else ''


def _preparation(summary, curves) -> str:
  if not content_lib.trained_here(summary):
    return ''
  text = methods.preparation(summary)
  return text[0].lower() + text[1:]


def _size(summary, curves) -> str:
  cohort = summary['cohort']
  text = f'tested: {cohort["studies"]} studies of {cohort["patients"]} patients'
  events = content_lib.events(summary)
  if events is not None:
    text += f', {events} with the event'
  return text


def _flow(summary, curves) -> str:
  sentences = cohort_lib.flow_sentences(summary)
  size = _size(summary, curves)
  return '; '.join([*(x.rstrip('.') for x in sentences), size])


def _characteristics(summary, curves) -> str:
  given = summary['cohort'].get('table1') or {}
  features = {x['feature'] for x in given.get('rows') or ()}
  if not features:
    return ''
  by = {x['by'] for x in given['columns']} - {'all'}
  apart = f', by {notes.listed(sorted(by))} too' if by else ''
  return f'Table 1 has {words.counted(len(features), "characteristic")}{apart}'


def _needed(summary, curves) -> str:
  text = _size(summary, curves)
  needs = (summary.get('question') or {}).get('patients_needed') or {}
  if not needs.get('superior'):
    return text
  found = needs['superior']['patients']
  margin = text_lib.plain(summary['evaluation']['margin'])
  return (
    f'{text}; to find a gain over every single modality as large as the margin '
    f'of {margin} in four studies out of five, {found} patients have to be '
    'tested'
  )


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


def _gaps(summary, curves) -> str:
  """What is known of modalities that training studies lack."""
  complete = summary.get('complete_cases')
  if complete and _level(summary, curves):
    return 'studies without a modality were kept'
  return ''


def _split(summary, curves) -> str:
  own = content_lib.trained_here(summary)
  if not own or content_lib.trained_on(summary):
    return ''
  count = len(summary['folds'])
  parts = f'{count} test parts' if count > 1 else 'one test part'
  return f'{parts}, {_level(summary, curves)}; who is in which, in splits.csv'


def _level(summary, curves) -> str:
  own = content_lib.trained_here(summary)
  if not own or content_lib.trained_on(summary):
    return ''
  return 'training, validation and test parts have ' + content_lib.apart(
    summary
  )


def _internal(summary, curves) -> str:
  level = _level(summary, curves)
  return f'on parts of the same cohort; {level}' if level else ''


def _external(summary, curves) -> str:
  name = content_lib.trained_on(summary)
  return f'frozen models, trained on {name}, were tested' if name else ''


def _unseen(summary, curves) -> str:
  return _external(summary, curves) or _internal(summary, curves)


def _anew(summary, curves) -> str:
  if len(summary['folds']) < 2 or not _level(summary, curves):
    return ''
  return (
    'preprocessing, choice of settings and training were done in every fold'
  )


def _models(summary, curves) -> str:
  if not content_lib.trained_here(summary):
    return ''
  return f'{words.counted(len(summary["arms"]), "arm")}, in the model cards'


def _training(summary, curves) -> str:
  trials = _tuning(summary).get('trials')
  if not trials:
    return ''
  settings = words.counted(trials, 'setting')
  return f'{settings} of hyperparameters per arm, fold and seed'


def _tuning(summary) -> Mapping[str, Any]:
  return (summary.get('audits') or {}).get('tuning') or {}


def _choice(summary, curves) -> str:
  tuning = _tuning(summary)
  if not tuning.get('chosen_by'):
    return ''
  return f'chosen by {tuning["chosen_by"]}; no test study was used'


def _seeds(summary, curves) -> str:
  seeds = content_lib.seeds(summary)
  if not seeds or not content_lib.trained_here(summary):
    return ''
  return f'{seeds} per fold'


def _ensembles(summary, curves) -> str:
  late = [a for a, x in summary['arms'].items() if x.get('strategy') == 'late']
  if not late:
    return ''
  return f'{", ".join(late)}: of models of one modality each'


def _fairness(summary, curves) -> str:
  found = findings.declared(summary)
  if not found:
    return ''
  text = f'{words.counted(len(found), "declared subgroup")} in the report'
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
  text = {
    'binary': 'the probability of the outcome',
    'multiclass': 'the probability of every class',
    'multilabel': 'the probability of every label',
    'regression': 'the value of the outcome',
    'survival': 'a log relative hazard',
  }.get(kind, '')
  if any(
    'reason' not in place
    for x in summary['arms'].values()
    for place in x.get('thresholds') or ()
  ):
    text += '; thresholds were chosen on validation parts'
  return text


def _registration(summary, curves) -> str:
  found = summary.get('registration')
  if not found:
    return ''
  deviations = len(found.get('deviations') or ())
  unchecked = len(found.get('unchecked') or ())
  return (
    f'held against a registration, SHA-256 {found["sha256"]}; '
    + words.counted(deviations, 'deviation')
    + (f', {unchecked} not checked' if unchecked else '')
  )


def _code(summary, curves) -> str:
  others = run_box.software(summary['run'])
  if not others:
    return ''
  return f'{run_box.library(summary["run"]) or "fusion_jax"}; {others}'


def _artefacts(summary, curves) -> str:
  if not content_lib.trained_here(summary) or not summary['run'].get('folder'):
    return ''
  if content_lib.trained_on(summary):
    return (
      'predictions are in this folder, models and configuration in that of the '
      'run that trained them'
    )
  return 'models, configuration and predictions are in the run folder'


def _estimates(summary, curves) -> str:
  metric = summary['evaluation']['metric']
  text = f'{metric} and other metrics of every arm with 95% intervals'
  if notes.by_delong(summary['evaluation']):
    text = f'{metric} of every arm with its 95% interval'
  return text


def _performance(summary, curves) -> str:
  text = _estimates(summary, curves)
  if findings.declared(summary):
    return f'{text}, in subgroups too'
  return f'{text}{REST}'


def _diagnosis(summary, curves) -> str:
  known = [
    name
    for name in ('sensitivity', 'specificity', 'ppv', 'npv')
    if any(
      (x['metrics'].get(name) or {}).get('estimate') is not None
      for x in summary['arms'].values()
    )
  ]
  if not known:
    return ''
  text = f'{notes.listed(known)} of every arm'
  return (
    text
    if notes.by_delong(summary['evaluation'])
    else (f'{text} with 95% intervals')
  )


def _absent(summary, curves) -> str:
  if summary.get('missing'):
    return 'performance by share of studies without a modality'
  return ''


def _uncertainty(summary, curves) -> str:
  evaluation, cohort = summary['evaluation'], summary['cohort']
  if notes.by_delong(evaluation):
    found = ["DeLong's intervals, studies taken as independent"]
  else:
    found = [f'{evaluation["replicates"]} replicates of a patient bootstrap']
    if cohort['patients'] != cohort['studies']:
      found[0] += ', which redraws patients with all their studies'
  count = len(summary['comparisons'])
  if count > 1:
    found.append(f'all {count} comparisons as one family')
  if any(notes.varied(summary, x) for x in content_lib.SPREADS):
    found.append('training variability beside it')
  return '; '.join(found)


def _robustness(summary, curves) -> str:
  told = {
    'missing modalities': summary.get('missing'),
    'controls': summary.get('controls'),
    'learning curves': summary.get('learning_curve'),
    'subgroups': findings.declared(summary),
  }
  return ', '.join(name for name, there in told.items() if there)


def _shares(summary, curves) -> str:
  if findings.shapley(summary):
    return 'Shapley values of the modalities'
  return ''


def _leakage(summary, curves) -> str:
  found = [_level(summary, curves)]
  tried = [x for x in findings.audits(summary) if x.possible()]
  if tried:
    alarms = [x.name for x in tried if x.alarm]
    told = f'alarm: {", ".join(alarms)}' if alarms else 'no alarm'
    audits = words.counted(len(tried), 'audit')
    found.append(f'{audits} of shortcuts and leaks, {told}')
  return '; '.join(x for x in found if x)


def _kinds(summary, curves) -> str:
  metrics = {
    name
    for x in summary['arms'].values()
    for name, value in x['metrics'].items()
    if value.get('estimate') is not None
  }
  found = [f'discrimination ({m})' for m in _DISCRIMINATION if m in metrics][:1]
  if 'calibration_slope' in metrics:
    found.append('calibration')
  if any(k.startswith('decision') for x in (curves or {}).values() for k in x):
    found.append('net benefit')
  if len(found) < 3:
    return f'{notes.listed(found)}{REST}' if found else ''
  return notes.listed(found)


_DISCRIMINATION = ('auroc', 'auroc_macro', 'c_index')


ANSWERS: Mapping[
  str, Callable[[Mapping[str, Any], Mapping[str, Any] | None], str]
] = {
  'absent': _absent,
  'anew': _anew,
  'artefacts': _artefacts,
  'characteristics': _characteristics,
  'choice': _choice,
  'code': _code,
  'diagnosis': _diagnosis,
  'ensembles': _ensembles,
  'estimates': _estimates,
  'external': _external,
  'fairness': _fairness,
  'flow': _flow,
  'gaps': _gaps,
  'internal': _internal,
  'kinds': _kinds,
  'leakage': _leakage,
  'level': _level,
  'licence': _licence,
  'measures': _measures,
  'missing': _missing,
  'models': _models,
  'needed': _needed,
  'origin': _origin,
  'output': _output,
  'performance': _performance,
  'preparation': _preparation,
  'recalibration': _recalibration,
  'registration': _registration,
  'robustness': _robustness,
  'seeds': _seeds,
  'shares': _shares,
  'size': _size,
  'source': _source,
  'split': _split,
  'training': _training,
  'uncertainty': _uncertainty,
  'unseen': _unseen,
}
