"""What the numbers of a report mean, in short."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.report import text as text_lib


def of(summary: Mapping[str, Any]) -> list[str]:
  """One line for each kind of number that a summary has."""
  evaluation = summary['evaluation']
  metric, margin = evaluation['metric'], text_lib.plain(evaluation['margin'])
  better = 'above' if evaluation['higher_is_better'] else 'below'
  found = [
    f'{metric}: {averaged(summary)}.'
    + ('' if evaluation['higher_is_better'] else ' Lower is better.'),
    _interval(evaluation),
  ]
  if summary['comparisons']:
    found += [
      f'difference: arm minus {reference(summary)}, on the same studies. '
      f'Interval and p hold for {_family(summary["comparisons"])} '
      f'({_adjustment(evaluation)}, one-sided 2.5%).',
      f'superior: interval {better} 0, and also against every '
      'single-modality arm that ran. inferior: interval on the other side of '
      f'0. equivalent: 90% interval within {margin} of 0. inconclusive: '
      'none of these.',
    ]
  if any(x.get('type') for x in summary['arms'].values()):
    found.append(
      'I, II: type of early and joint fusion (Huang et al., 2020). Early I '
      'joins original features, II extracted ones; joint I trains an encoder '
      'of every modality, II of one.'
    )
  metrics = {m for x in summary['arms'].values() for m in x['metrics']}
  if 'brier' in metrics:
    found.append('Brier: lower is better.')
  if 'calibration_slope' in metrics:
    found.append(
      'slope: of calibration; 1 is perfect, below 1 scores are too extreme.'
    )
  costs = [x.get('cost') or {} for x in summary['arms'].values()]
  if any(x.get('seconds') is not None for x in costs):
    found.append(
      'time, compile: of the models of the arm itself, not of those it builds '
      'on.'
    )
  told = {
    'fold_sd': 'fold sd: of the mean over folds, corrected for shared training '
    'studies (Nadeau and Bengio, 2003).',
    'seed_sd': 'seed sd: between seeds within a fold.',
  }
  spread = ' '.join(v for k, v in told.items() if varied(summary, k))
  return [*found, spread] if spread else found


def averaged(summary: Mapping[str, Any]) -> str:
  """Which studies a metric is of, and what it is averaged over."""
  folds = summary['folds']
  seeds = (
    len(x['seeds'])
    for entry in summary['arms'].values()
    for x in entry.get('folds', ())
  )
  many = {
    'folds': len({x['fold'] for x in folds}),
    'repeats': len({x['repeat'] for x in folds}),
    'seeds': max(seeds, default=1),
  }
  over = [name for name, count in many.items() if count > 1]
  if external(summary):
    where = 'on all studies'
    where += ', for the models of each training fold' if len(folds) > 1 else ''
  elif len(folds) > 1:
    where = "on each fold's test part"
  else:
    where = 'on the test part'
  return f'{where}; mean over {listed(over)}' if over else where


def external(summary: Mapping[str, Any]) -> bool:
  """Whether frozen models of another cohort were tested."""
  return bool((summary.get('audits') or {}).get('external'))


def varied(summary: Mapping[str, Any], spread: str) -> bool:
  """Whether some arm has a 'fold_sd' or 'seed_sd'."""
  return any(
    (x.get('variability') or {}).get(spread) is not None
    for x in summary['arms'].values()
  )


def listed(names: Sequence[str]) -> str:
  """`a, b and c`."""
  *first, last = names
  return f'{", ".join(first)} and {last}' if first else last


def reference(summary: Mapping[str, Any]) -> str:
  """What fusion is compared with."""
  named = summary['evaluation'].get('reference', 'best_single')
  if named != 'best_single':
    return f"'{named}', which was given by name"
  singles = [a for a, x in summary['arms'].items() if x['role'] == 'single']
  if len(singles) == 1:
    return f"'{singles[0]}', the only single-modality arm"
  if external(summary):
    return (
      'the single-modality arm that was best, for the models of each fold, on '
      'its validation part in training'
    )
  if len(summary['folds']) > 1:
    return (
      "the single-modality arm that was best on each fold's validation part"
    )
  return 'the single-modality arm that was best on the validation part'


def by_delong(evaluation: Mapping[str, Any]) -> bool:
  """Whether intervals are DeLong's and not those of a bootstrap."""
  return evaluation.get('method') == 'delong'


def _interval(evaluation) -> str:
  if by_delong(evaluation):
    how = (
      "of the AUROC, by DeLong's method, which takes studies as independent,"
    )
  else:
    how = f'patients redrawn {evaluation["replicates"]} times,'
  return (
    f'[95%]: {how} with the trained models as they are. It does not cover what '
    'training anew would change.'
  )


def _family(comparisons) -> str:
  if len(comparisons) == 1:
    return 'the one fusion arm'
  return f'all {len(comparisons)} fusion arms together'


def _adjustment(evaluation) -> str:
  if by_delong(evaluation):
    return "Holm's p and Bonferroni intervals"
  return 'standardised max-t bootstrap'
