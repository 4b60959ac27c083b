"""Tests of Table 1, by hand and by what it must not tell."""

import statistics

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import characteristics
from fusion_jax.core import types
from tests import tiny


def make(values, levels, labels, *, site=None, kind='binary', **changes):
  """A cohort of a number and a category, one patient a study."""
  n = len(labels)
  labels = np.asarray(labels, float).reshape(n, -1)
  return tiny.pair(
    name='c',
    task=tiny.task_of(kind),
    digest='d',
    study=np.array([f's{i}' for i in range(n)]),
    patient=np.array([f'p{i}' for i in range(n)]),
    labels=labels,
    numeric=np.asarray(values, float)[:, None],
    numeric_names=('lab',),
    categorical=np.asarray(levels, object)[:, None],
    categorical_names=('side',),
    site=None if site is None else np.asarray(site),
    **changes,
  )


def table(cohort, min_group=1, min_events=1):
  return characteristics.table1(
    cohort, min_group=min_group, min_events=min_events
  )


def cells(made, feature, level=None):
  for row in made['rows']:
    if (row['feature'], row['level']) == (feature, level):
      return row['cells']
  raise KeyError((feature, level))


class NumbersTest(parameterized.TestCase):
  def test_a_number_by_outcome(self):
    cohort = make(
      [1, 2, 4, np.nan, 10, 20],
      ['a', 'b', 'a', 'b', None, 'b'],
      [0] * 4 + [1] * 2,
    )
    made = table(cohort)
    self.assertEqual(
      [
        (x['name'], x['by'], x['studies'], x['patients'])
        for x in made['columns']
      ],
      [
        ('all', 'all', 6, 6),
        ('y: no', 'outcome', 4, 4),
        ('y: yes', 'outcome', 2, 2),
      ],
    )
    everyone, no, yes = cells(made, 'lab')
    self.assertAlmostEqual(no['mean'], 7 / 3)
    self.assertAlmostEqual(no['sd'], statistics.stdev([1, 2, 4]))
    self.assertEqual((no['q1'], no['median'], no['q3']), (1.5, 2, 3))
    self.assertEqual((yes['mean'], yes['median']), (15, 15))
    self.assertEqual((yes['q1'], yes['q3']), (12.5, 17.5))
    self.assertAlmostEqual(everyone['mean'], 37 / 5)
    row = next(x for x in made['rows'] if x['feature'] == 'lab')
    self.assertEqual(row['missing'], [1, 1, 0])

  def test_levels_are_shares_of_what_is_known(self):
    made = table(
      make([1] * 5, ['a', 'b', 'a', 'b', None], [0, 0, 0, 1, 1]), min_events=0
    )
    self.assertEqual(
      cells(made, 'side', 'a'),
      [
        {'count': 2, 'share': 0.5},
        {'count': 2, 'share': 2 / 3},
        {'count': 0, 'share': 0.0},
      ],
    )
    row = next(x for x in made['rows'] if x['feature'] == 'side')
    self.assertEqual((row['kind'], row['missing']), ('categorical', [1, 0, 1]))

  def test_a_boolean_is_one_row(self):
    made = table(make([1] * 4, ['true', 'false', None, 'false'], [0, 0, 1, 1]))
    rows = [x for x in made['rows'] if x['feature'] == 'side']
    self.assertLen(rows, 1)
    self.assertEqual((rows[0]['kind'], rows[0]['level']), ('boolean', 'true'))
    self.assertEqual(rows[0]['cells'][0], {'count': 1, 'share': 1 / 3})

  def test_one_study_has_no_spread_and_none_has_no_number(self):
    made = table(make([1, np.nan, np.nan], ['a'] * 3, [0, 0, 1]))
    everyone, no, yes = cells(made, 'lab')
    self.assertIsNone(everyone['sd'])
    self.assertEqual(no['mean'], 1)
    self.assertIsNone(yes)

  def test_sites_are_columns_too(self):
    made = table(
      make([1, 2, 3, 4], list('aabb'), [0, 1, 0, 1], site=['x', 'x', 'y', 'y'])
    )
    names = [(x['name'], x['by']) for x in made['columns'][3:]]
    self.assertEqual(names, [('x', 'site'), ('y', 'site')])
    self.assertEqual(
      [c['mean'] for c in cells(made, 'lab')], [2.5, 2, 3, 1.5, 3.5]
    )

  def test_many_sites_are_told_as_one(self):
    site = [f'site{k:02d}' for k in range(14) for _ in range(20 - k)]
    n = len(site)
    made = table(make([1] * n, ['a'] * n, [k % 2 for k in range(n)], site=site))
    names = [x['name'] for x in made['columns'] if x['by'] == 'site']
    self.assertLen(names, 13)
    self.assertEqual(names[-1], characteristics.OTHERS)
    self.assertEqual(made['columns'][-1]['studies'], 8 + 7)
    self.assertIn('2 of 14 sites', made['notes'][0])

  def test_age_and_sex_come_first(self):
    cohort = make([1, 2], ['a', 'b'], [0, 1])
    cohort = tiny.changed(
      cohort,
      groups={'sex_at_birth': np.array(['f', 'm'])},
      numeric=np.array([[1.0, 50.0], [2.0, 60.0]]),
      numeric_names=('lab', 'Age (years)'),
    )
    features = [x['feature'] for x in table(cohort)['rows']]
    self.assertEqual(
      [*dict.fromkeys(features)][:3], ['Age (years)', 'sex_at_birth', 'lab']
    )

  @parameterized.parameters(
    ('binary', ['all', 'y: no', 'y: yes']),
    ('multiclass', ['all', 'a', 'b', 'c']),
    ('multilabel', ['all', 'x: yes', 'y: yes']),
    ('regression', ['all']),
    ('survival', ['all', 'event', 'censored']),
  )
  def test_every_task(self, kind, names):
    cohort = tiny.cohort(200, kind=kind, images=2, absent=True)
    made = table(cohort, min_group=5, min_events=2)
    self.assertEqual([x['name'] for x in made['columns']], names)
    features = {x['feature'] for x in made['rows']}
    self.assertContainsSubset(
      {'lab', 'noise', 'side', 'image present', 'record present'}, features
    )
    self.assertIn('images of a study', features)
    self.assertEqual(kind == types.SURVIVAL, 'follow-up (time)' in features)
    self.assertEqual(kind == types.REGRESSION, 'outcome (y)' in features)
    there = cohort.present[types.IMAGE]
    self.assertEqual(
      cells(made, 'image present', 'true')[0],
      {'count': int(there.sum()), 'share': there.mean()},
    )


class TooFewTest(parameterized.TestCase):
  """`min_group` 20 and `min_events` 10, as by default."""

  def _table(self, cohort):
    return table(cohort, 20, 10)

  def test_a_small_cohort_tells_nothing(self):
    made = self._table(make([1] * 19, ['a'] * 19, [0, 1] * 9 + [0]))
    self.assertEmpty(made['columns'])
    self.assertEmpty(made['rows'])
    self.assertIn('Fewer than 20 patients', made['notes'][0])

  def test_a_rare_outcome_has_no_column_and_none_follows(self):
    made = self._table(make([1] * 200, ['a'] * 200, [1] * 9 + [0] * 191))
    self.assertEqual([x['name'] for x in made['columns']], ['all'])
    self.assertIn('Nothing is told by outcome', made['notes'][0])

  def test_a_rare_class_is_told_with_the_next(self):
    labels = [0] * 100 + [1] * 60 + [2] * 5
    made = self._table(make([1] * 165, ['a'] * 165, labels, kind='multiclass'))
    self.assertEqual(
      [(x['name'], x['studies']) for x in made['columns']],
      [('all', 165), ('a', 100), ('(others)', 65)],
    )

  def test_small_levels_are_told_as_one(self):
    levels = ['a'] * 100 + ['b'] * 60 + ['c'] * 12 + ['d'] * 11
    made = self._table(make([1] * 183, levels, [0, 1] * 91 + [0]))
    shown = [x['level'] for x in made['rows'] if x['feature'] == 'side']
    self.assertEqual(shown, ['a', 'b', '(others)'])
    self.assertEqual(cells(made, 'side', '(others)')[0]['count'], 23)

  def test_a_number_known_of_few_is_not_told_nor_follows(self):
    values = [1.0] * 100 + [5.0] * 19 + [np.nan] * 31
    made = self._table(make(values, ['a'] * 150, [0] * 100 + [1] * 50))
    everyone, no, yes = cells(made, 'lab')
    self.assertIsNotNone(everyone)
    self.assertIsNone(no)
    self.assertIsNone(yes)

  def test_a_rare_answer_is_told_of_neither_side(self):
    levels = ['true'] * 3 + ['false'] * 197
    made = self._table(make([1] * 200, levels, [0, 1] * 100))
    self.assertEqual(cells(made, 'side', 'true'), [None] * 3)

  def test_hidden_counts_do_not_follow(self):
    counts = np.array([[50, 46, 4], [60, 30, 30], [90, 50, 40]])
    hidden = characteristics.hide(counts, [[1, 2]], 10)
    # Of the 4 also its row's and its column's; then those of their lines.
    self.assertEqual(hidden[0].tolist(), [False, True, True])
    self.assertEqual(hidden.sum(axis=0).tolist(), [0, 2, 2])

  @parameterized.parameters(*range(20))
  def test_no_line_hides_a_single_count(self, seed):
    rng = np.random.default_rng(seed)
    parts = rng.integers(0, 40, (rng.integers(2, 6), 5))
    counts = np.concatenate(
      [parts[:, :3].sum(axis=1, keepdims=True), parts], axis=1
    )
    # The last two columns do not add up to all: only the first three do.
    hidden = characteristics.hide(counts, [[1, 2, 3]], 10)
    self.assertTrue(hidden[(counts > 0) & (counts < 10)].all())
    for j in range(6):
      self.assertNotEqual(hidden[:, j].sum(), 1)
    for row in hidden[:, :4]:
      self.assertNotEqual(row.sum(), 1)

  def test_nothing_is_hidden_without_need(self):
    counts = np.array([[50, 20, 30], [60, 30, 30], [10, 10, 0]])
    self.assertFalse(characteristics.hide(counts, [[1, 2]], 10).any())

  def test_those_without_a_label_do_not_follow(self):
    # 3 of the 30 studies of level b lack label x, which 'all' less 'yes' is.
    labels = np.zeros((150, 2))
    labels[:75] = 1
    labels[120:147] = 1
    levels = ['a'] * 120 + ['b'] * 30
    made = self._table(make([1] * 150, levels, labels, kind='multilabel'))
    shown = {x['level'] for x in made['rows'] if x['feature'] == 'side'}
    for level in shown:
      everyone, *yes = cells(made, 'side', level)
      for cell in yes:
        if everyone and cell:
          rest = everyone['count'] - cell['count']
          self.assertFalse(0 < rest < 10, level)


if __name__ == '__main__':
  absltest.main()
