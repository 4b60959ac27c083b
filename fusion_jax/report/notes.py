"""What the numbers of a report mean, in short."""

from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.report import names
from fusion_jax.report import text as text_lib

BEST_SINGLE = 'best_single'


def of(summary: Mapping[str, Any]) -> list[str]:
  """One line for each kind of number that a summary has.

  A line begins with the names that it explains.
  """
  evaluation = summary['evaluation']
  metric = names.of_comparison(summary)
  margin = text_lib.short(evaluation['margin'])
  lines = [
    f'{metric}: {averaged(summary)}.'
    + ('' if evaluation['higher_is_better'] else ' Lower is better.'),
    f'[95%]: {interval(evaluation)}. It does not cover what training anew '
    'would change.',
  ]
  if any(x.get('low') is not None for x in summary['comparisons']):
    lines += [
      f'gain: {gain(summary)}.',
      'superior: lower bound above 0. inferior: upper bound below 0. '
      f'equivalent: 90% bounds within {margin} of 0. inconclusive: none of '
      'these.',
    ]
  picked = summary['best_single'].get('picked_on_validation')
  named = evaluation.get('reference', BEST_SINGLE) != BEST_SINGLE
  if picked and not named and len(_singles(summary)) > 1:
    lines.append(
      'picked on validation: fold by fold the single modality that was best on '
      'the validation part; nothing is judged by it.'
    )
  elif summary['comparisons']:
    lines.append('(reference): what fusion is compared with.')
  if any(x.get('type') for x in summary['arms'].values()):
    lines.append(
      'I, II: type of early and joint fusion (Huang et al., 2020). Early I '
      'joins original features, II extracted ones; joint I trains an encoder '
      'of every modality, II of one.'
    )
  metrics = {m for x in summary['arms'].values() for m in x['metrics']}
  if 'brier' in metrics:
    lines.append('Brier: lower is better.')
  if 'calibration_slope' in metrics:
    lines.append(
      'slope: of calibration; 1 is perfect, below 1 predictions are too '
      'extreme, above 1 too cautious.'
    )
  costs = [x.get('cost') or {} for x in summary['arms'].values()]
  timed = [
    title
    for key, title in (('seconds', 'time'), ('compile_seconds', 'compile'))
    if any(x.get(key) is not None for x in costs)
  ]
  if timed:
    lines.append(
      f'{", ".join(timed)}: of the models of the arm itself; the time in the '
      'first table of the page is that of those it builds on as well.'
    )
  spreads = {
    'fold_sd': 'fold sd: of the mean over folds, corrected for shared training '
    'studies (Nadeau and Bengio, 2003).',
    'seed_sd': 'seed sd: between seeds within a fold.',
  }
  spread = ' '.join(v for k, v in spreads.items() if varied(summary, k))
  return [*lines, spread] if spread else lines


def gain(summary: Mapping[str, Any]) -> str:
  """What a gain is, and what its bounds hold for."""
  comparisons = summary['comparisons']
  factor = summary['evaluation'].get('factor') or {}
  text = f'by how much the arm is better than {reference(summary)}'
  if factor.get('shared'):
    text += (
      f'; standard errors times {factor["value"]:g} as folds share training '
      'data'
    )
  if not comparisons:
    return text
  how = _adjustment(summary['evaluation'])
  return f'{text}; bounds hold for {_family(comparisons)} ({how}, 2.5% a side)'


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
  named = summary['evaluation'].get('reference', BEST_SINGLE)
  if named != BEST_SINGLE:
    return f"'{named}', which was given by name"
  singles = _singles(summary)
  if len(singles) == 1:
    return f"'{singles[0]}', the only single-modality arm"
  return 'the best single modality on these studies'


def by_delong(evaluation: Mapping[str, Any]) -> bool:
  """Whether intervals are DeLong's and not those of a bootstrap."""
  return evaluation.get('method') == 'delong'


def interval(evaluation: Mapping[str, Any]) -> str:
  """How intervals of arms were made."""
  if by_delong(evaluation):
    return "by DeLong's method, which takes studies as independent"
  how = f'patients redrawn {evaluation["replicates"]} times'
  if evaluation.get('method') == 'bca':
    how += ', bias-corrected and accelerated (BCa; Efron, 1987)'
  return f'{how}, with the trained models as they are'


def _singles(summary) -> list[str]:
  return [a for a, x in summary['arms'].items() if x['role'] == 'single']


def _family(comparisons) -> str:
  if len(comparisons) == 1:
    return 'the one fusion arm'
  return f'all {len(comparisons)} fusion arms at once'


def _adjustment(evaluation) -> str:
  if by_delong(evaluation):
    return "maximum of a normal vector with DeLong's covariance"
  return 'standardised max-t bootstrap'
