"""Keys of a descriptor that contradict each other.

`fail` makes the error that a sentence stands in; `d` is a descriptor.
"""

from fusion_jax.core import types
from fusion_jax.data import keys


def check_numbers(d, fail) -> None:
  """Keys that say something of columns listed elsewhere."""
  counted = {*d.numeric, *d.label, *(e.column for e in d.exclude)}
  counted |= {x for x in (d.time, d.weight, d.index_time) if x}
  named = {
    'blank_false': (d.blank_false, set(d.boolean), 'boolean'),
    'bounds': (d.bounds, set(d.numeric), 'numeric'),
    'plausible': (d.plausible, set(d.numeric), 'numeric'),
    'units': (d.units, counted, 'numeric'),
    'decimal': (d.decimal, {keys.EVERY, *counted}, 'numeric'),
  }
  for key, (columns, legal, kind) in named.items():
    for column in columns:
      if column not in legal:
        raise fail(f"{key} names '{column}', which is not listed as {kind}.")


def check_labels(d, fail) -> None:
  """Keys of labels that contradict each other or the task."""
  if d.task == types.SURVIVAL:
    if d.label or not (d.time and d.event):
      raise fail('task = "survival" needs time and event, and no label.')
  else:
    if d.time or d.event:
      raise fail(f'time and event are only for survival, not {d.task}.')
    if d.time_unit:
      raise fail(f'time_unit is only for survival, not {d.task}.')
    if not d.label:
      raise fail(f'task = "{d.task}" needs the key label.')
    if len(d.label) > 1 and d.task != types.MULTILABEL:
      raise fail(
        f'task = "{d.task}" takes one label, got {len(d.label)}; several '
        'labels are task = "multilabel".'
      )
  if d.label_separator and (d.task != types.MULTILABEL or len(d.label) > 1):
    raise fail('label_separator is only for one label of task = "multilabel".')
  if d.classes and d.task != types.MULTICLASS and not d.label_separator:
    raise fail(
      'classes is only for task = "multiclass", or with label_separator.'
    )
  _check_values(d, fail)
  if len(set(d.label)) < len(d.label) or len(set(d.classes)) < len(d.classes):
    raise fail('a label or class is listed twice.')


def _check_values(d, fail) -> None:
  """What label values mean is said once."""
  given = {
    'positive': bool(d.positive),
    'negative': bool(d.negative),
    'positive_above': d.positive_above is not None,
  }
  given = [key for key, there in given.items() if there]
  if given and d.task in (types.MULTICLASS, types.REGRESSION):
    raise fail(f'{given[0]} means nothing for task = "{d.task}".')
  if d.label_separator:
    legal = ['negative']
  elif 'positive_above' in given:
    legal = ['positive_above']
  else:
    legal = ['positive', 'negative'] if d.positive else []
  for key in given:
    if key not in legal:
      other = 'label_separator' if d.label_separator else 'positive_above'
      if legal:
        raise fail(f'{key} means nothing beside {other}.')
      raise fail(f'{key} needs the key positive: the values that mean 1.')
  for key in ('positive', 'classes'):
    for value in d.negative:
      if value in getattr(d, key):
        raise fail(f"'{value}' is both {key} and negative.")
