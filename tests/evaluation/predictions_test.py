import dataclasses
import os
import pathlib
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.evaluation import predictions

BINARY = types.Task(types.BINARY, ('label_malignant',))
TASKS = (
  BINARY,
  types.Task(types.MULTICLASS, ('a', 'b c', '3')),
  types.Task(types.MULTILABEL, ('u', 'v')),
  types.Task(types.REGRESSION, ('age',)),
  types.Task(types.SURVIVAL, ('days', 'death')),
)


def _table(task=BINARY, *, n=6, arms=('x', 'y'), seeds=(0, 1)):
  rng = np.random.default_rng(0)
  if task.kind == types.MULTICLASS:
    labels = (np.arange(n) % 3).astype(float)[:, None]
  elif task.kind == types.SURVIVAL:
    labels = np.stack([np.arange(n) + 0.5, np.arange(n) % 2], axis=1)
  else:
    labels = np.stack([np.arange(n) % 2] * task.num_labels, axis=1)
    labels = labels.astype(float)
  if task.kind == types.MULTILABEL:
    labels[0, 1] = np.nan
  tables = []
  for arm in arms:
    for seed in seeds:
      scores = rng.dirichlet(np.ones(task.num_outputs + 1), size=n)
      if task.kind != types.MULTICLASS:
        scores = scores[:, : task.num_outputs]
      else:
        scores = rng.dirichlet(np.ones(3), size=n)
      tables.append(
        predictions.create(
          task=task,
          study_id=np.array([f'00{i}' for i in range(n)]),
          patient_id=np.array([f'p{i // 2}' for i in range(n)]),
          arm=arm,
          labels=labels,
          scores=scores,
          fold=np.arange(n) % 2,
          seed=seed,
          available={'image': np.arange(n) != 1, 'ehr': np.ones(n, bool)},
          weight=1 + np.arange(n),
          subgroup={'sex': np.array(['f', 'm'] * (n // 2))},
        )
      )
  return predictions.concat(tables)


def _replace(table, **columns):
  return predictions.create(
    **{
      'task': table.task,
      **{
        name: getattr(table, name)
        for name in (
          'study_id',
          'patient_id',
          'arm',
          'repeat',
          'fold',
          'seed',
          'part',
          'condition',
          'labels',
          'scores',
          'available',
          'weight',
          'subgroup',
        )
      },
      **columns,
    }
  )


class FilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.dir = pathlib.Path(self.create_tempdir().full_path)

  def _write(self, text, name='p.csv'):
    path = self.dir / name
    path.write_text(text)
    return path

  @parameterized.product(task=TASKS, suffix=['.parquet', '.csv'])
  def test_round_trip(self, task, suffix):
    table = _table(task)
    path = self.dir / f'p{suffix}'
    predictions.write(table, path)
    self.assertEqual([x.name for x in self.dir.iterdir()], [path.name])
    back = predictions.read(path, task=None if suffix == '.parquet' else task)
    self.assertEqual(back.task, task)
    for name in ('study_id', 'patient_id', 'arm', 'fold', 'seed', 'part'):
      np.testing.assert_array_equal(getattr(back, name), getattr(table, name))
    np.testing.assert_array_equal(back.labels, table.labels)
    np.testing.assert_array_equal(back.scores, table.scores)
    np.testing.assert_array_equal(back.weight, table.weight)
    for kind in ('available', 'subgroup'):
      here, there = getattr(back, kind), getattr(table, kind)
      self.assertSameElements(here, there)
      for name in there:
        np.testing.assert_array_equal(here[name], there[name])

  def test_smallest_csv(self):
    path = self._write(
      'study_id,patient_id,arm,label,score\n01,p,a,0,.2\n02,q,a,1,.4\n'
    )
    table = predictions.read(path)
    self.assertEqual(table.task.kind, types.BINARY)
    self.assertEqual(table.study_id.tolist(), ['01', '02'])
    self.assertEqual(set(table.part), {'test'})
    self.assertEqual(set(table.condition), {'intact'})
    self.assertEqual(table.seed.tolist(), [0, 0])
    self.assertIsNone(table.weight)

  @parameterized.parameters(
    ('label,score\n0,.5', types.BINARY),
    ('label,score\n0.5,.5', types.REGRESSION),
    ('time,event,score\n3,1,.5', types.SURVIVAL),
    ('label,score_a,score_b\na,.5,.5', types.MULTICLASS),
    ('label_a,label_b,score_a,score_b\n,1,.5,.5', types.MULTILABEL),
  )
  def test_task_is_recognised_by_its_columns(self, text, kind):
    head, row = text.split('\n')
    path = self._write(f'study_id,patient_id,arm,{head}\ns,p,a,{row}\n')
    self.assertEqual(predictions.read(path).task.kind, kind)

  @parameterized.parameters(
    (('0', '1', '2'), ('0.0', '2.0', ''), (0, 2, None)),
    (('0.0', '1.0'), ('1', '0', '1'), (1, 0, 1)),
    (('0', '1'), ('1', '1.0', '0.0'), (1, 1, 0)),
    (('false', 'true'), ('True', 'False', ''), (1, 0, None)),
    (('042', '43'), ('42', '43', '43.0'), (0, 1, 1)),
    (('1', '1.0'), ('1.0', '1', '1'), (1, 0, 0)),
    (('0', '1'), ('1', '1.5', '0'), None),
  )
  def test_classes_are_compared_by_their_number(self, names, labels, expected):
    scores = ['1'] + ['0'] * (len(names) - 1)
    rows = [
      ','.join((f's{i}', f'p{i}', 'a', x, *scores))
      for i, x in enumerate(labels)
    ]
    head = ['study_id,patient_id,arm,label', *(f'score_{x}' for x in names)]
    path = self._write('\n'.join([','.join(head), *rows]) + '\n')
    if expected is None:
      with self.assertRaisesRegex(errors.UserError, 'Unknown class .* row '):
        predictions.read(path)
      return
    found = predictions.read(path).labels[:, 0]
    np.testing.assert_equal(found, np.array(expected, float))

  def test_a_label_column_of_numbers_in_parquet(self):
    path = self.dir / 'p.parquet'
    columns = {
      'study_id': ['s', 't'],
      'patient_id': ['p', 'q'],
      'arm': ['a', 'a'],
      'label': [1.0, None],
      'score_0': [0.5, 0.5],
      'score_1': [0.5, 0.5],
    }
    pyarrow.parquet.write_table(pa.table(columns), path)
    found = predictions.read(path).labels[:, 0]
    np.testing.assert_equal(found, np.array([1, np.nan]))

  @parameterized.parameters(
    ('study_id,arm,label,score\ns,a,0,.5\n', "no column 'patient_id'"),
    ('study_id,patient_id,arm,score\ns,p,a,.5\n', "no column 'label'"),
    ('study_id,patient_id,arm,label,score\ns,p,a,0,high\n', 'a number'),
    ('study_id,patient_id,arm,label,score\ns,p,a,0,\n', 'missing or infinite'),
    ('study_id,patient_id,arm,label,score\ns,,a,0,.5\n', 'is blank'),
    ('study_id,patient_id,arm,label,score\n', 'no predictions'),
    ('study_id,patient_id,arm,label,score,folds\ns,p,a,0,.5,1\n', "'fold'"),
    ('study_id,patient_id,arm,label,score,fold\ns,p,a,0,.5,1.5\n', 'whole'),
    ('study_id,patient_id,arm,label,score_a\ns,p,x,b,1\n', "Unknown class 'b'"),
    ('study_id,patient_id\n"', 'cannot be read'),
    ('', 'cannot be read'),
  )
  def test_bad_csv_is_one_line(self, text, message):
    with self.assertRaisesRegex(errors.UserError, message) as caught:
      predictions.read(self._write(text))
    self.assertNotIn('\n', str(caught.exception))
    self.assertIn('p.csv', str(caught.exception))

  def test_bad_files(self):
    with self.assertRaisesRegex(errors.UserError, 'No such file'):
      predictions.read(self.dir / 'absent.csv')
    with self.assertRaisesRegex(errors.UserError, 'cannot be read'):
      predictions.read(self._write('not parquet', 'p.parquet'))
    with self.assertRaisesRegex(errors.UserError, r'\.xlsx'):
      predictions.read(self._write('', 'p.xlsx'))

  def test_failed_write_leaves_nothing_and_is_one_line(self):
    path = self.dir / 'p.parquet'
    full = OSError(28, 'No space left on device')
    with (
      mock.patch.object(os, 'replace', side_effect=full),
      self.assertRaisesRegex(errors.UserError, 'No space left'),
    ):
      predictions.write(_table(), path)
    self.assertEmpty(list(self.dir.iterdir()))


class CheckTest(parameterized.TestCase):
  def _refused(self, table, message):
    with self.assertRaisesRegex(errors.UserError, message):
      predictions.check(table)

  def test_good_tables_pass(self):
    for task in TASKS:
      predictions.check(_table(task))

  def test_missing_score(self):
    table = _table()
    scores = table.scores.copy()
    scores[3] = np.nan
    self._refused(_replace(table, scores=scores), '1 of 24 rows.*arm .x')

  def test_score_outside_probabilities(self):
    table = _table()
    self._refused(_replace(table, scores=table.scores + 1), 'probabilities')

  def test_class_probabilities_sum_to_one(self):
    table = _table(TASKS[1])
    self._refused(_replace(table, scores=table.scores / 2), 'sum to 0.5')

  def test_illegal_label(self):
    table = _table()
    self._refused(_replace(table, labels=table.labels + 1), 'expected 0 or 1')

  def test_negative_weight(self):
    table = _table()
    self._refused(_replace(table, weight=-table.weight), 'weight')

  def test_unknown_part(self):
    table = _table()
    part = np.array(['test'] * (len(table) - 1) + ['tset'])
    self._refused(_replace(table, part=part), "unknown part 'tset'")
    with self.assertRaises(errors.UserError) as caught:
      predictions.check(_replace(table, part='train'))
    self.assertLen(str(caught.exception).splitlines(), 1)

  def test_duplicate_row(self):
    table = _table()
    twice = predictions.concat([table, table.take(np.array([4]))])
    self._refused(twice, "study '004'.*more than once")

  def test_labels_differ_between_arms(self):
    table = _table()
    labels = table.labels.copy()
    labels[-1] = 1 - labels[-1]
    self._refused(
      _replace(table, labels=labels), "'005' has different labels.*'x'.*'y'"
    )

  def test_study_of_two_patients(self):
    table = _table()
    patient = table.patient_id.copy()
    patient[-1] = 'p0'
    self._refused(_replace(table, patient_id=patient), 'different patients')

  def test_study_in_two_subgroups(self):
    table = _table()
    sex = np.where(table.study_id == table.study_id[0], 'f', 'm')
    predictions.check(dataclasses.replace(table, subgroup={'sex': sex}))
    sex[-1] = 'f'
    self._refused(
      dataclasses.replace(table, subgroup={'sex': sex}),
      "different subgroups 'sex'",
    )

  def test_arms_cover_the_same_studies(self):
    table = _table()
    self._refused(
      table.take(np.arange(len(table) - 1)),
      "'005'.*missing for arm 'y', seed 1",
    )

  def test_an_arm_may_lack_a_whole_fold(self):
    table = _table()
    predictions.check(table.take((table.arm != 'y') | (table.fold != 1)))

  def test_a_study_of_a_fold_is_in_one_part(self):
    table = _table()
    valid = _replace(table, part='valid')
    self._refused(
      predictions.concat([table, valid]),
      "study '000' is in part 'valid' and in part 'test' of repeat 0, fold 0 "
      r'\(6 studies are\)',
    )
    predictions.check(
      predictions.concat([table, _replace(valid, fold=1 - table.fold)])
    )

  def test_folds_of_a_repeat_overlap(self):
    table = _table()
    again = table.take(table.study_id == '000')
    self._refused(
      predictions.concat([table, _replace(again, fold=1)]),
      "in repeat 0, study '000' is tested in folds 0, 1, but study '001' is "
      'tested in fold 1; .* are repeats',
    )
    everywhere = predictions.concat([table, _replace(table, repeat=1)])
    predictions.check(everywhere)

  def test_models_of_every_fold_applied_to_another_cohort(self):
    table = _table()
    predictions.check(
      predictions.concat([_replace(table, fold=k) for k in range(3)])
    )

  def test_several_problems_are_listed(self):
    table = _table()
    bad = _replace(table, labels=table.labels + 1, scores=table.scores + 1)
    with self.assertRaises(errors.ProblemsError) as caught:
      predictions.check(bad)
    self.assertLen(caught.exception.lines, 2)

  def test_wrong_shape(self):
    with self.assertRaisesRegex(errors.UserError, "'scores' has shape"):
      _replace(_table(), scores=np.ones((24, 2)))

  def test_concat_of_different_tasks(self):
    with self.assertRaisesRegex(errors.UserError, 'different task'):
      predictions.concat([_table(), _table(TASKS[3])])

  def test_arms_and_take(self):
    table = _table(arms=('z', 'a'))
    self.assertEqual(table.arms, ('a', 'z'))
    self.assertLen(table.take(table.arm == 'a'), 12)


if __name__ == '__main__':
  absltest.main()
