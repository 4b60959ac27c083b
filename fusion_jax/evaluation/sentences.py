"""What comparisons say, in plain words.

Each takes parts of a summary (docs/summary.md) and uses no other words than
docs/statistics.md explains.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.core import words
from fusion_jax.evaluation import caveats, registration
from fusion_jax.evaluation import verdict as verdict_lib

ESTIMAND = (
  'Intervals and verdicts are about these fitted models and new patients of '
  'the same kind. They do not cover what training again, on other patients or '
  'with other random numbers, would change.'
)


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
    'factor': evaluation['factor']['value'],
  }
  worded = [
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
  question = {
    **summary['question'],
    'sentence': of_question(
      summary['question'],
      compared,
      **common,
      variability=spread,
      studies=complete.get('studies', 0),
      registered=summary['registration'],
    ),
  }
  return {**summary, 'question': question, 'comparisons': worded}


def of_comparison(
  comparison: Mapping[str, Any],
  *,
  margin: float,
  patients: int,
  factor: float,
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
    factor: of the standard errors.
    family: number of fusion arms that are corrected for.
    variability: of the arm.
    complete: the same comparison on complete cases, if there is one.
    studies: number of complete cases.
  """
  lines = [
    _verdict(comparison, margin, family),
    _fragile(comparison, factor),
    _over_all(comparison),
    _needed(comparison['verdict'], comparison, patients, margin),
    _training(comparison, variability),
  ]
  if complete is not None and complete['verdict'] != comparison['verdict']:
    amount = ''
    if complete['difference'] is not None:
      amount = f' (gain {number(complete["difference"], signed=True)})'
    lines.append(f'{_on_complete(studies)} {complete["verdict"]}{amount}.')
  return ' '.join(filter(None, lines))


def of_question(
  question: Mapping[str, Any],
  comparisons: Sequence[Mapping[str, Any]],
  *,
  margin: float,
  patients: int,
  factor: float,
  variability: Mapping[str, Mapping[str, Any]],
  studies: int = 0,
  registered: Mapping[str, Any] | None = None,
) -> str:
  """Whether fusion beats the best single modality, for all fusion arms.

  Args:
    question: of the summary, with verdict and arm.
    comparisons: all of the summary.
    margin: of equivalence.
    patients: that were tested.
    factor: of the standard errors.
    variability: by arm.
    studies: number of complete cases.
    registered: the summary's registration, if there is one.
  """
  if not comparisons:
    return (
      'Nothing can be said about fusion: a fusion arm and something to compare '
      'it with are needed.'
    )
  verdict = question['verdict']
  arm = next((c for c in comparisons if c['arm'] == question['arm']), None)
  lines = [
    _headline(verdict, comparisons, margin),
    '' if arm is None else _verdict(arm, margin, len(comparisons)),
    '' if arm is None else _fragile(arm, factor),
    '' if arm is None else _over_all(arm),
    *question['not_in_headline'],
    _registered(registered, arm),
    _least(verdict, question['patients_needed'], patients, margin),
    f'{_ABOUT}; training again is not in it.'
    if arm is None
    else _training(arm, variability.get(arm['arm'], {})),
  ]
  if question['complete_cases'] not in (None, verdict):
    lines.append(f'{_on_complete(studies)} {question["complete_cases"]}.')
  return ' '.join(filter(None, lines))


def of_lean(
  choice: bool, size: float, arms_count: int, singles: Sequence[str]
) -> str:
  """Which way an estimate of the gain lies off.

  Args:
    choice: whether because the arm was chosen, else because singles are tied.
    size: how far, in units of the metric; positive is too high.
    arms_count: number of fusion arms.
    singles: single arms.
  """
  side = 'high' if size > 0 else 'low'
  amount = number(abs(size))
  if choice:
    return (
      f'The estimate leans {side} by about {amount}, as the arm was chosen '
      f'among {arms_count} on these studies.'
    )
  return (
    f'The estimate leans {side} by about {amount}, as the best of '
    f'{len(singles)} nearly equal single modalities is taken on these studies.'
  )


def arms(count: int) -> str:
  """'1 fusion arm is', '2 fusion arms are'."""
  return f'{words.counted(count, "fusion arm")} {"is" if count == 1 else "are"}'


_ABOUT = 'This is about these fitted models and new patients of the same kind'


def _reference(c) -> str:
  """What the arm is compared with."""
  if c['reference'] != registration.BEST_SINGLE:
    return f"'{c['reference']}'"
  if len(c['against']) == 1:
    return f"'{c['single']}'"
  return f"the best single modality ('{c['single']}')"


def _amount(c) -> str:
  """'better by 0.042'."""
  if not c['difference']:
    return 'the same'
  word = 'better' if c['difference'] > 0 else 'worse'
  return f'{word} by {number(abs(c["difference"]))}'


def _bounds(c, family, level='95%', low='low', high='high') -> str:
  if c[low] is None or c[high] is None:
    return f'no {level} bounds'
  low, high = number(c[low], signed=True), number(c[high], signed=True)
  text = f'{level} bounds {low} to {high}'
  return f'{text}, corrected for {family} fusion arms' if family > 1 else text


def _verdict(c, margin, family) -> str:
  """The verdict of one arm with the numbers it rests on."""
  verdict = c['verdict']
  name = words.metric(c['metric'])
  if c['difference'] is None:
    reason = c.get('reason', 'the difference is undefined')
    return f"'{c['arm']}' is {verdict}: {reason}."
  because = f'; {c["reason"]}' if c.get('reason') else ''
  within = ''
  if c['within_margin']:
    within = f', by less than the margin of {margin:g}'
  start = f"'{c['arm']}' against {_reference(c)} is {verdict}"
  if verdict in (verdict_lib.SUPERIOR, verdict_lib.INFERIOR):
    start = f"'{c['arm']}' is {verdict} to {_reference(c)}"
  if verdict == verdict_lib.EQUIVALENT:
    return (
      f"'{c['arm']}' is equivalent to {_reference(c)}: its {name} is "
      f'{_amount(c)}, and the {_bounds(c, family, "90%", "low90", "high90")} '
      f'lie within the margin of {margin:g}.'
    )
  return (
    f'{start}{within}: its {name} is {_amount(c)} '
    f'({_bounds(c, family)}){because}.'
  )


def _fragile(c, factor) -> str:
  if not c['fragile']:
    return ''
  return (
    f'This is fragile: with standard errors multiplied by '
    f'{c["fragile"]["factor"]:.2f} instead of {factor:.2f} it would be '
    f'{c["fragile"]["verdict"]}.'
  )


def _over_all(c) -> str:
  """With a named reference: the gain over all single modalities."""
  x = c['over_all_singles']
  if not x or x['difference'] is None:
    return ''
  return (
    f"Over all single modalities the gain of '{c['arm']}' is "
    f"{_interval(x)}, over '{x['single']}': {x['verdict']}."
  )


def _interval(x) -> str:
  if x['low'] is None or x['high'] is None:
    return number(x['difference'], signed=True)
  low, high = (number(x[side], signed=True) for side in ('low', 'high'))
  return f'{number(x["difference"], signed=True)} [{low}, {high}]'


def _count(patients) -> str:
  fewest = caveats.FEWEST_PATIENTS
  return f'fewer than {fewest}' if patients < fewest else f'{patients:,}'


def _needed(verdict, c, patients, margin) -> str:
  """What a larger study of one arm would need."""
  # What was shown needs no more patients.
  needs = c['patients_needed']
  return _needs(
    verdict, needs['superior'], needs['equivalent'], patients, margin
  )


def _least(verdict, needs, patients, margin) -> str:
  superior, equivalent = (
    needs[name] and needs[name]['patients']
    for name in ('superior', 'equivalent')
  )
  return _needs(verdict, superior, equivalent, patients, margin)


def _needs(verdict, superior, equivalent, patients, margin) -> str:
  if verdict != verdict_lib.INCONCLUSIVE:
    return ''
  lines = []
  if superior:
    lines.append(
      f'{_count(superior)} patients if the gain over every single modality is '
      f'{margin:g} ("superior")'
    )
  if equivalent:
    lines.append(f'{_count(equivalent)} if it is 0 ("equivalent")')
  if not lines:
    return ''
  return (
    f'To settle it with 80% power would take {" and ".join(lines)}; here are '
    f'{patients:,}.'
  )


def _training(c, variability) -> str:
  """What the interval is about, and beside it what training changes."""
  spread = []
  if variability.get('seed_sd') is not None:
    spread.append(
      f"the {words.metric(c['metric'])} of '{c['arm']}' has a standard "
      f'deviation of {number(variability["seed_sd"])} between seeds'
    )
  if c['without_factor']['fold_sd'] is not None:
    spread.append(
      'a standard error of the gain that counts it, from the spread over '
      f'folds, is {number(c["without_factor"]["fold_sd"])} (Nadeau and Bengio)'
    )
  if not spread:
    return (
      f'{_ABOUT}; what training again would change cannot be seen from these '
      'folds and seeds.'
    )
  return f'{_ABOUT}; training again is not in it: {", ".join(spread)}.'


def _on_complete(studies: int) -> str:
  which = (
    'the one study that has'
    if studies == 1
    else f'the {studies} studies that have'
  )
  return f'On {which} all modalities the verdict is'


def _registered(registered, arm) -> str:
  """Whether the verdict is the one that was registered."""
  if not registered:
    return ''
  deviations = len(registered['deviations'])
  if deviations:
    if registered.get('after_results'):
      return (
        'It was registered after results were seen, so this verdict is not a '
        'registered one (see warnings).'
      )
    line = (
      f'The run deviates from its registration in '
      f'{words.counted(deviations, "point")} (see warnings), so '
      'this verdict is not the registered one.'
    )
    picked = arm and arm['picked_on_validation']
    if picked and not registered['estimand']:
      line += (
        ' Against the single modality picked on validation the verdict would '
        f'be {picked["verdict"]}.'
      )
    return line
  but = ', but its cohort was not checked' if registered['unchecked'] else ''
  return f'This is as registered (SHA-256 {registered["sha256"][:12]}){but}.'


def _headline(verdict, comparisons, margin) -> str:
  """The verdict of the question."""
  k = len(comparisons)
  first = comparisons[0]
  fusion = 'Fusion'
  if first['reference'] != registration.BEST_SINGLE:
    than, fusion = f"'{first['reference']}'", 'A fusion arm'
  elif len(first['against']) == 1:
    than = f"'{first['single']}'"
  else:
    than = 'the best single modality'
  same = sum(c['verdict'] == verdict for c in comparisons)
  if verdict == verdict_lib.SUPERIOR:
    of = f' ({same} of {k} fusion arms)' if k > 1 else ''
    return f'{fusion} beats {than} here{of}.'
  if verdict == verdict_lib.EQUIVALENT:
    return (
      f'No fusion arm gains as much as the margin of {margin:g} over {than}: '
      f'{_all_arms(k)} equivalent{" or inferior" if same < k else ""}.'
    )
  if verdict == verdict_lib.INFERIOR:
    return f'{_all_arms(k).capitalize()} worse than {than} here.'
  which = _all_arms(k) if same == k else f'{same} of {arms(k)}'
  none = '' if same == k else ', and none is superior'
  return (
    f'Whether {fusion[0].lower()}{fusion[1:]} beats {than} is not settled: '
    f'{which} inconclusive{none}.'
  )


def _all_arms(k: int) -> str:
  """The fusion arms that were compared, with their verb."""
  if k == 1:
    return 'the only fusion arm is'
  return 'both fusion arms are' if k == 2 else f'all {k} fusion arms are'
