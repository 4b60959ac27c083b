"""What comparisons say, in plain words.

Each takes parts of a summary (docs/summary.md) and uses no other words than
docs/statistics.md explains.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import words
from fusion_jax.evaluation import caveats, registration
from fusion_jax.evaluation import comparison as comparison_lib

ESTIMAND = (
  'Intervals and verdicts are about these fitted models and new patients of '
  'the same kind. They do not cover what training again, on other patients or '
  'with other random numbers, would change.'
)

_NAMES = {
  'auroc': 'AUROC',
  'auprc': 'AUPRC',
  'brier': 'Brier score',
  'c_index': 'C index',
  'c_index_uno': "Uno's C",
  'r2': 'R2',
  'rmse': 'root mean squared error',
  'mae': 'mean absolute error',
  'ppv': 'PPV',
  'npv': 'NPV',
  'f1': 'F1',
}


def metric_name(metric: str) -> str:
  """A metric as a sentence names it: 'auroc/x' is 'AUROC of x'."""
  base, _, part = metric.partition('/')
  average = next((x for x in ('macro', 'micro') if base.endswith(f'_{x}')), '')
  base = base.removesuffix(f'_{average}')
  name = _NAMES.get(base, base.replace('_', ' '))
  name = f'{average} {name}' if average else name
  return f'{name} of {part}' if part else name


def number(value: float, *, signed: bool = False) -> str:
  """Three decimals; fewer for large values, two digits for small ones."""
  size = abs(value)
  if size >= 10:
    text = f'{size:.4g}'
  elif size >= 0.0005 or not size:
    text = f'{size:.3f}'
  else:
    text = f'{size:.1g}'
  if value < 0:
    return f'-{text}'
  return f'+{text}' if signed and value > 0 else text


def attach(summary: dict[str, Any]) -> dict[str, Any]:
  """The summary with its comparisons and its question in plain words."""
  evaluation, compared = summary['evaluation'], summary['comparisons']
  complete = summary['complete_cases'] or {}
  also = {c['arm']: c for c in complete.get('comparisons', ())}
  spread = {a: x['variability'] for a, x in summary['arms'].items()}
  common = {
    'margin': evaluation['margin'],
    'patients': summary['cohort']['patients'],
    'higher_is_better': evaluation['higher_is_better'],
  }
  told = [
    {
      **c,
      'sentence': of_comparison(
        c,
        **common,
        family=len(compared),
        variability=spread[c['arm']],
        complete=also.get(c['arm']),
        studies=complete.get('studies', 0),
      ),
    }
    for c in compared
  ]
  question = of_question(
    compared,
    **common,
    variability=spread,
    complete=complete,
    registered=summary['registration'],
  )
  return {**summary, 'question': question, 'comparisons': told}


def of_comparison(
  comparison: Mapping[str, Any],
  *,
  margin: float,
  patients: int,
  higher_is_better: bool,
  family: int,
  variability: Mapping[str, Any],
  complete: Mapping[str, Any] | None = None,
  studies: int = 0,
) -> str:
  """What one comparison came to.

  Args:
    comparison: an entry of the summary.
    margin: of equivalence.
    patients: that were tested.
    higher_is_better: of the metric.
    family: number of fusion arms that are corrected for.
    variability: of the arm.
    complete: the same comparison on complete cases, if there is one.
    studies: number of complete cases.
  """
  found = [
    _VERDICTS[comparison['verdict']](comparison, margin, family),
    _against(comparison, higher_is_better),
    _needed(comparison, comparison['patients_needed'], margin, patients),
    _training(comparison, variability),
    _complete_cases(comparison, complete, studies),
  ]
  return ' '.join(x for x in found if x)


def of_question(
  comparisons: Sequence[Mapping[str, Any]],
  *,
  margin: float,
  patients: int,
  higher_is_better: bool,
  variability: Mapping[str, Mapping[str, Any]],
  complete: Mapping[str, Any] | None = None,
  registered: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
  """Whether fusion beats its reference: one verdict for all fusion arms.

  Superior if any arm is: the comparisons are corrected for all of them
  already. Equivalent if every arm is equivalent or inferior and one is
  equivalent, inferior if all are, else inconclusive.

  Args:
    comparisons: all of the summary.
    margin: of equivalence.
    patients: that were tested.
    higher_is_better: of the metric.
    variability: by arm.
    complete: the summary's complete cases, if there are any.
    registered: the summary's registration, if there is one.

  Returns:
    {verdict, arm, sentence, patients_needed}: `arm` is the best one with that
    verdict, None if inconclusive; `patients_needed` is that arm's, or the
    largest of the inconclusive arms.
  """
  if not comparisons:
    return {
      'verdict': comparison_lib.INCONCLUSIVE,
      'arm': None,
      'sentence': 'Nothing can be said about fusion: a fusion arm and '
      'something to compare it with are needed.',
      'patients_needed': None,
      'patients_needed_reason': 'nothing was compared',
    }
  verdict = question_verdict([c['verdict'] for c in comparisons])
  same = [c for c in comparisons if c['verdict'] == verdict]
  if verdict == comparison_lib.INCONCLUSIVE:
    best = None
    known = [c['patients_needed'] for c in same if c['patients_needed']]
    needed = max(known, default=None)
  else:
    best = max(same, key=lambda c: _better(c, higher_is_better))
    needed = best['patients_needed']
  parts = [
    _headline(verdict, comparisons, same, best, margin),
    '' if best is None else _against(best, higher_is_better),
    _registered(registered),
    _needed(best or same[0], needed, margin, patients),
  ]
  if best is not None:
    parts.append(_training(best, variability.get(best['arm'], {})))
  else:
    parts.append(f'{_ABOUT}; training again is not in it.')
  others = (complete or {}).get('comparisons', ())
  if others:
    other = question_verdict([c['verdict'] for c in others])
    if other != verdict:
      parts.append(f'{_on_complete(complete["studies"])} {other}.')
  found = {
    'verdict': verdict,
    'arm': None if best is None else best['arm'],
    'sentence': ' '.join(x for x in parts if x),
    'patients_needed': needed,
  }
  if needed is None:
    found['patients_needed_reason'] = 'the variance of a difference is unknown'
  return found


def question_verdict(verdicts: Sequence[str]) -> str:
  """One verdict of those of all fusion arms; see `of_question`."""
  decided = (comparison_lib.EQUIVALENT, comparison_lib.INFERIOR)
  if comparison_lib.SUPERIOR in verdicts:
    return comparison_lib.SUPERIOR
  if not verdicts or not all(v in decided for v in verdicts):
    return comparison_lib.INCONCLUSIVE
  if comparison_lib.EQUIVALENT in verdicts:
    return comparison_lib.EQUIVALENT
  return comparison_lib.INFERIOR


_ABOUT = 'This is about these fitted models and new patients of the same kind'


def _better(c, higher_is_better):
  return c['difference'] if higher_is_better else -c['difference']


def _reference(c) -> str:
  if c['reference'] != registration.BEST_SINGLE:
    return f"'{c['reference']}'"
  if len(c['against']) == 1:
    only = c['against'][0]['reference']
    return f"the only single modality that was evaluated ('{only}')"
  return 'the best single modality'


def _amount(c) -> str:
  """'0.042 higher'."""
  if not c['difference']:
    return 'the same'
  word = 'higher' if c['difference'] > 0 else 'lower'
  return f'{number(abs(c["difference"]))} {word}'


def _interval(c, level, low, high, family) -> str:
  if c[low] is None or c[high] is None:
    return f'no {level} interval'
  low, high = number(c[low], signed=True), number(c[high], signed=True)
  found = f'{level} interval of the difference {low} to {high}'
  if family > 1:
    found += f', jointly for {family} fusion arms'
  return found


def _wide(c, family) -> str:
  return _interval(c, '95%', 'low', 'high', family)


def _superior(c, margin, family) -> str:
  told = _wide(c, family)
  if 'holm' in c:
    told += f'; adjusted p {number(c["holm"])}'
  return (
    f"'{c['arm']}' is superior to {_reference(c)}: its "
    f'{metric_name(c["metric"])} is {_amount(c)} ({told}){_also(c)}.'
  )


def _also(c) -> str:
  """What else a superior arm has beaten."""
  others = [x['reference'] for x in c['against']]
  if c['reference'] in others:
    others.remove(c['reference'])
  elif c['reference'] == registration.BEST_SINGLE and len(others) == 1:
    return ''
  if len(others) == 1:
    return f", and it is better than '{others[0]}' too"
  if others:
    return ', and it is better than every single modality that was evaluated'
  return ''


def _against(c, higher_is_better) -> str:
  """The least gain of a superior arm, and what another one is worse than.

  The reference is chosen on validation: on the test part it may be worse than
  some single modality.
  """
  sign = 1 if higher_is_better else -1
  known = [x for x in c['against'] if x['low'] is not None]
  if c['verdict'] == comparison_lib.SUPERIOR:
    if len(known) < 2:
      return ''
    least = min(known, key=lambda x: sign * x['difference'])
    if number(least['difference']) == number(c['difference']):
      return ''
    return (
      f'Its smallest gain over a single modality is {_gain(least)}, over '
      f"'{least['reference']}'."
    )
  if c['verdict'] == comparison_lib.INFERIOR:
    return ''
  worse = [x for x in known if (x['high'] if sign > 0 else -x['low']) < 0]
  if not worse:
    return ''
  told = ', '.join(f"'{x['reference']}' ({_gain(x)})" for x in worse)
  return f'But it is worse than {told}.'


def _gain(x) -> str:
  low, high = (number(x[side], signed=True) for side in ('low', 'high'))
  return f'{number(x["difference"], signed=True)} [{low}, {high}]'


def _inferior(c, margin, family) -> str:
  return (
    f"'{c['arm']}' is inferior to {_reference(c)}: its "
    f'{metric_name(c["metric"])} is {_amount(c)} ({_wide(c, family)}).'
  )


def _equivalent(c, margin, family) -> str:
  return (
    f"'{c['arm']}' is equivalent to {_reference(c)}: its "
    f'{metric_name(c["metric"])} is {_amount(c)}, and the '
    f'{_interval(c, "90%", "low90", "high90", family)} lies within the margin '
    f'of {margin:g}.'
  )


def _inconclusive(c, margin, family) -> str:
  start = f"'{c['arm']}' against {_reference(c)} is inconclusive: "
  because = f'; {c["reason"]}' if c.get('reason') else ''
  if c['difference'] is None:
    return f'{start}{c.get("reason", "the difference is undefined")}.'
  return (
    f'{start}its {metric_name(c["metric"])} is {_amount(c)} '
    f'({_wide(c, family)}){because}.'
  )


_VERDICTS = {
  comparison_lib.SUPERIOR: _superior,
  comparison_lib.INFERIOR: _inferior,
  comparison_lib.EQUIVALENT: _equivalent,
  comparison_lib.INCONCLUSIVE: _inconclusive,
}


def _needed(c, needed, margin, patients) -> str:
  # A difference that was shown needs no more patients to be shown.
  if needed is None or c['verdict'] == comparison_lib.SUPERIOR:
    return ''
  fewest = caveats.FEWEST_PATIENTS
  count = f'fewer than {fewest}' if needed < fewest else f'{needed:,}'
  return (
    f'To show a difference from {_reference(c)} as large as the margin of '
    f'{margin:g} with 80% power, {count} patients would have to be tested '
    f'(here: {patients:,}).'
  )


def _training(c, variability) -> str:
  """What the interval is about, and beside it what training changes."""
  spread = []
  if variability.get('seed_sd') is not None:
    spread.append(
      f"the {metric_name(c['metric'])} of '{c['arm']}' has a standard "
      f'deviation of {number(variability["seed_sd"])} between seeds'
    )
  if c.get('fold_sd') is not None:
    spread.append(
      'a standard error of the difference that counts it, from the spread '
      f'over folds, is {number(c["fold_sd"])} (Nadeau and Bengio)'
    )
  if not spread:
    return (
      f'{_ABOUT}; what training again would change cannot be seen from these '
      'folds and seeds.'
    )
  return f'{_ABOUT}; training again is not in it: {", ".join(spread)}.'


def _complete_cases(c, complete, studies) -> str:
  if complete is None or complete['verdict'] == c['verdict']:
    return ''
  amount = ''
  if complete['difference'] is not None:
    amount = f' (difference {number(complete["difference"], signed=True)})'
  return f'{_on_complete(studies)} {complete["verdict"]}{amount}.'


def _on_complete(studies: int) -> str:
  which = (
    'the one study that has'
    if studies == 1
    else f'the {studies} studies that have'
  )
  return f'On {which} all modalities the verdict is'


def _registered(found) -> str:
  """Whether the verdict is the one that was registered."""
  if not found:
    return ''
  deviations = len(found['deviations'])
  if deviations:
    return (
      f'The run deviates from its registration in '
      f'{words.counted(deviations, "point")} (see warnings), so '
      'this verdict is not the registered one.'
    )
  but = ', but its cohort was not checked' if found['unchecked'] else ''
  return f'This is as registered (SHA-256 {found["sha256"][:12]}){but}.'


def _headline(verdict, comparisons, same, best, margin):
  k, reference = len(comparisons), _reference(comparisons[0])
  # A reference that was given by name may be fusion itself.
  given = comparisons[0]['reference'] != registration.BEST_SINGLE
  fusion, every = 'fusion', 'Fusion'
  if given:
    fusion, every = 'a fusion arm', 'Every fusion arm'
  if verdict == comparison_lib.SUPERIOR:
    others = [f"'{c['arm']}'" for c in same if c is not best]
    also = f' Also superior: {", ".join(others)}.' if others else ''
    told = _superior(best, margin, k)
    return f'{fusion.capitalize()} beats {reference} here. {told}{also}'
  if verdict == comparison_lib.EQUIVALENT:
    inferior = k - len(same)
    which = 'equivalent'
    if inferior:
      which = f'equivalent or inferior, {inferior} of them inferior'
    told = _equivalent(best, margin, k)
    return (
      f'{every} gains less than the margin of {margin:g} over {reference}: '
      f'{_all_arms(k)} {which}. {told}'
    )
  if verdict == comparison_lib.INFERIOR:
    told = _inferior(best, margin, k)
    least = 'The least bad: ' if k > 1 else ''
    return (
      f'{every} is worse than {reference} here: {_all_arms(k)} inferior. '
      f'{least}{told}'
    )
  reasons = {c.get('reason', '') for c in same}
  because = ''
  if len(reasons) == 1 and '' not in reasons:
    because = f' ({reasons.pop()})'
  which, rest = _all_arms(k), ''
  if len(same) < k:
    which = f'{len(same)} of {k} fusion arms {_are(len(same))}'
    rest = ', and none is superior'
  return (
    f'Whether {fusion} beats {reference} is not settled: {which} '
    f'inconclusive{because}{rest}.'
  )


def _all_arms(k: int) -> str:
  """The fusion arms that were compared, with their verb."""
  if k == 1:
    return 'the only fusion arm is'
  return 'both fusion arms are' if k == 2 else f'all {k} fusion arms are'


def _are(count: int) -> str:
  return 'is' if count == 1 else 'are'
