"""A methods section ready to paste, written from the facts of a run."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.report import content as content_lib
from fusion_jax.report import findings, notes
from fusion_jax.report import text as text_lib

# In the order in which they are numbered where all are cited.
REFERENCES = {
  'huang': 'Huang SC, Pareek A, Seyyedi S, Banerjee I, Lungren MP. Fusion of '
  'medical imaging and electronic health records using deep learning: a '
  'systematic review and implementation guidelines. npj Digital Medicine '
  '2020;3:136.',
  'efron': 'Efron B, Tibshirani RJ. An Introduction to the Bootstrap. Chapman '
  'and Hall, 1993.',
  'romano': 'Romano JP, Wolf M. Exact and approximate stepdown methods for '
  'multiple hypothesis testing. Journal of the American Statistical '
  'Association 2005;100:94-108.',
  'berger': 'Berger RL. Multiparameter hypothesis testing and acceptance '
  'sampling. Technometrics 1982;24:295-300.',
  'holm': 'Holm S. A simple sequentially rejective multiple test procedure. '
  'Scandinavian Journal of Statistics 1979;6:65-70.',
  'delong': 'DeLong ER, DeLong DM, Clarke-Pearson DL. Comparing the areas '
  'under two or more correlated receiver operating characteristic curves. '
  'Biometrics 1988;44:837-845.',
  'nadeau': 'Nadeau C, Bengio Y. Inference for the generalization error. '
  'Machine Learning 2003;52:239-281.',
  'hessel': 'Hessel J, Lee L. Does my multimodal model learn cross-modal '
  'interactions? EMNLP 2020:861-877.',
  'shapley': 'Shapley LS. A value for n-person games. Contributions to the '
  'Theory of Games II, 1953:307-317.',
  'vickers': 'Vickers AJ, Elkin EB. Decision curve analysis: a novel method '
  'for evaluating prediction models. Medical Decision Making 2006;26:565-574.',
  'platt': 'Platt J. Probabilistic outputs for support vector machines. '
  'Advances in Large Margin Classifiers, 1999:61-74.',
  'hardt': 'Hardt M, Price E, Srebro N. Equality of opportunity in supervised '
  'learning. NeurIPS 2016.',
  'collins': 'Collins GS, Moons KGM, Dhiman P, et al. TRIPOD+AI statement. BMJ '
  '2024;385:e078378.',
}


class Writer:
  """Collects paragraphs and numbers what they cite, in order."""

  def __init__(self):
    self.paragraphs: list[str] = []
    self._cited: list[str] = []

  def cite(self, *keys: str) -> str:
    """`[1,2]` for references, numbered at their first mention."""
    for key in keys:
      if key not in self._cited:
        self._cited.append(key)
    return '[{}]'.format(','.join(str(self._cited.index(k) + 1) for k in keys))

  def add(self, *sentences: str) -> None:
    self.paragraphs.append(' '.join(x for x in sentences if x))

  def references(self) -> list[str]:
    return [
      f'{i}. {REFERENCES[key]}' for i, key in enumerate(self._cited, start=1)
    ]


def write(summary: Mapping[str, Any]) -> tuple[list[str], list[str]]:
  """Paragraphs and the references they cite.

  Args:
    summary: what `summary.json` holds; what it does not say is left to the
      authors in brackets.
  """
  writer = Writer()
  _data(writer, summary)
  _models(writer, summary)
  _estimates(writer, summary)
  if summary['comparisons']:
    _comparison(writer, summary)
  _checks(writer, summary)
  _software(writer, summary)
  return writer.paragraphs, writer.references()


def _data(writer, summary) -> None:
  cohort, task = summary['cohort'], summary['task']
  events = content_lib.events(summary)
  complete = summary.get('complete_cases')
  writer.add(
    f'Data. {cohort["studies"]} studies of {cohort["patients"]} patients were '
    'tested' + ('.' if events is None else f' ({events} events).'),
    f'The task was {task["kind"]} ({", ".join(task["names"])}).',
    f'Cohort: {cohort["citation"].rstrip(".")}.'
    if isinstance(cohort.get('citation'), str) and cohort['citation']
    else '[Authors: name and cite the cohort, and say how and when studies '
    'were collected, who was eligible, and how the outcome was determined.]',
    _parts(summary),
    'Studies that lack a modality were kept; '
    f'{complete["studies"]} studies had all of them.'
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
      'nothing was fitted or chosen here.'
    )
  repeats = len({x['repeat'] for x in summary['folds']})
  folds = len({x['fold'] for x in summary['folds']})
  if not content_lib.trained_here(summary):
    return '[Authors: say how studies were divided for training and testing.]'
  several = f'{repeats} repeats of ' if repeats > 1 else ''
  return (
    f'There were {several}{folds} folds; training, validation and test parts '
    f'of a fold had {content_lib.apart(summary)}.'
  )


def _models(writer, summary) -> None:
  arms = summary['arms']
  singles = [a for a, x in arms.items() if x['role'] == 'single']
  fusions: dict[str, list[str]] = {}
  for arm, entry in arms.items():
    if entry['role'] == 'fusion':
      strategy = content_lib.strategy_of(arm, entry)
      fusions.setdefault(strategy, []).append(arm)
  told = [f'{name} ({", ".join(found)})' for name, found in fusions.items()]
  own = content_lib.trained_here(summary)
  writer.add(
    f'Models. Single modalities: {", ".join(singles)}.' if singles else '',
    f'Fusion strategies, in the terms of Huang et al. {writer.cite("huang")}: '
    f'{"; ".join(told)}.'
    if told
    else '',
    'Everything fitted (vocabularies, imputation, scaling, image statistics) '
    'was fitted on the training part of its fold.'
    if own
    else 'Models were made elsewhere and only their predictions evaluated. '
    '[Authors: describe the models and how they were trained and tuned.]',
    _training(summary) if own else '',
  )


def _training(summary) -> str:
  seeds = max(
    (
      len(f['seeds'])
      for x in summary['arms'].values()
      for f in x.get('folds', ())
    ),
    default=1,
  )
  text = f'Every arm was trained with {seeds} '
  text += f'{"seed" if seeds == 1 else "seeds"} per fold'
  tuning = (summary.get('audits') or {}).get('tuning') or {}
  trials = tuning.get('trials')
  if trials and tuning.get('chosen_by'):
    settings = 'setting' if trials == 1 else 'settings'
    text += (
      f' and {trials} hyperparameter {settings}, chosen by '
      f'{tuning["chosen_by"]}'
    )
    fixed = tuning.get('without_hyperparameters')
    if fixed and trials > 1:
      text += f' ({", ".join(fixed)} had none to choose)'
  return f'{text}.'


def _estimates(writer, summary) -> None:
  evaluation = summary['evaluation']
  metrics = {m for x in summary['arms'].values() for m in x['metrics']}
  writer.add(
    f'Estimates. The primary metric was {evaluation["metric"]}, computed '
    "within each fold's test part and averaged over folds and seeds; scores "
    'of different models were never ranked together.',
    _intervals(writer, evaluation),
    evaluation.get('estimand')
    or 'They are conditional on the trained models and do not cover what '
    'training anew would change.',
    'The spread between folds was corrected for shared training studies '
    f'{writer.cite("nadeau")}.'
    if any(
      (x.get('variability') or {}).get('fold_sd') is not None
      for x in summary['arms'].values()
    )
    else '',
    'Calibration was described by slope and intercept.'
    if 'calibration_slope' in metrics
    else '',
    _recalibration(writer, content_lib.recalibrated(summary)),
  )


def _recalibration(writer, ways) -> str:
  told = [f'Platt {writer.cite(x)}' if x == 'platt' else x for x in ways]
  if not told:
    return ''
  return (
    'Predictions were also recalibrated on validation parts '
    f'({", ".join(told)}).'
  )


def _intervals(writer, evaluation) -> str:
  if notes.by_delong(evaluation):
    return (
      f"95% intervals are DeLong's {writer.cite('delong')}, which takes "
      'studies as independent.'
    )
  kind = (
    ' (bias-corrected and accelerated)'
    if (evaluation.get('method') == 'bca')
    else ''
  )
  return (
    f'95% intervals are from {evaluation["replicates"]} bootstrap replicates '
    f'that redraw patients with all their studies {writer.cite("efron")}'
    f'{kind}, the same replicates for all arms.'
  )


def _comparison(writer, summary) -> None:
  evaluation, comparisons = summary['evaluation'], summary['comparisons']
  margin = text_lib.plain(evaluation['margin'])
  holm = any(x.get('holm') is not None for x in comparisons)
  writer.add(
    f'Comparison. The reference was {notes.reference(summary)}.',
    (
      f'The differences of all {len(comparisons)} fusion arms from it form one '
      'family'
      if len(comparisons) > 1
      else 'The difference of the one fusion arm from it is tested'
    )
    + ' with a one-sided error of 2.5%:'
    + (
      f' p values were adjusted by the method of Holm {writer.cite("holm")}.'
      if holm
      else ' intervals and p values are from one studentised max-t bootstrap '
      f'{writer.cite("romano")}.'
    ),
    'An arm was called superior if its interval lay on the better side of 0 '
    'and so did that of its difference from every single-modality arm '
    f'(intersection-union {writer.cite("berger")}), inferior if it lay on the '
    f'worse side, equivalent if its 90% interval lay within {margin} of 0, and '
    'inconclusive otherwise.',
    f"DeLong's test {writer.cite('delong')} stands beside it."
    if any((x.get('delong') or {}).get('p') is not None for x in comparisons)
    else '',
    _registration(summary.get('registration')),
  )


def _registration(found) -> str:
  if not found:
    return 'The analysis was not registered beforehand with this tool.'
  deviations = found.get('deviations') or []
  return (
    'Primary metric, margin, reference and arms were fixed beforehand '
    f'(SHA-256 {found["sha256"]}); '
    + (
      f'{len(deviations)} deviations are listed in the report.'
      if deviations
      else 'there were no deviations.'
    )
  )


def _checks(writer, summary) -> None:
  audits = findings.audits(summary)
  alarms = [x.name for x in audits if x.alarm]
  sentences = []
  controls = _controls(writer, summary.get('controls') or {})
  if controls:
    sentences.append(
      f'Whether a gain is fusion was tested with {", ".join(controls)}.'
    )
  if audits:
    sentences.append(
      f'{len(audits)} audits asked whether what should not predict the label '
      'does ('
      + ', '.join(x.name for x in audits)
      + ')'
      + (f'; {", ".join(alarms)} raised an alarm.' if alarms else '; none did.')
    )
  if summary.get('subgroups'):
    sentences.append('Metrics were also computed within declared subgroups.')
  if summary.get('equalised_odds'):
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
  if any(
    (v or {}).get('estimate') is not None
    for x in controls.values()
    for v in (x.get('shapley') or {}).values()
    if isinstance(v, Mapping)
  ):
    found.append(f'Shapley values {writer.cite("shapley")}')
  return found


def _software(writer, summary) -> None:
  run = summary['run']
  versions = run.get('versions') or {}
  told = ', '.join(
    f'{k} {v}' for k, v in versions.items() if k != 'backend' and v
  )
  python = f'Python {run["python"]}' if run.get('python') else ''
  backend = f' on {run["backend"]}' if run.get('backend') else ''
  with_them = ', '.join(x for x in (python, told) if x)
  writer.add(
    f'Software. fusion_jax{backend}'
    + (f' with {with_them}.' if with_them else '.'),
    'What a run can answer of TRIPOD+AI '
    f'{writer.cite("collins")} is listed in its report.',
  )
