"""Whatever is undefined is null with a reason, on every path of a summary."""

import dataclasses
import json

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import curves, entries, image_value, summary
from tests.evaluation import summary_test

CONFIG = config_lib.EvaluationConfig(
  replicates=59, min_group=2, min_events=1, permutations=9
)
# Null says all there is to say: there is none of it.
_PLAIN_NULLS = (
  'registration',
  'complete_cases',
  'calibration',
  'suppressed',
  'arm',
  'gain',
  'single',
  'probabilities',
  'fragile',
  'training_sd_of',
  'picked_on_validation',
  'over_all_singles',
)


def _table(kind, **options):
  table = summary_test._table(kind, **options)
  patients = np.unique(table.patient_id, return_inverse=True)[1]
  changes = {'subgroup': {'sex': np.where(patients % 2, 'f', 'm')}}
  if kind == types.SURVIVAL:
    alive = 1 / (1 + np.exp(table.scores[:, 0]))
    changes['survival'] = {'0.5': np.sqrt(alive), '1': alive}
  return dataclasses.replace(table, **changes)


def _all(table, config=CONFIG):
  """Summary, curves and value of the image, as they are written."""
  found = summary.summarise(
    table, singles=['image', 'ehr'], fusions=['joint', 'late'], config=config
  )
  found['image_value'] = entries.plain(
    image_value.of(table, fusions=['joint'], singles=['ehr'], config=config)
  )
  drawn = curves.of(table, config=config)
  return json.loads(json.dumps([found, drawn], allow_nan=False))


def _silent(value, path='', told=False):
  """Paths of the nulls that have no reason beside them, or beside their dict.

  The latter where a dict holds one thing by label or by arm.
  """
  if isinstance(value, list):
    return [p for x in value for p in _silent(x, f'{path}[]')]
  if not isinstance(value, dict):
    return []
  found = []
  for name, x in value.items():
    here = 'reason' in value or f'{name}_reason' in value
    if x is None and not here and not told and name not in _PLAIN_NULLS:
      found.append(f'{path}/{name}')
    found += _silent(x, f'{path}/{name}', here)
  return found


def _unknown(table):
  return dataclasses.replace(table, labels=np.full_like(table.labels, np.nan))


def _one_class(table):
  labels = table.labels.copy()
  labels[:, -1] = 1
  if table.task.kind == types.SURVIVAL:
    labels[:, 1] = 0
  return dataclasses.replace(table, labels=labels)


def _constant_scores(table):
  k = table.scores.shape[1]
  value = 1 / k if table.task.kind == types.MULTICLASS else 0.5
  return dataclasses.replace(table, scores=np.full_like(table.scores, value))


def _one_weight(table):
  weight = (table.study_id == table.study_id[0]).astype(float)
  return dataclasses.replace(table, weight=weight)


_CASES = {
  'unknown': _unknown,
  'one_class': _one_class,
  'constant': _constant_scores,
  'one_weight': _one_weight,
  'as_it_is': lambda table: table,
}
_SHAPES = {
  'three_studies': {'n': 3, 'folds': 1, 'valid': False},
  'three_folds_of_one': {'n': 3, 'folds': 3, 'missing': True},
  'no_validation': {'n': 40, 'folds': 1, 'valid': False},
}


class UndefinedTest(parameterized.TestCase):
  @parameterized.product(kind=[*summary_test.NAMES], shape=[*_SHAPES])
  def test_null_has_a_reason(self, kind, shape):
    table = _table(kind, seeds=(0,), **_SHAPES[shape])
    for name, change in _CASES.items():
      with self.subTest(name):
        found, _ = _all(change(table))
        found.pop('image_value') if kind != types.BINARY else None
        self.assertEmpty(_silent(found))
        self.assertNotEmpty(found['question']['sentence'])

  def test_other_intervals(self):
    table = _table(types.BINARY, n=3, folds=1, seeds=(0,), valid=False)
    table = dataclasses.replace(table, patient_id=table.study_id)
    for method in ('bca', 'delong'):
      config = dataclasses.replace(CONFIG, interval=method)
      for name, change in _CASES.items():
        if (method, name) == ('delong', 'one_weight'):
          continue
        with self.subTest(f'{method} {name}'):
          self.assertEmpty(_silent(_all(change(table), config)[0]))


class WeightsTest(parameterized.TestCase):
  @parameterized.parameters(*summary_test.NAMES)
  def test_their_unit_and_the_order_of_rows_do_not_matter(self, kind):
    table = _table(kind, n=60, folds=2, seeds=(0,))
    study = np.unique(table.study_id, return_inverse=True)[1]
    weight = np.random.default_rng(0).exponential(size=study.max() + 1)[study]
    table = dataclasses.replace(table, weight=weight)
    rows = np.random.default_rng(1).permutation(len(table))
    other = dataclasses.replace(table, weight=2.0**-10 * weight).take(rows)
    first, second = (
      json.dumps(_rounded(_all(x)), sort_keys=True) for x in (table, other)
    )
    self.assertEqual(first, second)


def _rounded(value):
  if isinstance(value, dict):
    return {k: _rounded(v) for k, v in value.items()}
  if isinstance(value, list):
    return [_rounded(v) for v in value]
  if isinstance(value, float):
    return round(value, 6) + 0.0
  return value


if __name__ == '__main__':
  absltest.main()
