import dataclasses

import numpy as np
import pytest
from absl.testing import absltest, parameterized
from sklearn import ensemble, metrics

from fusion_jax.core import errors, types
from fusion_jax.data import kind, preprocess, synthetic
from tests import tiny


def aurocs(cohort):
  y = cohort.labels[:, 0]
  return {k: metrics.roc_auc_score(y, v) for k, v in cohort.oracle.items()}


class MakeTest(parameterized.TestCase):
  @parameterized.parameters(*synthetic.WORLDS)
  def test_deterministic_by_seed(self, world):
    a, b, c = (synthetic.make(world, n=60, size=16, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(tiny.images(a), tiny.images(b))
    np.testing.assert_array_equal(tiny.numeric(a), tiny.numeric(b))
    np.testing.assert_array_equal(tiny.categorical(a), tiny.categorical(b))
    np.testing.assert_array_equal(a.labels, b.labels)
    np.testing.assert_array_equal(a.oracle['both'], b.oracle['both'])
    self.assertEqual(a.digest, b.digest)
    self.assertNotEqual(a.digest, c.digest)
    self.assertFalse(np.array_equal(tiny.images(a), tiny.images(c)))

  def test_every_argument_changes_the_digest(self):
    base = {'world': 'synergy', 'n': 40, 'size': 16}
    changes = (
      {},
      {'world': 'complementary'},
      {'n': 41},
      {'size': 17},
      {'seed': 1},
      {'informative_missing': True},
      {'absent_images': 0.2},
      {'absent_ehr': 0.2},
      *({'task': x} for x in types.TASK_KINDS[1:]),
    )
    found = {synthetic.make(**{**base, **x}).digest for x in changes}
    self.assertLen(found, len(changes))

  def test_looks_like_a_hospital(self):
    cohort = synthetic.make('complementary', n=2000, size=16)
    self.assertEqual(tiny.images(cohort).shape, (2000, 1, 16, 16, 1))
    column = dict(
      zip(tiny.numeric_names(cohort), tiny.numeric(cohort).T, strict=True)
    )
    for name, low, high in (
      ('age', 18, 95),
      ('oxygen_saturation', 50, 100),
      ('respiratory_rate', 5, 60),
      ('haemoglobin', 4, 21),
      ('bmi', 12, 60),
      ('systolic_pressure', 50, 220),
    ):
      values = column[name][~np.isnan(column[name])]
      self.assertBetween(values.min(), low, high, name)
      self.assertBetween(values.max(), low, high, name)
    self.assertGreater(
      np.nanmean(column['crp']), 1.3 * np.nanmedian(column['crp'])
    )
    both = ~np.isnan(column['crp'] + column['leukocytes'])
    r = np.corrcoef(
      np.log(column['crp'][both] + 0.1), column['leukocytes'][both]
    )[0, 1]
    self.assertGreater(r, 0.3)
    missing = np.isnan(tiny.numeric(cohort)).mean(axis=0)
    self.assertEqual(missing[0], 0)
    np.testing.assert_allclose(missing[1:], 0.1, atol=0.03)
    self.assertLen(set(cohort.site), 3)

  def test_patients(self):
    cohort = synthetic.make('complementary', n=1000, size=16)
    names, first, count = np.unique(
      cohort.patient, return_index=True, return_counts=True
    )
    self.assertEqual(set(count), {1, 2, 3, 4})
    at = dict(zip(names, first, strict=True))
    same = np.array([at[x] for x in cohort.patient])
    age = tiny.numeric(cohort)[:, 0]
    np.testing.assert_array_equal(age, age[same])
    np.testing.assert_array_equal(cohort.site, cohort.site[same])
    np.testing.assert_array_equal(
      cohort.groups['sex'], cohort.groups['sex'][same]
    )
    again = np.flatnonzero(same != np.arange(1000))
    self.assertTrue(
      (cohort.index_time[again] > cohort.index_time[again - 1]).all()
    )
    started = cohort.index_time[first]
    self.assertBetween(started.min(), 16436, 16436 + 60)
    self.assertBetween(started.max(), 16436 + 3592, 16436 + 3652)
    np.testing.assert_array_equal(cohort.index_time % 1, 0)
    # A patient's pictures are more alike than those of two patients.
    x = tiny.images(cohort).reshape(1000, -1).astype(float)
    within = abs(x[again] - x[same[again]]).mean()
    between = abs(x[again] - x[np.roll(same[again], 7)]).mean()
    self.assertLess(within, 0.9 * between)

  def test_absent_modalities(self):
    cohort = synthetic.make(
      'complementary', n=1000, size=16, absent_images=0.2, absent_ehr=0.1
    )
    present = cohort.present
    self.assertAlmostEqual(present['image'].mean(), 0.8, delta=0.05)
    self.assertAlmostEqual(present['ehr'].mean(), 0.9, delta=0.04)
    self.assertTrue((present['image'] | present['ehr']).all())
    image, ehr, both = (cohort.oracle[x] for x in ('image', 'ehr', 'both'))
    gone = ~present['image']
    self.assertEqual(np.ptp(image[gone]), 0)
    np.testing.assert_array_equal(both[gone], ehr[gone])
    gone = ~present['ehr']
    self.assertLess(np.ptp(ehr[gone]), 1e-9)
    np.testing.assert_allclose(both[gone], image[gone], atol=1e-3)

  def test_bad_arguments(self):
    for arguments, message in (
      ({'world': 'complimentary'}, "Did you mean 'complementary'"),
      ({'task': 'binery'}, "Did you mean 'binary'"),
      ({'n': 0}, 'n = 0'),
      ({'size': 8}, 'size = 8'),
      ({'seed': -1}, 'seed = -1'),
      ({'absent_images': 1.5}, 'share from 0 to 1'),
      ({'absent_images': 0.6, 'absent_ehr': 0.6}, 'with nothing'),
    ):
      with self.assertRaisesRegex(errors.UserError, message):
        synthetic.make(**{'world': 'null', **arguments})

  @parameterized.product(task=types.TASK_KINDS, world=synthetic.WORLDS)
  def test_tasks(self, task, world):
    cohort = synthetic.make(world, n=300, size=16, task=task)
    y = cohort.labels
    self.assertEqual(cohort.task.kind, task)
    self.assertEqual(y.shape, (300, cohort.task.num_labels))
    if task == types.MULTILABEL:
      self.assertAlmostEqual(np.isnan(y).mean(), 0.2, delta=0.05)
      self.assertTrue((np.nanmean(y, axis=0) > 0.05).all())
    elif task == types.MULTICLASS:
      self.assertEqual(set(y[:, 0]), {0, 1, 2})
    elif task == types.SURVIVAL:
      self.assertGreater(y[:, 0].min(), 0)
      self.assertBetween(y[:, 1].mean(), 0.3, 0.95)
    unit = 'days' if task == types.SURVIVAL else ''
    self.assertEqual(cohort.time_unit, unit)


class OracleTest(parameterized.TestCase):
  @parameterized.named_parameters(
    (
      'complementary',
      'complementary',
      (0.77, 0.84),
      (0.77, 0.84),
      (0.93, 0.97),
    ),
    ('redundant', 'redundant', (0.85, 0.92), (0.82, 0.9), (0.85, 0.92)),
    ('synergy', 'synergy', (0.5, 0.5), (0.5, 0.5), (0.93, 0.99)),
    ('image_only', 'image_only', (0.88, 0.93), (0.5, 0.5), (0.88, 0.93)),
    ('ehr_only', 'ehr_only', (0.5, 0.5), (0.84, 0.92), (0.84, 0.92)),
    ('null', 'null', (0.5, 0.5), (0.5, 0.5), (0.5, 0.5)),
  )
  def test_aurocs(self, world, image, ehr, both):
    found = aurocs(synthetic.make(world, n=3000, size=16))
    self.assertBetween(found['image'], *image)
    self.assertBetween(found['ehr'], *ehr)
    self.assertBetween(found['both'], *both)
    if world == 'complementary':
      single = max(found['image'], found['ehr'])
      self.assertGreater(found['both'] - single, 0.08)

  @parameterized.product(
    world=synthetic.WORLDS, informative=(False, True), absent=(0.0, 0.15)
  )
  def test_calibrated(self, world, informative, absent):
    """In each tenth of the scores the label is as frequent as they say."""
    n = 3000
    cohort = synthetic.make(
      world,
      n=n,
      size=16,
      informative_missing=informative,
      absent_images=absent,
      absent_ehr=absent,
    )
    y = cohort.labels[:, 0]
    for name, p in cohort.oracle.items():
      self.assertTrue(((p > 0) & (p < 1)).all())
      for rows in np.array_split(np.argsort(p, kind='stable'), 10):
        gap = abs(y[rows].mean() - p[rows].mean())
        error = np.sqrt((p[rows] * (1 - p[rows])).sum()) / len(rows)
        # Studies of a patient are not independent, which widens the error.
        self.assertLess(gap, 5 * error, name)
    brier = {k: np.mean((v - y) ** 2) for k, v in cohort.oracle.items()}
    self.assertLessEqual(brier['both'], min(brier.values()) + 1e-4)

  @parameterized.parameters('complementary', 'synergy')
  def test_regression_leaves_least_error(self, world):
    cohort = synthetic.make(world, n=4000, size=16, task=types.REGRESSION)
    y = cohort.labels[:, 0]
    for p in cohort.oracle.values():
      residual = y - p
      self.assertAlmostEqual(residual.mean(), 0, delta=0.15)
      if np.ptp(p) > 1e-6:
        slope = np.cov(p, y)[0, 1] / p.var()
        self.assertAlmostEqual(slope, 1, delta=0.08)

  def test_informative_missing_tells_something(self):
    cohort = synthetic.make(
      'ehr_only', n=4000, size=16, informative_missing=True
    )
    y = cohort.labels[:, 0] == 1
    signal = tiny.numeric_names(cohort).index('crp')
    missing = np.isnan(tiny.numeric(cohort)[:, signal])
    self.assertGreater(missing[~y].mean(), 1.5 * missing[y].mean())


@pytest.mark.slow
class LearnerTest(parameterized.TestCase):
  @parameterized.parameters(False, True)
  def test_trees_come_close_and_do_not_beat_it(self, informative):
    """Trained on 18,000 records, with the 'both' oracle's image part given."""
    n, held = 22000, 4000
    cohort = synthetic.make(
      'complementary', n=n, size=16, informative_missing=informative
    )
    train, test = np.arange(n - held), np.arange(n - held, n)
    fitted = preprocess.Preprocessor().fit(cohort, train)
    columns = fitted.columns(cohort, 'ehr', kind.TREES)
    x = columns.x
    y = cohort.labels[:, 0]
    for name, inputs in (
      ('ehr', x),
      ('both', np.c_[x, cohort.oracle['image']]),
    ):
      model = ensemble.HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.06,
        max_leaf_nodes=12,
        categorical_features=np.flatnonzero(columns.is_categorical),
        random_state=0,
      ).fit(inputs[train], y[train])
      score = model.decision_function(inputs[test])
      got = metrics.roc_auc_score(y[test], score)
      best = metrics.roc_auc_score(y[test], cohort.oracle[name][test])
      self.assertLess(got, best + 0.002, name)
      self.assertGreater(got, best - 0.015, name)


class PictureTest(parameterized.TestCase):
  @parameterized.parameters(16, 32, 48)
  def test_synergy_polarity_is_plain_to_see(self, size):
    """Darkest and brightest inner pixels tell the sign, by any flip."""
    cohort = synthetic.make('synergy', n=300, size=size)
    x = tiny.images(cohort)[:, 0, :, :, 0].astype(float)
    # The middle holds the lesion; its extremes give the sign.
    cut = size // 5
    inner = np.sort(x[:, cut:-cut, cut:-cut].reshape(300, -1), axis=1)
    k = inner.shape[1] // 20
    middle = np.median(inner, axis=1)
    skew = (inner[:, -k:].mean(1) - middle) - (middle - inner[:, :k].mean(1))
    # P(y = 1 | image, EHR) is high where the signs agree; the record's sign is
    # read off its columns.
    crp = tiny.numeric(cohort)[:, tiny.numeric_names(cohort).index('crp')]
    known = ~np.isnan(crp)
    agree = (skew > 0) == (crp > np.nanmedian(crp))
    y = cohort.labels[:, 0] == 1
    self.assertGreater((agree == y)[known].mean(), 0.7)

  def test_graded_lesions_brighten_with_the_oracle(self):
    cohort = synthetic.make('image_only', n=400, size=32)
    x = tiny.images(cohort)[:, 0, 6:-6, 6:-6, 0].reshape(400, -1).astype(float)
    bright = np.sort(x, axis=1)[:, -20:].mean(axis=1) - np.median(x, axis=1)
    order = [
      np.argsort(np.argsort(v)) for v in (bright, cohort.oracle['image'])
    ]
    self.assertGreater(np.corrcoef(*order)[0, 1], 0.9)

  def test_pixels_do_not_depend_on_the_task(self):
    a, b = (
      synthetic.make('complementary', n=30, size=16, task=x)
      for x in (types.BINARY, types.SURVIVAL)
    )
    np.testing.assert_array_equal(tiny.images(a), tiny.images(b))
    np.testing.assert_array_equal(tiny.numeric(a), tiny.numeric(b))


class FieldsTest(absltest.TestCase):
  def test_says_what_it_is(self):
    cohort = synthetic.make('null', n=30, size=16)
    self.assertTrue(tiny.orientation_free(cohort))
    self.assertEqual(set(cohort.oracle), {'image', 'ehr', 'both'})
    self.assertEqual(set(cohort.groups), {'sex', 'site'})
    self.assertFalse(cohort.patient_note)
    self.assertIsNone(cohort.weight)
    half = dataclasses.replace(cohort.subset(np.arange(15)))
    self.assertLen(half.oracle['both'], 15)


if __name__ == '__main__':
  absltest.main()
