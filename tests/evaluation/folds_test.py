import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.evaluation import folds, predictions

BINARY = types.Task(types.BINARY, ('y',))


def _table():
  tables = []
  for arm in ('x', 'y'):
    for seed in (0, 1):
      for part in predictions.PARTS:
        tables.append(
          predictions.create(
            task=BINARY,
            study_id=np.array(['s2', 's1', 's3', 's0']),
            patient_id=np.array(['p2', 'p1', 'p3', 'p0']),
            arm=arm,
            seed=seed,
            labels=np.array([0.0, 1.0, 1.0, 0.0]),
            scores=np.arange(4) / 10 + seed / 100 + (arm == 'y') / 2,
            fold=np.array([0, 0, 1, 1]),
            part=part,
            available={
              'image': np.array([arm == 'x', True, True, True]),
              'ehr': np.array([True, True, False, True]),
            },
            weight=np.array([1.0, 2.0, 3.0, 4.0]),
          )
        )
  return predictions.concat(tables)


class ArrangeTest(absltest.TestCase):
  def test_studies_are_sorted_and_scores_follow(self):
    found = folds.arrange(_table())
    self.assertEqual([(f.repeat, f.fold) for f in found], [(0, 0), (0, 1)])
    first = found[0]
    self.assertEqual(first.study.tolist(), ['s1', 's2'])
    self.assertEqual(first.patient.tolist(), ['p1', 'p2'])
    self.assertEqual(first.weight.tolist(), [2, 1])
    self.assertEqual(first.labels[:, 0].tolist(), [1, 0])
    np.testing.assert_allclose(first.scores['x'][1][:, 0], [0.11, 0.01])
    np.testing.assert_allclose(first.scores['y'][0][:, 0], [0.6, 0.5])

  def test_complete_means_every_modality_in_every_arm(self):
    found = folds.arrange(_table())
    self.assertEqual(found[0].complete.tolist(), [True, False])
    self.assertEqual(found[1].complete.tolist(), [True, False])

  def test_row_order_does_not_matter(self):
    table = _table()
    rows = np.random.default_rng(0).permutation(len(table))
    for here, there in zip(
      folds.arrange(table), folds.arrange(table.take(rows)), strict=True
    ):
      np.testing.assert_array_equal(here.study, there.study)
      for arm, by_seed in here.scores.items():
        self.assertEqual(list(by_seed), list(there.scores[arm]))
        for seed, scores in by_seed.items():
          np.testing.assert_array_equal(scores, there.scores[arm][seed])

  def test_absent_part_or_condition(self):
    table = _table()
    self.assertEmpty(folds.arrange(table, condition='emap'))
    kept = table.take(table.part == 'test')
    self.assertEmpty(folds.arrange(kept, predictions.VALID))

  def test_take(self):
    first = folds.arrange(_table())[0].take(np.array([False, True]))
    self.assertEqual(first.study.tolist(), ['s2'])
    np.testing.assert_allclose(first.scores['x'][0], [[0.0]])


class SurvivalTest(absltest.TestCase):
  def _table(self, columns):
    return predictions.create(
      task=types.Task(types.SURVIVAL, ('time', 'event')),
      study_id=np.array(['s1', 's0']),
      patient_id=np.array(['p1', 'p0']),
      arm='x',
      labels=np.ones((2, 2)),
      scores=np.zeros(2),
      survival={name: np.array([0.2, 0.3]) for name in columns},
    )

  def test_curves_follow_their_studies_and_times_rise(self):
    (fold,) = folds.arrange(self._table(['10', '9.5']))
    self.assertEqual(folds.horizons([fold]), ('9.5', '10'))
    np.testing.assert_array_equal(
      fold.survival['x'][0], [[0.3, 0.3], [0.2, 0.2]]
    )
    first = fold.take(np.array([0]))
    np.testing.assert_array_equal(first.survival['x'][0], [[0.3, 0.3]])
    self.assertEqual(fold.of_model('x', 0)['horizons'], ('9.5', '10'))
    self.assertIsNone(fold.of_model('x', 1)['survival_at'])
    self.assertEqual(folds.horizons([]), ())

  def test_a_time_is_a_positive_number(self):
    for name in ('soon', '-1', '0', 'inf'):
      with self.assertRaisesRegex(errors.UserError, f'survival_{name}'):
        folds.arrange(self._table([name]))


class EventsTest(absltest.TestCase):
  def test_by_task(self):
    codes = np.array([[0.0], [2.0], [2.0], [np.nan]])
    task = types.Task(types.MULTICLASS, ('a', 'b', 'c'))
    self.assertEqual(folds.events(task, codes), {'a': 1, 'b': 0, 'c': 2})
    pairs = np.array([[0.0, 1.0], [np.nan, 1.0], [1.0, 1.0]])
    task = types.Task(types.MULTILABEL, ('u', 'v'))
    self.assertEqual(folds.events(task, pairs), {'u': 1, 'v': 3})
    self.assertEqual(folds.events(BINARY, pairs[:, :1]), 1)
    task = types.Task(types.SURVIVAL, ('t', 'e'))
    self.assertEqual(folds.events(task, pairs), 3)
    self.assertIsNone(folds.events(types.Task(types.REGRESSION, ('y',)), codes))


if __name__ == '__main__':
  absltest.main()
