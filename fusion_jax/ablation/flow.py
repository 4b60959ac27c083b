"""From the rows of a table to the parts of every fold: who is left."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from fusion_jax.core import types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import exclusions
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import folds as folds_lib

_PARTS = ('train', 'valid', 'test')
_WORDS = {
  exclusions.READ: 'rows read',
  exclusions.EXCLUDED: 'excluded',
  exclusions.KEPT: 'kept',
}


def steps(cohort: cohort_lib.Cohort) -> list[dict[str, Any]]:
  """What a flow diagram shows, one entry per step.

  Returns:
    Entries {step, rows, studies, patients, reason}: `rows` of the table, None
    for steps that have none; 'excluded' and the steps after 'studies' count
    those of whom they say something, the others who is left.
  """
  entries = [
    _entry(_WORDS[x.step], x.studies, x.patients, rows=x.rows, reason=x.reason)
    for x in cohort.steps
  ]

  def count(step, rows):
    entries.append(
      _entry(step, int(rows.sum()), len(np.unique(cohort.patient[rows])))
    )

  count('studies', np.ones(len(cohort), bool))
  for modality, there in cohort.present.items():
    count(f'without {types.called(modality)}', ~there)
  if len(cohort.modalities) > 1:
    count('with all modalities', np.all([*cohort.present.values()], axis=0))
  if cohort.task.kind == types.MULTILABEL:
    count('with an unknown label', np.isnan(cohort.labels).any(axis=1))
  return entries


def parts(
  cohort: cohort_lib.Cohort, splits: Sequence[splits_lib.Split]
) -> list[dict[str, Any]]:
  """Sizes of every fold's parts.

  Returns:
    Entries {repeat, fold, train, valid, test}, each part {studies, patients,
    events}: `events` as in `folds` of a summary, None for a regression.
  """
  return [
    {
      'repeat': split.repeat,
      'fold': split.fold,
      **{name: _size(cohort, getattr(split, name)) for name in _PARTS},
    }
    for split in splits
  ]


def _size(cohort, rows) -> dict[str, Any]:
  return {
    'studies': len(rows),
    'patients': len(np.unique(cohort.patient[rows])),
    'events': folds_lib.events(cohort.task, cohort.labels[rows]),
  }


def _entry(step, studies, patients, *, rows=None, reason='') -> dict[str, Any]:
  return {
    'step': step,
    'rows': rows,
    'studies': studies,
    'patients': patients,
    'reason': reason,
  }
