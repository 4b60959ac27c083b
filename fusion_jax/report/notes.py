"""What the numbers of a report mean, in short."""

from collections.abc import Mapping
from typing import Any

from fusion_jax.report import text as text_lib


def of(summary: Mapping[str, Any]) -> list[str]:
  """One line for each kind of number that a summary has."""
  evaluation = summary['evaluation']
  metric, margin = evaluation['metric'], text_lib.plain(evaluation['margin'])
  better = 'above' if evaluation['higher_is_better'] else 'below'
  found = [
    f'{metric}: mean over folds, repeats and seeds of the value on each '
    "fold's test part."
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
  found.append(
    'time, compile: of the models of the arm itself, not of those it builds on.'
  )
  found.append(
    'fold sd: of the mean over folds, corrected for shared training studies '
    '(Nadeau and Bengio, 2003). seed sd: between seeds within a fold.'
  )
  return found


def reference(summary: Mapping[str, Any]) -> str:
  """What fusion is compared with."""
  named = summary['evaluation'].get('reference', 'best_single')
  if named != 'best_single':
    return f"'{named}', which was given by name"
  return "the single-modality arm that was best on each fold's validation part"


def by_delong(evaluation: Mapping[str, Any]) -> bool:
  """Whether intervals are DeLong's and not those of a bootstrap."""
  return evaluation.get('method') == 'delong'


def _interval(evaluation) -> str:
  if by_delong(evaluation):
    how = "by DeLong's method, which takes studies as independent,"
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
  return 'max-t bootstrap'
