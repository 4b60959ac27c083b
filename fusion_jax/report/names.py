"""Names in plain words: of metrics, modalities and verdicts."""

from collections.abc import Mapping
from typing import Any

_METRICS = {
  'auroc': 'AUROC',
  'auprc': 'AUPRC',
  'brier': 'Brier score',
  'integrated_brier': 'integrated Brier score',
  'c_index': 'C-index',
  'c_index_uno': "Uno's C-index",
  'r2': 'R²',
  'rmse': 'root mean squared error',
  'mae': 'mean absolute error',
  'ppv': 'PPV',
  'npv': 'NPV',
  'f1': 'F1',
  'ece': 'calibration error (ECE)',
  'ece_debiased': 'ECE without bias',
}
_AVERAGES = ('macro', 'micro')

# Sign of a verdict, and of one that also lies within the margin.
SIGNS = {
  'superior': ('▲', '△'),
  'inferior': ('▼', '▽'),
  'equivalent': ('=', '='),
  'inconclusive': ('?', '?'),
}


def metric(name: str) -> str:
  """'AUROC' of 'auroc', 'AUROC of x' of 'auroc/x', 'AUROC at 9' of 'auroc@9'.

  Args:
    name: as a summary has it; other words are returned without underscores.
  """
  base, _, label = name.partition('/')
  base, _, time = base.partition('@')
  average = next((x for x in _AVERAGES if base.endswith(f'_{x}')), '')
  base = base.removesuffix(f'_{average}')
  words = _METRICS.get(base, base.replace('_', ' '))
  words = f'{average} {words}' if average else words
  words = f'{words} at {time}' if time else words
  return f'{words} of {label}' if label else words


def of_comparison(summary: Mapping[str, Any]) -> str:
  """The metric that arms are compared by."""
  return metric(summary['evaluation']['metric'])


def sign(verdict: str, *, within_margin: bool = False) -> str:
  """What stands before a verdict, hollow where it is within the margin."""
  return SIGNS.get(verdict, ('', ''))[within_margin]


def style(verdict: str, *, within_margin: bool = False) -> str:
  """The class of the style sheet for a verdict."""
  if verdict not in SIGNS:
    return ''
  return f'{verdict} within' if within_margin else verdict
