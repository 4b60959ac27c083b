"""A methods section ready to paste, written from the facts of a run."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import citations, findings, made_of, notes, run_box
from fusion_jax.report import cohort as cohort_lib
from fusion_jax.report import content as content_lib
from fusion_jax.report import text as text_lib

# What is fitted of each kind.
_FITTED = {
  'table': 'vocabularies, imputation, scaling',
  'image': 'image statistics',
  'volume': 'statistics of voxels',
  'series': 'codes and scales of series',
  'vector': 'scaling of vectors',
}


def write(summary: Mapping[str, Any]) -> tuple[list[str], list[str]]:
  """Paragraphs and the references they cite.

  Args:
    summary: what `summary.json` holds; what it does not say is left to the
      authors in brackets.
  """
  writer = citations.Writer()
  _data(writer, summary)
  _models(writer, summary)
  _estimates(writer, summary)
  if summary['comparisons']:
    _comparison(writer, summary)
  _checks(writer, summary)
  _software(writer, summary)
  return writer.paragraphs, writer.references()


# In the unit of the label: no default margin is known for them.
_IN_UNITS = ('rmse', 'mae')
_OUTCOMES = {
  'binary': 'binary',
  'multiclass': 'one of several classes',
  'multilabel': 'several binary labels',
  'regression': 'a number',
  'survival': 'the time to an event',
}


def _data(writer, summary) -> None:
  cohort, task = summary['cohort'], summary['task']
  events = content_lib.events(summary)
  complete = summary.get('complete_cases')
  writer.add(
    f'Data. {words.counted(cohort["studies"], "study")} of '
    f'{words.counted(cohort["patients"], "patient")} '
    + ('was' if cohort['studies'] == 1 else 'were')
    + ' tested'
    + ('.' if events is None else f' ({words.counted(events, "event")}).'),
    f'The outcome was {_OUTCOMES[task["kind"]]} ({", ".join(task["names"])}).',
    f'Cohort: {cohort["citation"].rstrip(".")}.'
    if isinstance(cohort.get('citation'), str) and cohort['citation']
    else '[Authors: name and cite the cohort, and say how and when studies '
    'were collected, who was eligible, and how the outcome was determined.]',
    *(f'From rows to studies: {x}' for x in cohort_lib.flow_sentences(summary)),
    _parts(summary),
    'Studies that lack a modality were kept; '
    f'{complete["studies"]} had all modalities.'
    if complete
    else 'All studies had all modalities.'
    if content_lib.trained_here(summary)
    else '',
  )


def _parts(summary) -> str:
  frozen = content_lib.trained_on(summary)
  if frozen:
    return (
      f'The models were trained on another cohort ({frozen}) and frozen; '
      'nothing was fitted or chosen on this one.'
    )
  if not content_lib.trained_here(summary):
    return '[Authors: say how studies were divided for training and testing.]'
  repeats = len({x['repeat'] for x in summary['folds']})
  folds = len({x['fold'] for x in summary['folds']})
  several = f'{repeats} repeats of ' if repeats > 1 else ''
  made = f'{several}{folds} folds' if folds > 1 else f'{several}one split'
  each = ' of a fold' if folds > 1 else ''
  verb = 'was' if made == 'one split' else 'were'
  how = summary['cohort'].get('division')
  told = f'; {"folds were " if folds > 1 else "it was "}{how}' if how else ''
  return (
    f'There {verb} {made}{told}. Training, validation and test parts{each} had '
    f'{content_lib.apart(summary)}.'
  )


def _models(writer, summary) -> None:
  arms = summary['arms']
  singles = [a for a, x in arms.items() if x['role'] == 'single']
  fusions: dict[str, list[str]] = {}
  for arm, entry in arms.items():
    if entry['role'] == 'fusion':
      strategy = content_lib.STRATEGIES.get(
        entry.get('strategy'), 'strategy not stated'
      )
      fusions.setdefault(strategy, []).append(arm)
  told = [f'{name} ({", ".join(found)})' for name, found in fusions.items()]
  own = content_lib.trained_here(summary)
  writer.add(
    f'Models. Single modalities: {", ".join(singles)}.'
    if singles
    else 'Models.',
    f'Fusion strategies, in the terms of Huang et al. {writer.cite("huang")}: '
    f'{"; ".join(told)}.'
    if told
    else '',
    f'{preparation(summary)}.'
    if own
    else 'Models were made elsewhere and only their predictions evaluated. '
    '[Authors: describe the models and how they were trained and tuned.]',
    *(made_of.methods(summary) if own else ()),
    _training(summary) if own else '',
    *_unfinished(summary),
  )


def preparation(summary: Mapping[str, Any]) -> str:
  """What of the preparation of data was fitted, and on what."""
  seen = {
    entry.get('kind')
    for arm in summary['arms'].values()
    for entry in (arm.get('made_of') or {}).get('inputs', ())
  }
  steps = [text for kind, text in _FITTED.items() if kind in seen]
  named = f' ({", ".join(steps)})' if steps else ''
  several = len(summary['folds']) > 1
  return (
    f'Preprocessing{named} was fitted on the training part'
    + (' of each fold' if several else '')
    + ' alone'
  )


def _training(summary) -> str:
  seeds = content_lib.seeds(summary) or '[Authors: how many] seeds'
  text = f'Models of every arm were trained with {seeds}'
  if len(summary['folds']) > 1:
    text += ' per fold'
  tuning = (summary.get('audits') or {}).get('tuning') or {}
  trials = tuning.get('trials') or 0
  if trials == 1:
    text += ' and one setting of hyperparameters'
  elif trials and tuning.get('chosen_by'):
    text += (
      f'; {trials} settings of hyperparameters were tried, and one chosen by '
      f'{tuning["chosen_by"]}'
    )
    fixed = tuning.get('without_hyperparameters')
    if fixed:
      text += f' ({", ".join(fixed)} had none to choose)'
  return f'{text}.'


def _unfinished(summary) -> list[str]:
  """Arms that failed, and those that lack models of some fold."""
  found = []
  for entry in summary.get('history') or ():
    if entry['status'] != 'finished':
      why = f' ({entry["reason"].rstrip(".")})' if entry.get('reason') else ''
      what = 'failed' if entry['status'] == 'failed' else 'is not finished'
      found.append(f'{entry["arm"]} was started but {what}{why}.')
  return found + [
    f'{arm} has no model of {lacking} of {len(summary["folds"])} folds.'
    for arm, lacking in findings.without_models(summary).items()
  ]


def _estimates(writer, summary) -> None:
  evaluation = summary['evaluation']
  known = {
    name
    for x in summary['arms'].values()
    for name, value in x['metrics'].items()
    if value.get('estimate') is not None
  }
  calibration = [
    word for word in ('slope', 'intercept') if f'calibration_{word}' in known
  ]
  writer.add(
    f'Estimates. The primary metric was {words.metric(evaluation["metric"])}, '
    f'{notes.averaged(summary)}. Scores of different models were never pooled.',
    _intervals(writer, evaluation),
    evaluation.get('estimand_text')
    or 'They are conditional on the trained models and do not cover what '
    'training anew would change.',
    'The spread between folds was corrected for shared training studies '
    f'{writer.cite("nadeau")}.'
    if notes.varied(summary, 'fold_sd')
    else '',
    f'Calibration was described by {notes.listed(calibration)}.'
    if calibration
    else '',
    _recalibration(writer, content_lib.recalibrated(summary)),
  )


_RECALIBRATIONS = {
  'temperature': ('temperature scaling', 'guo'),
  'platt': ('Platt scaling', 'platt'),
  'isotonic': ('isotonic regression', 'zadrozny'),
}


def _recalibration(writer, ways) -> str:
  told = [
    f'{_RECALIBRATIONS[x][0]} {writer.cite(_RECALIBRATIONS[x][1])}'
    for x in ways
  ]
  if not told:
    return ''
  return (
    'Predictions were also recalibrated on validation parts, by '
    f'{notes.listed(told)}.'
  )


def _intervals(writer, evaluation) -> str:
  if notes.by_delong(evaluation):
    return (
      f"95% intervals of the AUROC are DeLong's {writer.cite('delong')}, which "
      'take studies as independent; other metrics have none.'
    )
  kind = (
    ' (bias-corrected and accelerated)'
    if evaluation.get('method') == 'bca'
    else ' (on the logit scale for metrics between 0 and 1, else percentiles)'
  )
  return (
    f'95% intervals{kind} are from {evaluation["replicates"]} bootstrap '
    f'replicates that redraw patients with all their studies '
    f'{writer.cite("efron")}, the same replicates for all arms.'
  )


def _comparison(writer, summary) -> None:
  evaluation, comparisons = summary['evaluation'], summary['comparisons']
  if all(x['low'] is None for x in comparisons):
    writer.add(
      'Comparison. No gain could be judged, so that every fusion arm is '
      'inconclusive.',
      _registration(summary.get('registration')),
    )
    return
  writer.add(
    f'Comparison. {_gain(summary)}',
    _bounds(writer, evaluation, len(comparisons)),
    _factor(evaluation),
    'An arm was called inferior if the upper bound of its gain lay below 0, '
    'superior if the lower bound lay above 0 (intersection-union '
    f'{writer.cite("berger")}), {_equivalent(writer, evaluation)}and '
    'inconclusive otherwise.',
    _beside(writer, evaluation, comparisons),
    _registration(summary.get('registration')),
  )


def _gain(summary) -> str:
  """What the gain of a fusion arm is over."""
  evaluation = summary['evaluation']
  named = evaluation.get('reference', 'best_single')
  singles = [a for a, x in summary['arms'].items() if x['role'] == 'single']
  metric = words.metric(evaluation['metric'])
  start = (
    f'The gain of a fusion arm is how much better its {metric} is than that of'
  )
  if named != 'best_single':
    return f"{start} '{named}', which was given by name."
  if len(singles) == 1:
    return f"{start} '{singles[0]}', the only single-modality arm."
  return (
    f'{start} the best single-modality arm on the same test studies: the '
    'smallest of its differences from all of them; that arm was not chosen on '
    'validation studies.'
  )


def _bounds(writer, evaluation, count) -> str:
  whose = (
    f'the gains of all {count} fusion arms together'
    if count > 1
    else 'the gain of the one fusion arm'
  )
  how = f'one standardised max-t bootstrap {writer.cite("romano")}'
  if notes.by_delong(evaluation):
    how = (
      "the maximum of a normal vector with DeLong's covariance "
      f'{writer.cite("delong")}'
    )
  return (
    f'95% bounds and p values hold for {whose}, with an error of 2.5% on each '
    f'side; they are from {how}.'
  )


def _factor(evaluation) -> str:
  factor = evaluation.get('factor') or {}
  if not factor.get('shared'):
    return ''
  return (
    f'Standard errors were multiplied by {factor["value"]:g}, as '
    f'{factor["reason"]}.'
  )


def _equivalent(writer, evaluation) -> str:
  unit = evaluation['metric'] in _IN_UNITS
  if unit and not evaluation.get('margin_given', True):
    return ''
  return (
    'equivalent if its 90% bounds lay within '
    f'{text_lib.plain(evaluation["margin"])} of 0 {writer.cite("schuirmann")}, '
  )


def _beside(writer, evaluation, comparisons) -> str:
  """Tests of one comparison that stand beside the verdicts."""
  lines = [x.get('without_factor') or {} for x in comparisons]
  names = {
    'delong': ("DeLong's test", 'delong'),
    'corrected_t': ('the corrected resampled t-test', 'nadeau'),
    'permutation': ('a permutation test by patient', ''),
  }
  made = [
    f'{text} {writer.cite(key)}' if key else text
    for name, (text, key) in names.items()
    if any((x.get(name) or {}).get('p') is not None for x in lines)
  ]
  if not made:
    return ''
  shared = (evaluation.get('factor') or {}).get('shared')
  without = ' and without that factor' if shared else ''
  return f'Beside it stand, for one comparison{without}: {", ".join(made)}.'


def _registration(found) -> str:
  if not found:
    return 'The analysis was not held against a registration.'
  deviations = len(found.get('deviations') or ())
  unchecked = len(found.get('unchecked') or ())
  told = f'it deviates from it in {words.counted(deviations, "point")}'
  untold = (
    f' and could not be checked in {words.counted(unchecked, "point")}'
    if unchecked
    else ''
  )
  late = (
    ', which was given after results had been seen'
    if found.get('after_results')
    else ''
  )
  return (
    'The analysis was held against a registration of metric, margin, '
    f'reference and arms (SHA-256 {found["sha256"]}){late}; '
    f'{told if deviations else "it does not deviate from it"}{untold}. '
    '[Authors: say when and where this was published.]'
  )


def _checks(writer, summary) -> None:
  sentences = []
  controls = _controls(writer, summary.get('controls') or {})
  if controls:
    sentences.append(
      f'Whether a gain is fusion was tested with {", ".join(controls)}.'
    )
  sentences += _audits(findings.audits(summary))
  if summary.get('missing'):
    sentences.append(
      'Performance was also measured with a modality withheld from shares of '
      'the test studies.'
    )
  if summary.get('learning_curve'):
    sentences.append(
      'Models were also trained on shares of the training patients.'
    )
  if findings.declared(summary):
    sentences.append('Metrics were also computed within declared subgroups.')
  if any(
    x.get('p_adjusted') is not None for x in summary.get('interactions') or ()
  ):
    sentences.append(
      'Whether the gain differs between them was tested by standardised max-t '
      'interaction tests, adjusted for all columns and arms.'
    )
  if any(
    (x.get(gap) or {}).get('estimate') is not None
    for x in summary.get('equalised_odds') or ()
    for gap in ('tpr_gap', 'fpr_gap')
  ):
    sentences.append(
      f'Gaps of equalised odds are reported {writer.cite("hardt")}.'
    )
  if (summary.get('image_value') or {}).get('arms'):
    sentences.append(
      'The value of the image is a difference of net benefit '
      f'{writer.cite("vickers")}.'
    )
  if sentences:
    writer.add('Checks.', *sentences)


def _audits(audits) -> list[str]:
  if not audits:
    return []
  alarms = [x.name for x in audits if x.alarm]
  tried = [x for x in audits if x.possible()]
  found = []
  if tried:
    found.append(
      f'{words.counted(len(tried), "audit")} looked for shortcuts and leaks '
      f'({", ".join(x.name for x in tried)}); '
      + (f'{notes.listed(alarms)} raised an alarm.' if alarms else 'no alarm.')
    )
  rest = [x.name for x in audits if not x.possible()]
  if rest:
    found.append(f'Not possible: {", ".join(rest)}.')
  return found


def _controls(writer, controls) -> list[str]:
  """The controls that were made, with their sources."""
  made = {c for x in controls.values() for c in x.get('conditions') or ()}
  found = [
    text
    for end, text in (
      ('permuted', 'modalities exchanged among patients'),
      ('noise', 'modalities replaced by noise'),
      ('absent', 'modalities withheld'),
    )
    if any(c.endswith(f'_{end}') for c in made)
  ]
  if 'emap' in made:
    found.append(f'an additive projection {writer.cite("hessel")}')
  if 'ensemble' in made:
    found.append('an ensemble of two models of the best single modality')
  divided = [
    v
    for x in controls.values()
    for v in (x.get('shapley') or {}).values()
    if isinstance(v, Mapping) and v.get('estimate') is not None
  ]
  if divided:
    text = f'Shapley values of the modalities {writer.cite("shapley")}'
    if any('sampling_se' in v for v in divided):
      text += f' from random orders of them {writer.cite("castro")}'
    found.append(text)
  return found


def _software(writer, summary) -> None:
  run = summary['run']
  library = run_box.library(run) or 'fusion_jax'
  others = run_box.software(run)
  backend = f' Models ran on {run["backend"]}.' if run.get('backend') else ''
  writer.add(
    f'Software. {library}' + (f'; {others}.' if others else '.') + backend,
    'What a run can answer of TRIPOD+AI '
    f'{writer.cite("collins")} is listed in its report.',
  )
