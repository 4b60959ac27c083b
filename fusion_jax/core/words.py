"""English plurals and names of metrics, for messages and reports."""

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


def plural(noun: str) -> str:
  """'arms', 'studies', 'keys', 'classes'."""
  if noun.endswith('y') and noun[-2:-1] not in 'aeiou':
    return f'{noun[:-1]}ies'
  return f'{noun}es' if noun.endswith('s') else f'{noun}s'


def counted(number: int, noun: str) -> str:
  """'1 arm', '2 arms', '0 studies'."""
  return f'{number} {noun if number == 1 else plural(noun)}'


def metric(name: str) -> str:
  """'AUROC' of 'auroc', 'AUROC of x' of 'auroc/x', 'AUROC at 9' of 'auroc@9'.

  Args:
    name: as a summary has it; other words are returned without underscores.
  """
  base, _, label = name.partition('/')
  base, _, time = base.partition('@')
  average = next((x for x in _AVERAGES if base.endswith(f'_{x}')), '')
  base = base.removesuffix(f'_{average}')
  text = _METRICS.get(base, base.replace('_', ' '))
  text = f'{average} {text}' if average else text
  text = f'{text} at {time}' if time else text
  return f'{text} of {label}' if label else text
