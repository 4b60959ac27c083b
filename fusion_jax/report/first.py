"""The first screen: one answer in a few lines, for the page and the terminal.

All of it is picked from a summary and put into words; docs/report.md says which
key each line is from.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import words
from fusion_jax.report import audits, names, prose
from fusion_jax.report import facts as facts_lib
from fusion_jax.report import text as text_lib

USE = 'USE'
SURE = 'HOW SURE'
CHECK = 'CHECK FIRST'
BUT = 'BUT'
ALSO = 'ALSO'
SETTLE = 'TO SETTLE IT'

# So many names stand behind a count.
_MOST = 4
_WORDS = prose.data('vocabulary')


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
  facts = facts_lib.of(summary)
  question = summary['question']
  compared = bool(facts.fusions)
  gain = summary.get('gain')
  lines = [
    _use(summary),
    _sure(facts, gain) if compared else None,
    _but(summary),
    _also(summary),
    _settle(summary, facts) if compared else None,
    _check(summary, facts, warnings),
  ]
  within = bool(
    gain and gain['within_margin'] and gain['verdict'] == question['verdict']
  )
  return Screen(
    question=question['text'],
    verdict=question['verdict'] if compared else '',
    answer=question['words'] if compared else _text('nothing'),
    aside=_text('aside', facts, within=within),
    cohort=_cohort(summary, facts),
    gain=_gain(summary, gain, facts) if gain else None,
    sentence='' if gain else question['sentence'],
    added=_added(gain) if gain else [],
    lines=[x for x in lines if x and x.text],
    counts=counts(summary, facts),
  )


def _text(passage: str, *facts: Any, **context: Any) -> str:
  return prose.passage('first', passage, *facts, **context)


def _cohort(summary, facts) -> list[str]:
  sizes = ((facts.studies, 'study'), (facts.patients, 'patient'))
  if facts.events is not None:
    sizes += ((facts.events, 'event'),)
  pieces = [summary['cohort'].get('name', 'cohort')]
  pieces += [prose.many(number, noun) for number, noun in sizes]
  return pieces + (
    [f'models of {facts.trained_on}'] if facts.trained_on else []
  )


def _gain(summary, gain, facts) -> Gain:
  metric, undefined = words.metric(gain['metric']), gain['difference'] is None
  reason = _of_gain(summary).get('reason')
  over = _text('over', facts, no_gain=undefined, reason=reason)
  if undefined:
    return Gain(_text('no_gain'), metric, '', over, '', '')
  bounds = f'[{_signed(gain["low"])}, {_signed(gain["high"])}]'
  if gain['low'] is None and gain['high'] is None:
    bounds = _text('no_bounds')
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


def _added(gain) -> list[str]:
  """What fusion adds to each single modality, where there are several."""
  pieces = [
    _text('added', single=x['single'], number=_difference(x))
    for x in gain.get('added') or ()
  ]
  return pieces if len(pieces) > 1 else []


def _difference(entry) -> text_lib.Number:
  return text_lib.Number(entry['difference'], entry['low'], entry['high'])


def _use(summary) -> Line | None:
  use = summary.get('use')
  if not use or not summary['comparisons']:
    return None
  caveat = use.get('caveat') or ''
  single, arm = use.get('single'), use.get('arm')
  if use['advice'] == 'single' and single:
    alone = summary['arms'][single]['role'] == 'single'
    text = _text('use_single', single=single, alone=alone, caveat=caveat)
    return Line(USE, text, 'use')
  if use['advice'] != 'arm' or not arm:
    return Line(USE, use['sentence'].removesuffix('.'))
  text = _text(
    'use_arm',
    arm=arm,
    margin=use['margin'],
    parameters=use.get('parameters'),
    seconds=(use.get('cost') or {}).get('seconds'),
    slope=use.get('slope'),
    caveat=caveat,
  )
  return Line(USE, text, 'use')


def _sure(facts, gain) -> Line:
  if gain:
    leans = [
      {**x, 'cause': _WORDS['cause'].get(x['cause'], _blanks(x['cause']))}
      for x in gain.get('leans') or ()
    ]
    gain = {'training_sd': None, 'fragile': None, **gain, 'leans': leans}
  style = 'fragile' if gain and gain['fragile'] else ''
  return Line(SURE, _text('sure', facts, gain=gain), style)


def _blanks(key: str) -> str:
  return key.replace('_', ' ')


def _but(summary) -> Line:
  """What the answer does not say."""
  question, entry = summary['question'], _of_gain(summary)
  complete = question.get('complete_cases')
  text = _text(
    'but',
    not_in_headline=question.get('not_in_headline') or (),
    complete_answer=complete if complete != question['verdict'] else None,
    arm=entry.get('arm'),
    verdict=entry.get('verdict'),
    reason=entry.get('reason') if entry.get('difference') is not None else None,
  )
  return Line(BUT, text, 'but')


def _also(summary) -> Line | None:
  """With a named reference: the gain over all single modalities."""
  x = _of_gain(summary).get('over_all_singles')
  if not x or x['difference'] is None:
    return None
  text = _text(
    'also', single=x['single'], number=_difference(x), verdict=x['verdict']
  )
  return Line(ALSO, text)


def _of_gain(summary) -> Mapping[str, Any]:
  """The comparison whose gain is the page's."""
  arm = (summary.get('gain') or {}).get('arm')
  return next((c for c in summary['comparisons'] if c['arm'] == arm), {})


def _settle(summary, facts) -> Line | None:
  """What a larger study would need, where this one settles nothing."""
  question = summary['question']
  # What is missing, where there is a reason, no patients can give.
  if question['verdict'] != 'inconclusive' or _of_gain(summary).get('reason'):
    return None
  needs = question.get('patients_needed') or {}
  text = _text(
    'settle',
    facts,
    patients_superior=(needs.get('superior') or {}).get('patients'),
    patients_equivalent=(needs.get('equivalent') or {}).get('patients'),
  )
  return Line(SETTLE, text)


def _check(summary, facts, where) -> Line:
  """Alarms in one line."""
  alarms = audits.alarms(summary)
  warnings = audits.other_warnings(summary['warnings'], alarms)
  text = _text(
    'check',
    alarming=[_alarm(x) for x in alarms],
    miscalibrated_arms=_capped(
      [
        _text('miscalibrated', arm=arm, slope=slope)
        for arm, slope in facts.miscalibrated.items()
      ]
    ),
    warnings=len(warnings),
    where=where,
  )
  if not text:
    return Line(CHECK, _text('quiet', facts))
  to = 'audits' if alarms else 'warnings' if warnings else ''
  return Line(CHECK, text, 'alarm', to)


def _alarm(audit: audits.Audit) -> dict[str, Any]:
  what, number = _WORDS['alone'].get(audit.name), audit.number
  known = what and number is not None and number.estimate is not None
  return {
    'name': audit.name,
    'what': what,
    'number': number if known else None,
  }


def counts(
  summary: Mapping[str, Any], facts: facts_lib.Facts
) -> list[tuple[str, str]]:
  """How many fusion arms have each verdict, and which stand out."""
  lines = []
  for verdict in names.SIGNS:
    here = [c for c in summary['comparisons'] if c['verdict'] == verdict]
    if not here:
      continue
    arms = [c['arm'] for c in here]
    text = _text(
      'count',
      facts,
      verdict=verdict,
      count=len(here),
      arms=_capped(arms),
      all=len(here) == len(facts.fusions),
      off=_some([a for a in arms if a in facts.miscalibrated]),
      within=_some([c['arm'] for c in here if c['within_margin']]),
    )
    lines.append((verdict, text))
  return lines


def _some(arms: Sequence[str]) -> dict[str, Any] | None:
  return {'count': len(arms), 'arms': _capped(arms)} if arms else None


def _capped(arms: Sequence[str]) -> str:
  """The first few names, and how many more there are."""
  shown = arms if len(arms) <= _MOST else arms[: _MOST - 1]
  return _text('capped', shown=shown, more=len(arms) - len(shown))
