import dataclasses
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import caveats, estimates, folds
from fusion_jax.evaluation import config as config_lib

BINARY = types.Task(types.BINARY, ('y',))


def _fold(number=0, *, n=240, labels=None, arms=('a', 'b'), own_patients=False):
  if labels is None:
    labels = (np.arange(n) // 2 % 2 == 0).astype(float)[:, None]
  study = np.arange(n).astype(str)
  return folds.Fold(
    repeat=0,
    fold=number,
    study=study,
    patient=study if own_patients else (np.arange(n) // 2).astype(str),
    labels=labels,
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores={a: {0: np.linspace(0, 1, n)[:, None]} for a in arms},
  )


def _of_table(parts, task=BINARY, absent=()):
  return caveats.of_table(task, parts, arms=['a', 'b'], absent=absent)


class TableTest(parameterized.TestCase):
  def test_nothing_to_say(self):
    self.assertEmpty(_of_table([_fold()]))

  def test_few_patients_in_a_class(self):
    labels = (np.arange(240) < 98).astype(float)[:, None]
    (line,) = _of_table([_fold(labels=labels)])
    self.assertStartsWith(line, 'Only 49 patients with y = 1')

  @parameterized.parameters(
    (types.Task(types.MULTICLASS, ('u', 'v')), 'of class v'),
    (types.Task(types.MULTILABEL, ('v',)), 'with v'),
    (types.Task(types.SURVIVAL, ('t', 'e')), 'with an event'),
  )
  def test_few_patients_in_other_tasks(self, task, text):
    rare = (np.arange(240) < 98).astype(float)[:, None]
    if task.kind == types.SURVIVAL:
      rare = np.concatenate([np.ones((240, 1)), rare], axis=1)
    (line,) = _of_table([_fold(labels=rare)], task)
    self.assertStartsWith(line, f'Only 49 patients {text}')

  def test_few_patients_in_regression(self):
    task = types.Task(types.REGRESSION, ('y',))
    (line,) = _of_table([_fold(n=20, labels=np.ones((20, 1)))], task)
    self.assertStartsWith(line, 'Only 10 patients with a known label')

  def test_one_patient(self):
    labels = (np.arange(240) < 2).astype(float)[:, None]
    (line,) = _of_table([_fold(labels=labels)])
    self.assertStartsWith(line, 'Only 1 patient with y = 1')

  def test_the_reason_of_a_cohort_says_what_it_is_for(self):
    self.assertEqual(
      caveats.of_no_patients('one stay a patient'),
      ['No patient column: one stay a patient.'],
    )
    self.assertEmpty(caveats.of_no_patients(''))

  def test_every_study_its_own_patient(self):
    (line,) = _of_table([_fold(own_patients=True)])
    self.assertStartsWith(line, 'Every study is its own patient')

  def test_absent_arms_folds_and_seeds(self):
    first, second = _fold(0), _fold(1, arms=('a',))
    first.scores['a'][1] = first.scores['a'][0]
    lines = _of_table([first, second], absent=['c'])
    self.assertLen(lines, 3)
    self.assertIn("'c' has no test predictions", lines[0])
    self.assertIn("'a' lacks some of its 2 seeds", lines[1])
    self.assertIn("'b' has no predictions in repeat/fold 0/1", lines[2])


class DivisionTest(absltest.TestCase):
  """Folds of 4 studies of 2 patients, cut as given."""

  def _part(self, rows, number=0, repeat=0):
    fold = _fold(number, n=4, arms=('a',)).take(np.array(rows))
    return dataclasses.replace(fold, repeat=repeat)

  def test_patients_in_validation_and_test(self):
    first, second = self._part([0, 1]), self._part([2, 3], 1)
    apart = [self._part([2, 3]), self._part([0, 1], 1)]
    self.assertEmpty(caveats.of_validation([first, second], apart))
    self.assertEmpty(caveats.of_validation([first, second], []))
    (line,) = caveats.of_validation([self._part([0, 2])], [self._part([1])])
    self.assertStartsWith(line, 'Leakage: 1 patient (1 test study) in the')

  def test_patients_tested_in_several_folds(self):
    apart = [self._part([0, 1]), self._part([2, 3], 1)]
    self.assertEmpty(caveats.of_patients(apart))
    (line,) = caveats.of_patients([self._part([0, 2]), self._part([1, 3], 1)])
    self.assertStartsWith(line, 'Leakage? 2 patients (4 studies) tested in')
    other = [self._part([0, 2]), self._part([1, 3], repeat=1)]
    self.assertEmpty(caveats.of_patients(other))

  def test_another_cohort_is_tested_in_every_fold(self):
    same = [self._part([0, 1, 2], k) for k in range(3)]
    self.assertEmpty(caveats.of_patients(same))


class EstimatesTest(absltest.TestCase):
  def _lines(self, task, metric, parts):
    found = estimates.estimate(task, parts, arms=['a', 'b'], wanted=[metric])
    return caveats.of_estimates(parts, found, arms=['a', 'b'], metric=metric)

  def test_undefined_fold(self):
    parts = [_fold(0), _fold(1, n=4, labels=np.ones((4, 1)))]
    (line,) = self._lines(BINARY, 'auroc', parts)
    self.assertEqual(
      line,
      'auroc is undefined in repeat 0, fold 1 (all 4 studies are positive): '
      'left out of every mean.',
    )

  def test_macro_mean_without_a_class(self):
    task = types.Task(types.MULTICLASS, ('u', 'v', 'w'))
    fold = _fold()
    scores = np.full((240, 3), 1 / 3)
    fold = dataclasses.replace(fold, scores={a: {0: scores} for a in 'ab'})
    (line,) = self._lines(task, 'auroc_macro', [fold])
    self.assertIn('is incomplete in repeat 0, fold 0: defined for 2 of 3', line)


class MarginTest(parameterized.TestCase):
  @parameterized.parameters(
    ('rmse', 0.02, True),
    ('mae', 0.02, True),
    ('rmse', 1.5, False),
    ('r2', 0.02, False),
  )
  def test_a_default_margin_in_units_of_the_label(self, metric, margin, said):
    fold = mock.Mock(labels=np.array([[1.0], [5.0], [np.nan]]))
    config = config_lib.EvaluationConfig(margin=margin)
    lines = caveats.of_margin(
      [fold], metric=metric, margin=caveats.margin_of(config, metric)
    )
    self.assertLen(lines, int(said))
    for line in lines:
      self.assertIn('a standard deviation of 2;', line)

  def test_a_registered_margin_was_chosen(self):
    config = config_lib.EvaluationConfig(registered='plan.json')
    self.assertEqual(caveats.margin_of(config, 'rmse'), 0.02)


class SinglesTest(absltest.TestCase):
  def _lines(self, singles, fusions=('f',), missing=''):
    return caveats.of_singles(singles, fusions=fusions, missing=missing)

  def test_nothing_to_compare(self):
    self.assertEmpty(self._lines(['a'], fusions=[]))
    (line,) = self._lines([])
    self.assertIn('compared with nothing', line)

  def test_one_or_several(self):
    self.assertEmpty(self._lines(['a', 'b']))
    (line,) = self._lines(['a'])
    self.assertIn("Only one single-modality arm ('a')", line)

  def test_what_is_missing(self):
    (line,) = self._lines(['a'], missing='no arm sees x')
    self.assertEqual(
      line, 'No arm is called superior or equivalent: no arm sees x.'
    )


class SpellingsTest(absltest.TestCase):
  def test_ids_in_two_spellings_are_counted_not_named(self):
    names = np.array(['P8', 'P7', 'p8', 'p7', 'x', 'P7'])
    (line,) = caveats.of_spellings(names, noun='patient')
    self.assertStartsWith(line, 'Written in two ways? 2 patients have ids that')
    self.assertIn('different patients', line)
    (line,) = caveats.of_spellings(
      names[1:], noun='study', rows=np.arange(2, 7)
    )
    self.assertIn('1 study (first in rows 2, 4) has ids that differ', line)
    for name in names[:4]:
      self.assertNotIn(name, line)

  def test_nothing_to_say(self):
    self.assertEqual(
      caveats.of_spellings(np.array(['1', '1', '2']), noun='patient'), []
    )


if __name__ == '__main__':
  absltest.main()
