"""The first screen: one answer in a few lines, for the page and the terminal.

All of it is picked from a summary and put into words; docs/report.md says which
key each line is from.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import content as content_lib
from fusion_jax.report import findings, names, notes
from fusion_jax.report import text as text_lib

# Where there is nothing to compare, nothing was answered either.
NOTHING = 'NOTHING COMPARED'

USE = 'USE'
SURE = 'HOW SURE'
CHECK = 'CHECK FIRST'
BUT = 'BUT'
ALSO = 'ALSO'
SETTLE = 'TO SETTLE IT'

# So many names stand behind a count.
_MOST = 4
# The cause of miscalibrated probabilities that the slope shows.
_SLOPE = 'slope'
# Audits of something that should not predict; others are about the models.
_ALONE = {
  'missingness': 'what is missing or declared unknown alone reaches',
  'acquisition': 'how images were stored alone reaches',
  'brightness': 'brightness alone reaches',
  'identifiers': 'names of studies and patients alone reach',
  'row order': 'the row number alone reaches',
  'time': 'the time alone reaches',
  'subgroup only': 'groups and site alone reach',
}


@dataclasses.dataclass(frozen=True)
class Line:
  """One line with a label before it.

  Attributes:
    label: what it answers.
    text: the answer.
    style: class of the page's style sheet; 'alarm' where a reader must act.
    to: anchor of the section with more, or empty.
  """

  label: str
  text: str
  style: str = ''
  to: str = ''


@dataclasses.dataclass(frozen=True)
class Gain:
  """The one gain of the page, in words.

  Attributes:
    number: '+0.125', or that it is undefined.
    metric: in plain words.
    bounds: '[+0.101, +0.150]', or empty.
    over: 'over the best single modality'.
    before: '.816 ehr'.
    after: '.941 early_pca'.
  """

  number: str
  metric: str
  bounds: str
  over: str
  before: str
  after: str

  def arrow(self, sign: str = '→') -> str:
    """From the single modality to fusion; empty where not both are known."""
    both = self.before and self.after
    return f'{self.before} {sign} {self.after}' if both else ''


@dataclasses.dataclass(frozen=True)
class Screen:
  """What is said before all else.

  Attributes:
    question: with its question mark.
    verdict: superior, inferior, equivalent, inconclusive, or empty.
    answer: YES, WORSE, NO MORE THAN .02, NOT SETTLED, NOTHING COMPARED.
    aside: behind the answer, such as that the gain is within the margin.
    cohort: name, studies, patients, events.
    gain: the one of the page, None if nothing was compared.
    sentence: in place of the gain.
    added: what is added to each single modality.
    lines: the others.
    counts: (verdict, how many arms have it and which).
  """

  question: str
  verdict: str
  answer: str
  aside: str
  cohort: Sequence[str]
  gain: Gain | None
  sentence: str
  added: Sequence[str]
  lines: Sequence[Line]
  counts: Sequence[tuple[str, str]]

  def style(self) -> str:
    return names.style(self.verdict, within_margin=bool(self.aside))


def build(summary: Mapping[str, Any], *, warnings: str = 'below') -> Screen:
  """Picks the first screen from a summary.

  Args:
    summary: what `summary.json` holds.
    warnings: where they stand.
  """
  question = summary['question']
  compared = bool(summary['comparisons'])
  gain = summary.get('gain')
  lines = [
    *_use(summary),
    *(_sure(summary, gain) if compared else []),
    *_but(summary),
    *_also(summary),
    *_settle(summary),
    _check(summary, warnings),
  ]
  aside = ''
  if gain and gain['within_margin'] and gain['verdict'] == question['verdict']:
    aside = f'by less than {text_lib.short(summary["evaluation"]["margin"])}'
  return Screen(
    question=question['text'],
    verdict=question['verdict'] if compared else '',
    answer=question['words'] if compared else NOTHING,
    aside=aside,
    cohort=_cohort(summary),
    gain=_gain(summary, gain) if gain else None,
    sentence='' if gain else question['sentence'],
    added=_added(gain) if gain else [],
    lines=lines,
    counts=counts(summary),
  )


def _cohort(summary) -> list[str]:
  cohort = summary['cohort']
  events = content_lib.events(summary)
  pieces = [
    cohort.get('name', 'cohort'),
    _many(cohort['studies'], 'study'),
    _many(cohort['patients'], 'patient'),
  ]
  if events is not None:
    pieces.append(_many(events, 'event'))
  trained_on = content_lib.trained_on(summary)
  if trained_on:
    pieces.append(f'models of {trained_on}')
  return pieces


def _many(number, noun) -> str:
  return f'{number:,} {noun if number == 1 else words.plural(noun)}'


def _gain(summary, gain) -> Gain:
  metric = words.metric(gain['metric'])
  over = f'over {content_lib.reference_in_words(summary)}'
  if gain['difference'] is None:
    reason = _of_gain(summary).get('reason') or 'it could not be computed'
    return Gain('No gain', metric, '', f'{over}: {reason}', '', '')
  bounds = f'[{_signed(gain["low"])}, {_signed(gain["high"])}]'
  if gain['low'] is None and gain['high'] is None:
    bounds = '[no bounds]'
  return Gain(
    _signed(gain['difference']),
    metric,
    bounds,
    over,
    _with_arm(gain['single_estimate'], gain['single']),
    _with_arm(gain['estimate'], gain['arm']),
  )


def _with_arm(value, arm) -> str:
  return '' if value is None or not arm else f'{text_lib.plain(value)} {arm}'


def _signed(value) -> str:
  return text_lib.UNDEFINED if value is None else text_lib.signed(value)


def _comparison(summary, arm) -> Mapping[str, Any]:
  return next((c for c in summary['comparisons'] if c['arm'] == arm), {})


def _added(gain) -> list[str]:
  """What fusion adds to each single modality."""
  pieces = []
  for x in gain.get('added') or ():
    number = text_lib.Number(x['difference'], x['low'], x['high'])
    value = text_lib.interval(number, text_lib.Reasons(), signed=True)
    pieces.append(f'to {x["single"]} {value}')
  return pieces if len(pieces) > 1 else []


def _use(summary) -> list[Line]:
  use = summary.get('use')
  if not use or not summary['comparisons']:
    return []
  caveat = f'; {use["caveat"]}' if use.get('caveat') else ''
  if use['advice'] == 'single' and use.get('single'):
    role = summary['arms'][use['single']]['role']
    what = ', a single modality' if role == 'single' else ''
    found = 'no fusion arm is shown to be better'
    return [Line(USE, f'{use["single"]}{what}: {found}{caveat}', 'use')]
  if use['advice'] != 'arm' or not use.get('arm'):
    return [Line(USE, use['sentence'].removesuffix('.'))]
  cost = []
  if use.get('parameters') is not None:
    cost.append(f'{text_lib.count(use["parameters"])} parameters')
  seconds = (use.get('cost') or {}).get('seconds')
  if seconds is not None:
    cost.append(text_lib.duration(seconds))
  aside = [', '.join(cost)] if cost else []
  if use.get('slope') is not None:
    aside.append(f'slope {text_lib.ratio(use["slope"])}')
  behind = f' ({"; ".join(aside)})' if aside else ''
  margin = text_lib.short(use['margin'])
  return [
    Line(
      USE,
      f'{use["arm"]}: no other arm is better by {margin}{behind}{caveat}',
      'use',
    )
  ]


def _sure(summary, gain) -> list[Line]:
  pieces = [corrected(summary)]
  if gain:
    sd = gain.get('training_sd')
    pieces.append(
      'what training again changes is not known'
      if sd is None
      else f'training again ±{text_lib.plain(sd)}'
    )
  seeds = content_lib.seeds(summary)
  if seeds:
    again = (
      content_lib.trained_here(summary)
      and not notes.external(summary)
      and seeds == '1 seed'
    )
    pieces.append(f'{seeds} (run --seeds=3)' if again else seeds)
  if gain:
    leans = [_lean(x) for x in gain.get('leans') or ()]
    if leans:
      pieces.append(f'the estimate leans {" and ".join(leans)}')
    fragile = gain.get('fragile')
    if fragile:
      factor = f'{fragile["factor"]:.2f}'
      pieces.append(f'fragile: {fragile["verdict"]} at a factor of {factor}')
  pieces += _registered(summary)
  fragile = bool(gain and gain.get('fragile'))
  return [Line(SURE, '; '.join(pieces), 'fragile' if fragile else '')]


def corrected(summary: Mapping[str, Any]) -> str:
  """What the bounds are corrected for."""
  arms = len(summary['comparisons'])
  factor = summary['evaluation'].get('factor') or {}
  over = [words.counted(arms, 'arm')] if arms > 1 else []
  if factor.get('shared'):
    folds = {(x['repeat'], x['fold']) for x in summary['folds']}
    over.append(words.counted(len(folds), 'fold'))
  if not over:
    return 'one arm on one test part'
  return f'corrected for {notes.listed(over)}'


_CAUSES = {
  'tied_singles': 'tied single modalities',
  'choice_of_arm': 'choice of the arm',
}


def _lean(lean) -> str:
  side = 'low' if lean['size'] < 0 else 'high'
  cause = _CAUSES.get(lean['cause'], lean['cause'].replace('_', ' '))
  return f'{side} by {text_lib.plain(abs(lean["size"]))} ({cause})'


def _registered(summary) -> list[str]:
  registered = summary.get('registration')
  if not registered:
    return []
  deviations = len(registered.get('deviations') or ())
  if registered.get('after_results'):
    return ['registered after results were seen']
  if deviations:
    many = words.counted(deviations, 'point')
    return [f'deviates from its registration in {many}']
  return ['as registered']


def _but(summary) -> list[Line]:
  """What the answer does not say."""
  question = summary['question']
  lines = [x.removesuffix('.') for x in question.get('not_in_headline') or ()]
  complete = question.get('complete_cases')
  if complete not in (None, question['verdict']):
    lines.append(f'on studies with all modalities the answer is {complete}')
  entry = _of_gain(summary)
  if entry.get('reason') and entry['difference'] is not None:
    lines.append(f'{entry["arm"]} is {entry["verdict"]}: {entry["reason"]}')
  return [Line(BUT, '; '.join(lines), 'but')] if lines else []


def _also(summary) -> list[Line]:
  """With a named reference: the gain over all single modalities."""
  x = _of_gain(summary).get('over_all_singles')
  if not x or x['difference'] is None:
    return []
  number = text_lib.Number(x['difference'], x['low'], x['high'])
  value = text_lib.interval(number, text_lib.Reasons(), signed=True)
  return [
    Line(
      ALSO,
      f'over all single modalities, of which {x["single"]} is the best, it is '
      f'{value}: {x["verdict"]}',
    )
  ]


def _of_gain(summary) -> Mapping[str, Any]:
  """The comparison whose gain is the page's."""
  return _comparison(summary, (summary.get('gain') or {}).get('arm'))


def _settle(summary) -> list[Line]:
  """What a larger study would need, where this one settles nothing."""
  question = summary['question']
  needs = question.get('patients_needed') or {}
  if question['verdict'] != 'inconclusive' or not summary['comparisons']:
    return []
  if _of_gain(summary).get('reason'):
    # Something is missing that no patients can give.
    return []
  margin = text_lib.short(summary['evaluation']['margin'])
  ways = {
    'superior': f'if the gain over every single modality is {margin}',
    'equivalent': 'if it is 0',
  }
  pieces = [
    f'{needs[k]["patients"]:,} patients {how}'
    for k, how in ways.items()
    if needs.get(k)
  ]
  if not pieces:
    return []
  here = f'{summary["cohort"]["patients"]:,}'
  text = (
    f'{notes.listed(pieces)}, with 80% power; here are {here} (plan --from_run '
    'counts single modalities that are behind as they are)'
  )
  return [Line(SETTLE, text)]


def _check(summary, where) -> Line:
  """Alarms in one line."""
  pieces = [_alarm(x) for x in findings.alarms(summary)]
  off = miscalibrated(summary)
  if off:
    shown = [
      f'{arm} (slope {text_lib.ratio(slope)})' if slope is not None else arm
      for arm, slope in off.items()
    ]
    pieces.append(f'miscalibrated: {_capped(shown)}')
  warnings = findings.not_said(summary['warnings'], findings.alarms(summary))
  if warnings:
    pieces.append(f'{words.counted(len(warnings), "warning")} {where}')
  if pieces:
    to = (
      'audits' if findings.alarms(summary) else 'warnings' if warnings else ''
    )
    return Line(CHECK, '; '.join(pieces), 'alarm', to)
  made = [x for x in findings.audits(summary) if x.possible()]
  if not made:
    return Line(CHECK, 'no audit was made')
  return Line(CHECK, f'no alarm in {words.counted(len(made), "audit")}')


def _alarm(audit: findings.Audit) -> str:
  number = audit.number
  what = _ALONE.get(audit.name)
  if what and number is not None and number.estimate is not None:
    return f'{what} {text_lib.plain(number.estimate)}'
  return f'audit of {audit.name} alarms'


def miscalibrated(summary: Mapping[str, Any]) -> dict[str, float | None]:
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
    found = entry.get('probabilities') or {}
    if found.get('miscalibrated'):
      steep = _SLOPE in found['causes']
      slopes[arm] = found.get('slope') if steep else None
  return slopes


def counts(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
  """How many fusion arms have each verdict, and which stand out."""
  wrong = miscalibrated(summary)
  lines = []
  for verdict in names.SIGNS:
    here = [c for c in summary['comparisons'] if c['verdict'] == verdict]
    if not here:
      continue
    arms = [c['arm'] for c in here]
    off = [a for a in arms if a in wrong]
    within = [c['arm'] for c in here if c['within_margin']]
    asides = []
    if verdict != 'superior' and len(here) < len(summary['comparisons']):
      asides.append(_capped(arms))
    if off and verdict == 'superior':
      asides.append(f'{len(off)} miscalibrated: {_capped(off)}')
    if within:
      margin = text_lib.short(summary['evaluation']['margin'])
      asides.append(f'{len(within)} by less than {margin}: {_capped(within)}')
    behind = f' ({"; ".join(asides)})' if asides else ''
    lines.append((verdict, f'{len(here)} {verdict}{behind}'))
  return lines


def _capped(arms: Sequence[str]) -> str:
  """The first few names, and how many more there are."""
  if len(arms) <= _MOST:
    return ', '.join(arms)
  return f'{", ".join(arms[: _MOST - 1])} and {len(arms) - _MOST + 1} more'
