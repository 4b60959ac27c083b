"""What the columns of tables mean, to stand beside them."""

import re
from collections.abc import Mapping
from typing import Any

from fusion_jax.report import content as content_lib
from fusion_jax.report import names, notes, tables
from fusion_jax.report import text as text_lib

# Headings of one meaning, whatever the summary.
_FIXED = {
  'arm': 'a way to predict, by its name',
  'against': 'the single modality that it is compared with',
  'over': 'the single modality over which the gain is smallest',
  'p': 'one-sided, for this comparison alone',
  'p adj': 'one-sided, corrected for all fusion arms; at most .025 where the '
  'lower bound is above 0',
  'fragile': 'the verdict at a factor of standard errors larger by .10, where '
  'it is another one',
  'picked [95%]': 'gain over the modality that validation would have picked, '
  'fold by fold; nothing is judged by it',
  'in words': 'the same as a sentence',
  'Brier': 'mean squared error of probabilities; lower is better',
  'slope': 'of calibration; 1 is perfect, below 1 predictions are too extreme, '
  'above 1 too cautious',
  'fold sd': 'standard deviation of the mean over folds, corrected for shared '
  'training studies (Nadeau and Bengio, 2003)',
  'seed sd': 'standard deviation between seeds within a fold',
  'params': 'fitted parameters',
  'parameters': 'fitted parameters',
  'time': 'of fitting the models of the arm itself, not of those it builds on',
  'compile': 'time spent on compiling before that',
  'time of training': 'of all models that the arm needs',
  'FLOPs of one prediction': 'floating-point operations',
  'time of one prediction': 'median, one study at a time',
  'bytes of memory': 'that one prediction needs',
  'nothing cheaper is better in': 'costs in which no cheaper arm has a better '
  'metric',
  'fold': 'a test part; repeat/fold where there are several repeats',
  'reference': 'what arms are compared with',
  'studies': 'tested ones',
  'patients': 'to whom they belong',
  'events': 'studies with the outcome',
  'studies of each class': 'tested ones, by outcome',
  content_lib.PICKED: 'the single modality that was best on the validation '
  'part; nothing is judged by it',
  'audit': 'what predicts though it should not',
  'result [95%]': 'how well it predicts',
  'of': 'the metric of the result',
  'chance': 'what guessing reaches',
  'alarm margin': 'how far above chance the lower bound has to be for an alarm',
  'outcome': 'alarm, no alarm, or not possible',
  'control': 'what was taken away: permuted among studies, replaced by noise, '
  'or left out; EMAP leaves out interactions',
  'lost [95%]': 'how much worse the arm is for it',
  'uses both': 'sides, imaging and record: permuting either does harm',
  'uses interactions': 'EMAP, its best additive form, is worse',
  'beats an ensemble of the best single modality': 'of two models of the '
  'single modality that is best on these studies',
  'modality': 'what the value is of',
  'value [95%]': 'its share of the gain over predicting the prevalence '
  '(Shapley)',
  'se of orders': 'standard error of drawing orders of modalities instead of '
  'taking all',
  'group': 'studies looked at alone',
  'column': 'whose groups are compared',
  'true positive rate [95%]': 'largest difference between two groups',
  'false positive rate [95%]': 'largest difference between two groups',
  'compared': 'the two sides of the difference',
  'difference of gains [95%]': 'gain on one side less that on the other',
  'adjusted p': 'for all columns and arms',
  'intercept [95%]': 'calibration in the large; 0 is perfect, below 0 '
  'probabilities are too high on average',
  'slope [95%]': 'of calibration; 1 is perfect, below 1 predictions are too '
  'extreme',
  'number': 'of the example; example_studies.csv says which study it is',
  'truth': 'the label of the study',
  'models': 'fitted: one for each fold and seed',
  'value': 'of the record',
  'beside training': 'where it lies among the values of training studies',
  'loss [95%]': 'how much worse the arm is with the column permuted',
  'sd of orders': 'between random orders of the column',
  'learner': 'what is fitted',
  'inputs': 'encoder and what it sees',
  'combined by': 'combiner of a network, or late rule',
  'epochs': 'run of planned, of the shortest and the longest model',
  'settings': 'the lowest and highest where models differ',
  'trials': 'settings that were tried, and how often each was chosen',
  'stands on': 'other models whose features or predictions it takes',
  'not default': 'settings other than those of the library',
  'step': 'from rows to studies',
  'rows': 'of the table',
  'part': 'of the fold',
  'repeat/fold': 'a split',
  'characteristic': 'as declared, before anything is filled in',
  'rate': 'share of test studies that lose the modality',
  'mechanism': 'random, or informative: the higher the risk by the other '
  'modality, the sooner a study lacks it',
  'fraction': 'share of the training patients',
  'decisions changed': 'share of studies on the other side of the threshold '
  'with the image',
  'of them rightly': 'share of these on the right side now',
  'net benefit gained [95%]': 'by the image, in true positives a study',
  'recalibration': 'as trained, or fitted again on the validation part',
  'Brier score': 'mean squared error of probabilities; lower is better',
  'log loss': 'lower is better',
  'ECE': 'expected calibration error: mean gap between prediction and '
  'frequency; chance makes it larger',
  'ECE without bias': 'the same less what chance adds; may be below 0',
  'reliability': 'part of the Brier score that is miscalibration',
  'resolution': 'part that comes of telling studies apart; higher is better',
  'metric': 'its name',
  'estimate [95%]': 'mean over folds and seeds',
  'DeLong p': "DeLong's test of this arm against the best single modality",
  'permutation p': 'of swapping the two arms, patient by patient',
  'corrected t p': 'over folds, with the variance of Nadeau and Bengio (2003)',
  'why': 'the reason',
  'what': 'of the analysis',
  'fixed': 'in the registered file',
  'verdict in words': 'every number in it is in the table above',
  'controls in words': 'every number in it is in the table above',
}
_FOLD = re.compile(r'fold \d+(/\d+)?')


def meanings(
  table: tables.Table, summary: Mapping[str, Any]
) -> list[tuple[str, str]]:
  """(heading, what it means) of the columns of a table, in their order.

  Headings that say it all themselves, and columns that bring their own
  meaning along, need no entry here.
  """
  known = {**_FIXED, **_of_summary(summary)}
  pairs = []
  for column in table.columns:
    meaning = column.meaning or known.get(column.title)
    if not meaning and _FOLD.fullmatch(column.title):
      meaning = 'on the test part of this fold'
    if meaning and column.title not in ('arm', 'in words'):
      pairs.append((column.title, meaning))
  return _folds_once(pairs)


def _folds_once(pairs) -> list[tuple[str, str]]:
  """One entry for all folds."""
  folds = [x for x in pairs if _FOLD.fullmatch(x[0])]
  if len(folds) < 2:
    return pairs
  others = [x for x in pairs if x not in folds]
  return [(f'{folds[0][0]} to {folds[-1][0]}', folds[0][1]), *others]


def verdicts(summary: Mapping[str, Any]) -> str:
  """What the words of a verdict mean."""
  margin = text_lib.short(summary['evaluation']['margin'])
  lines = [
    '▲ superior: lower bound above 0',
    '▼ inferior: upper bound below 0',
    f'= equivalent: 90% bounds within ±{margin}',
    '? inconclusive: none of these',
  ]
  if any(c.get('within_margin') for c in summary['comparisons']):
    lines.append('△ ▽: so, but by less than the margin')
  return '; '.join(lines)


def _of_summary(summary) -> dict[str, str]:
  evaluation = summary['evaluation']
  metric = names.of_comparison(summary)
  lower = '' if evaluation['higher_is_better'] else '; lower is better'
  own = f'{notes.averaged(summary)}{lower}; {notes.interval(evaluation)}'
  gain = notes.gain(summary)
  return {
    metric: f'{notes.averaged(summary)}{lower}',
    f'{metric} [95%]': own,
    f'{metric} left [95%]': 'what remains without it',
    'gain': gain,
    'gain [95%]': gain,
    'difference [95%]': gain,
    'verdict': verdicts(summary),
  }
