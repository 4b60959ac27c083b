import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.data import config as config_lib
from fusion_jax.data import inner, splits, synthetic
from fusion_jax.data import strata as strata_lib
from tests import tiny


def bare(patient, labels, *, kind=types.BINARY, names=('y',), **fields):
  n = len(patient)
  return tiny.pair(
    name='bare',
    task=types.Task(kind, names),
    digest='',
    study=np.array([f's{i}' for i in range(n)]),
    patient=np.array([f'p{i}' for i in patient]),
    labels=np.array(labels, float).reshape(n, -1),
    **fields,
  )


def rows(split):
  return [tuple(getattr(split, x)) for x in splits.PARTS]


def assert_sound(test, cohort, found):
  """No patient in two parts, every study in one; every study tested once."""
  for split in found:
    parts = [getattr(split, x) for x in splits.PARTS]
    for part in parts:
      test.assertNotEmpty(part)
      np.testing.assert_array_equal(part, np.sort(part))
    patients = [set(cohort.patient[x]) for x in parts]
    test.assertEmpty(patients[0] & patients[1])
    test.assertEmpty(patients[0] & patients[2])
    test.assertEmpty(patients[1] & patients[2])
  for repeat in {x.repeat for x in found}:
    tested = np.concatenate([x.test for x in found if x.repeat == repeat])
    np.testing.assert_array_equal(np.sort(tested), np.arange(len(cohort)))


class KFoldTest(parameterized.TestCase):
  @parameterized.product(task=types.TASK_KINDS, folds=(2, 5))
  def test_by_patient_and_stratified(self, task, folds):
    cohort = synthetic.make('complementary', n=400, size=16, task=task)
    config = config_lib.SplitConfig(folds=folds, repeats=2)
    found = splits.make_splits(cohort, config)
    self.assertEqual(
      [(x.repeat, x.fold) for x in found],
      [(r, f) for r in range(2) for f in range(folds)],
    )
    assert_sound(self, cohort, found)
    strata = strata_lib.stratum(cohort)
    share = np.bincount(strata + 1, minlength=8) / 400
    for split in found:
      for part in splits.PARTS:
        part = getattr(split, part)
        got = np.bincount(strata[part] + 1, minlength=8) / len(part)
        np.testing.assert_allclose(got, share, atol=0.05)
      rest = len(split.train) + len(split.valid)
      self.assertAlmostEqual(len(split.valid) / rest, 0.2, delta=0.03)
      self.assertAlmostEqual(len(split.test) / 400, 1 / folds, delta=0.02)

  def test_seeds_and_repeats_differ_and_the_same_seed_agrees(self):
    cohort = synthetic.make('null', n=120, size=16)
    config = config_lib.SplitConfig(folds=3, repeats=2)
    a, b = (splits.make_splits(cohort, config) for _ in range(2))
    self.assertEqual([rows(x) for x in a], [rows(x) for x in b])
    self.assertNotEqual(rows(a[0]), rows(a[3]))
    other = splits.make_splits(cohort, dataclasses.replace(config, seed=1))
    self.assertNotEqual(rows(a[0]), rows(other[0]))

  def test_features_have_no_say(self):
    cohort = synthetic.make('complementary', n=150, size=16)
    config = config_lib.SplitConfig(folds=3)
    rng = np.random.default_rng(0)
    other = tiny.changed(
      cohort,
      images=rng.permutation(tiny.images(cohort)),
      numeric=np.full(tiny.numeric(cohort).shape, np.nan),
      categorical=rng.permutation(tiny.categorical(cohort)),
    )
    a, b = (splits.make_splits(x, config) for x in (cohort, other))
    self.assertEqual([rows(x) for x in a], [rows(x) for x in b])

  def test_as_few_patients_as_folds(self):
    cohort = bare([0, 0, 1, 2, 2, 3], [0, 1, 1, 0, 1, 0])
    found = splits.make_splits(cohort, config_lib.SplitConfig(folds=3))
    assert_sound(self, cohort, found)

  def test_a_dominant_patient(self):
    patient = [0] * 60 + [*range(1, 41)]
    labels = [i % 2 for i in range(100)]
    cohort = bare(patient, labels)
    found = splits.make_splits(cohort, config_lib.SplitConfig(folds=4))
    assert_sound(self, cohort, found)
    # The fold that tests the large patient tests little else.
    self.assertLess(max(len(x.test) for x in found), 65)

  @parameterized.named_parameters(
    ('patients', [0, 0, 1, 1, 2], [0, 1, 0, 1, 1], 4, '3 patients'),
    ('class', [*range(9)], [0] * 7 + [1] * 2, 3, r'label 1.* has 2 \(of 9\)'),
    ('one_class', [*range(9)], [0] * 9, 3, r'label 1.* has 0 \(of 9\)'),
  )
  def test_impossible_folds(self, patient, labels, folds, message):
    with self.assertRaisesRegex(errors.UserError, message) as caught:
      splits.make_splits(
        bare(patient, labels), config_lib.SplitConfig(folds=folds)
      )
    self.assertNotIn('\n', str(caught.exception))

  def test_impossible_class_and_event(self):
    task = {'kind': types.MULTICLASS, 'names': ('a', 'b', 'c')}
    with self.assertRaisesRegex(errors.UserError, "class 'c'"):
      splits.make_splits(
        bare([*range(8)], [0, 1, 0, 1, 0, 1, 0, 2], **task),
        config_lib.SplitConfig(folds=2),
      )
    task = {'kind': types.SURVIVAL, 'names': ('t', 'e')}
    with self.assertRaisesRegex(errors.UserError, 'an event'):
      splits.make_splits(
        bare([*range(4)], [[1, 0], [2, 0], [3, 1], [4, 0]], **task),
        config_lib.SplitConfig(folds=2),
      )


class SuppliedTest(parameterized.TestCase):
  def test_fold_column(self):
    cohort = synthetic.make('null', n=120, size=16)
    patient = np.unique(cohort.patient, return_inverse=True)[1]
    cohort = dataclasses.replace(cohort, fold=patient % 4 + 1)
    for config in (
      config_lib.SplitConfig(),
      config_lib.SplitConfig(folds=4),
      config_lib.SplitConfig(scheme='column'),
    ):
      found = splits.make_splits(cohort, config)
      assert_sound(self, cohort, found)
      self.assertEqual([x.fold for x in found], [1, 2, 3, 4])
      for split in found:
        np.testing.assert_array_equal(cohort.fold[split.test], split.fold)
    drawn = splits.make_splits(cohort, config_lib.SplitConfig(folds=3))
    self.assertLen(drawn, 3)

  def test_leave_one_site_out(self):
    cohort = synthetic.make('null', n=150, size=16)
    found = splits.make_splits(cohort, config_lib.SplitConfig(scheme='site'))
    assert_sound(self, cohort, found)
    self.assertLen(found, 3)
    for split in found:
      self.assertLen(set(cohort.site[split.test]), 1)
      rest = np.concatenate([split.train, split.valid])
      self.assertNotIn(cohort.site[split.test[0]], cohort.site[rest])

  def test_a_patient_seen_at_two_sites_is_left_out_of_training(self):
    site = np.array(['a', 'b'] + ['a', 'b'] * 9)
    cohort = bare([0, 0, *range(1, 19)], [0, 1] * 10, site=site)
    for split in splits.make_splits(
      cohort, config_lib.SplitConfig(scheme='site')
    ):
      rest = np.concatenate([split.train, split.valid])
      self.assertNotIn('p0', cohort.patient[rest])

  def test_patient_in_two_supplied_folds(self):
    cohort = bare([0, 0, 1, 2], [0, 1, 0, 1], fold=np.array([0, 1, 0, 1]))
    with self.assertRaisesRegex(errors.UserError, "Patient 'p0'"):
      splits.make_splits(cohort, config_lib.SplitConfig())

  @parameterized.named_parameters(
    (
      'no_site',
      {'scheme': 'site'},
      r"^splits.scheme = 'site', but .* has no site column",
    ),
    ('no_column', {'scheme': 'column'}, 'has no fold column'),
    ('scheme', {'scheme': 'kfolds'}, "Did you mean 'kfold'"),
    ('one_fold', {'folds': 1}, '^splits.folds = 1: .* at least 2 folds'),
    ('negative', {'folds': -1}, '^splits.folds = -1: .*at least 2 folds'),
    ('repeats', {'repeats': 0}, '^splits.repeats = 0: .*from 1 to 1000'),
    ('valid', {'valid_fraction': 0.0}, '^splits.valid_fraction = 0.0 '),
    ('seed', {'seed': -1}, '^splits.seed = -1 .*negative'),
    (
      'file',
      {'scheme': 'file'},
      "'file' with splits.file = ''",
    ),
    ('scheme_of_file', {'file': 'x.csv'}, 'a file is given exactly'),
  )
  def test_bad_config(self, config, message):
    with self.assertRaisesRegex(errors.UserError, message):
      splits.make_splits(
        bare([*range(6)], [0, 1] * 3), config_lib.SplitConfig(**config)
      )

  def test_bad_supplied_folds(self):
    cohort = bare([*range(6)], [0, 1] * 3, fold=np.arange(6) % 3)
    with self.assertRaisesRegex(
      errors.UserError, '^splits.folds = 2, .* 3 values'
    ):
      splits.make_splits(
        cohort, config_lib.SplitConfig(scheme='column', folds=2)
      )
    with self.assertRaisesRegex(
      errors.UserError, '^splits.repeats = 2: .*one division; use splits.scheme'
    ):
      splits.make_splits(cohort, config_lib.SplitConfig(repeats=2))
    single = dataclasses.replace(cohort, fold=np.zeros(6, int))
    with self.assertRaisesRegex(errors.UserError, 'single value'):
      splits.make_splits(single, config_lib.SplitConfig(scheme='column'))


class TimeTest(parameterized.TestCase):
  def _splits(self, cohort, **config):
    config = config_lib.SplitConfig(scheme='time', **config)
    return splits.make_splits(cohort, config)

  @parameterized.product(folds=(0, 2, 5), whole_years=(False, True))
  def test_every_test_patient_starts_after_the_training_patients(
    self, folds, whole_years
  ):
    cohort = synthetic.make('complementary', n=400, size=16)
    if whole_years:
      years = np.floor(cohort.index_time / 365.25)
      cohort = dataclasses.replace(cohort, index_time=years)
    order = np.random.default_rng(0).permutation(400)
    cohort = cohort.subset(order)
    found = self._splits(cohort, folds=folds)
    folds = folds or 3
    self.assertEqual([x.fold for x in found], [*range(folds)])
    first = {}
    for patient, time in zip(cohort.patient, cohort.index_time, strict=True):
      first[patient] = min(time, first.get(patient, np.inf))
    start = np.array([first[x] for x in cohort.patient])
    before = np.zeros(0, int)
    for split in found:
      parts = [getattr(split, x) for x in splits.PARTS]
      patients = [set(cohort.patient[x]) for x in parts]
      for a, b in ((0, 1), (0, 2), (1, 2)):
        self.assertEmpty(patients[a] & patients[b])
      past = np.sort(np.r_[split.train, split.valid])
      self.assertLess(start[past].max(), start[split.test].min())
      share = 400 / (folds + 1)
      self.assertAlmostEqual(
        len(split.test), share, delta=45 if whole_years else 6
      )
      self.assertAlmostEqual(len(split.valid) / len(past), 0.2, delta=0.04)
      if len(before):
        np.testing.assert_array_equal(past, before)
      before = np.sort(np.r_[past, split.test])
    np.testing.assert_array_equal(before, np.arange(400))

  def test_patients_who_start_together_stay_together(self):
    times = np.repeat([1.0, 2, 3, 4], [9, 1, 1, 1])
    cohort = bare([*range(12)], [0, 1] * 6, index_time=times[::-1].copy())
    found = self._splits(cohort, folds=3)
    tested = [cohort.index_time[x.test].tolist() for x in found]
    self.assertEqual(tested, [[2], [3], [4]])
    self.assertLen(found[0].train, 9 - len(found[0].valid))

  def test_a_later_study_follows_its_patient(self):
    # Patient 0 comes first and again last.
    cohort = bare([*range(9), 0], [0, 1] * 5, index_time=np.arange(10.0))
    found = self._splits(cohort, folds=2)
    for split in found:
      self.assertNotIn(9, split.test)
      self.assertNotIn(0, split.test)
      self.assertIn(9, np.r_[split.train, split.valid])

  def test_other_schemes_are_deaf_to_it(self):
    cohort = synthetic.make('null', n=120, size=16)
    without = dataclasses.replace(cohort, index_time=None)
    config = config_lib.SplitConfig(folds=3)
    a, b = (splits.make_splits(x, config) for x in (cohort, without))
    self.assertEqual([rows(x) for x in a], [rows(x) for x in b])

  @parameterized.parameters(
    ({'index_time': None}, {}, "cohort 'bare' has no index_time"),
    (
      {'index_time': np.array([1, 2, 3, 4, 5, np.nan])},
      {},
      "a study of cohort 'bare' has no index_time",
    ),
    (
      {'index_time': np.array([1.0, 1, 1, 2, 2, 2])},
      {'folds': 2},
      'need 3 blocks of patients, .* start at 2 different index times',
    ),
    ({}, {'folds': 6}, 'need 7 blocks of patients'),
    ({}, {'repeats': 2}, '^splits.repeats = 2: the index time gives one'),
    ({}, {'folds': 4}, 'Fold 0 .* leaves 1 patients for training'),
    ({}, {'folds': 1}, 'at least 2 folds'),
  )
  def test_what_cannot_be(self, fields, config, message):
    fields = {'index_time': np.arange(6.0), **fields}
    with self.assertRaisesRegex(errors.UserError, message) as caught:
      self._splits(bare([*range(6)], [0, 1] * 3, **fields), **config)
    self.assertNotIn('\n', str(caught.exception))


class TestLabelsTest(parameterized.TestCase):
  """Labels of the test part have no say in how the others are divided."""

  @parameterized.parameters(types.REGRESSION, types.MULTILABEL)
  def test_changing_them_changes_no_part(self, kind):
    cohort = synthetic.make('complementary', n=240, size=16, task=kind)
    patient = np.unique(cohort.patient, return_inverse=True)[1]
    cohort = dataclasses.replace(cohort, fold=patient % 3)
    tested = cohort.fold == 0
    labels = cohort.labels.copy()
    if kind == types.REGRESSION:
      labels[tested] += 100
    else:
      labels[tested] = np.eye(3)[2]
    changed = dataclasses.replace(cohort, labels=labels)
    for seed in range(5):
      config = config_lib.SplitConfig(seed=seed)
      a, b = (splits.make_splits(x, config)[0] for x in (cohort, changed))
      self.assertEqual(rows(a), rows(b))
      for x, y in zip(
        inner.halves(a, cohort, seed),
        inner.halves(b, changed, seed),
        strict=True,
      ):
        np.testing.assert_array_equal(x, y)

  def test_strata_are_those_of_the_rows_alone(self):
    labels = [*range(8), 100, 200, 300, 400]
    cohort = bare([*range(12)], labels, kind=types.REGRESSION)
    np.testing.assert_array_equal(
      strata_lib.stratum(cohort, np.arange(8)), [0, 0, 1, 1, 2, 2, 3, 3]
    )


class FractionTest(parameterized.TestCase):
  @parameterized.parameters(0.25, 0.5)
  def test_fewer_patients_train_and_validate_the_same_test_part(self, share):
    cohort = tiny.cohort()
    whole, thin = (
      splits.make_splits(cohort, config_lib.SplitConfig(train_fraction=x))
      for x in (1.0, share)
    )
    for a, b in zip(whole, thin, strict=True):
      np.testing.assert_array_equal(a.test, b.test)
      for part in ('train', 'valid'):
        before, after = (set(cohort.patient[getattr(s, part)]) for s in (a, b))
        self.assertLess(after, before)
        self.assertAlmostEqual(
          len(after) / len(before), share, delta=1.5 / len(before)
        )
        # Whole patients, both classes.
        rows = getattr(b, part)
        kept = np.isin(cohort.patient[getattr(a, part)], [*after])
        np.testing.assert_array_equal(getattr(a, part)[kept], rows)
      self.assertLen(np.unique(cohort.labels[b.train]), 2)

  @parameterized.parameters(0.0, -1.0, 1.5)
  def test_other_fractions_are_one_line(self, share):
    with self.assertRaisesRegex(errors.UserError, 'train_fraction'):
      splits.make_splits(
        tiny.cohort(), config_lib.SplitConfig(train_fraction=share)
      )


if __name__ == '__main__':
  absltest.main()
