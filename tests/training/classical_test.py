import pathlib
import warnings

import numpy as np
import threadpoolctl
from absl.testing import absltest, parameterized
from sklearn import ensemble, metrics

from fusion_jax.core import errors, links, types
from fusion_jax.training import classical

TASKS = {
  types.BINARY: types.Task(types.BINARY, ('y',)),
  types.MULTICLASS: types.Task(types.MULTICLASS, ('a', 'b', 'c')),
  types.MULTILABEL: types.Task(types.MULTILABEL, ('a', 'b')),
  types.REGRESSION: types.Task(types.REGRESSION, ('y',)),
  types.SURVIVAL: types.Task(types.SURVIVAL, ('t', 'e')),
}
FITS = ('elastic_net', 'trees')


def rows(kind, n=200, seed=0):
  """Inputs (n, 5) and labels, a tenth of them unknown."""
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(n, 5))
  signal = 2 * x[:, 0] - x[:, 1]
  noise = rng.logistic(size=n)
  if kind == types.BINARY:
    y = (signal + noise > 0)[:, None]
  elif kind == types.MULTICLASS:
    y = np.digitize(signal + noise, [-1, 1])[:, None]
  elif kind == types.MULTILABEL:
    y = np.stack([signal + noise > 0, x[:, 2] + noise > 1], axis=1)
  elif kind == types.REGRESSION:
    y = 100 + 10 * (signal + noise)[:, None]
  else:
    y = np.stack(
      [rng.exponential(size=n) * np.exp(-signal), rng.random(n) < 0.7], axis=1
    )
  y = np.asarray(y, np.float64)
  y[rng.random(y.shape) < 0.1] = np.nan
  return x, y


def fit(name, kind, train, valid, weight=None, weight_valid=None, **more):
  """Fits learner `name` on (x, labels) pairs."""
  common = {
    'task': TASKS[kind],
    'x': train[0],
    'labels': train[1],
    'weight': weight,
    'x_valid': valid[0],
    'labels_valid': valid[1],
    'weight_valid': weight_valid,
    'seed': 0,
    **more,
  }
  if name == 'trees':
    common.setdefault('is_categorical', np.zeros(train[0].shape[1], bool))
    return classical.fit_trees(**common)
  return classical.fit_elastic_net(**common)


class BothTest(parameterized.TestCase):
  @parameterized.product(name=FITS, kind=types.TASK_KINDS)
  def test_learns_every_task(self, name, kind):
    train, valid, test = (rows(kind, seed=s, n=300) for s in (0, 1, 2))
    fitted = fit(name, kind, train, valid)
    task = TASKS[kind]
    logits = fitted.logits(test[0])
    self.assertEqual(logits.shape, (300, task.num_outputs))
    np.testing.assert_allclose(
      fitted.scores(test[0]), links.scores_from_logits(task, logits)
    )
    constant = links.constant_logits(task, train[1])
    base = links.mean_loss(task, np.tile(constant, (300, 1)), test[1])
    loss = links.mean_loss(task, logits, test[1])
    self.assertLess(loss, base - 0.1)
    if kind == types.SURVIVAL:
      known = ~np.isnan(train[1]).any(axis=1)
      self.assertAlmostEqual(fitted.logits(train[0][known]).mean(), 0)

  @parameterized.product(name=FITS, kind=types.TASK_KINDS)
  def test_saves_and_loads(self, name, kind):
    train, valid = rows(kind), rows(kind, seed=1)
    fitted = fit(name, kind, train, valid)
    path = pathlib.Path(self.create_tempdir().full_path) / 'model'
    fitted.save(path)
    again = type(fitted).load(path)
    self.assertEqual(again.task, fitted.task)
    self.assertEqual(again.cost, fitted.cost)
    self.assertGreater(again.cost['parameters'], 0)
    np.testing.assert_array_equal(
      again.logits(valid[0]), fitted.logits(valid[0])
    )

  @parameterized.product(name=FITS, kind=types.TASK_KINDS)
  def test_the_same_bits_again_whatever_the_threads(self, name, kind):
    train, valid = rows(kind), rows(kind, seed=1)
    with threadpoolctl.threadpool_limits(limits=1):
      one = fit(name, kind, train, valid).logits(valid[0])
    with threadpoolctl.threadpool_limits(limits=2):
      two = fit(name, kind, train, valid).logits(valid[0])
    np.testing.assert_array_equal(one, two)

  @parameterized.product(name=FITS, kind=types.TASK_KINDS)
  def test_a_row_is_predicted_alike_in_any_company(self, name, kind):
    train, valid = rows(kind), rows(kind, seed=1)
    fitted = fit(name, kind, train, valid)
    together = fitted.logits(valid[0])
    np.testing.assert_array_equal(fitted.logits(valid[0][7:9]), together[7:9])

  @parameterized.product(name=FITS, kind=types.TASK_KINDS)
  def test_scale_of_weights_does_not_matter_but_weights_do(self, name, kind):
    train, valid = rows(kind), rows(kind, seed=1)
    rng = np.random.default_rng(2)
    weight, weight_valid = rng.uniform(0.1, 3, (2, 200))
    plain = fit(name, kind, train, valid).logits(valid[0])
    once = fit(name, kind, train, valid, weight, weight_valid)
    scaled = fit(name, kind, train, valid, 8 * weight, 4 * weight_valid)
    np.testing.assert_allclose(
      once.logits(valid[0]), scaled.logits(valid[0]), rtol=1e-6, atol=1e-6
    )
    self.assertGreater(np.abs(once.logits(valid[0]) - plain).max(), 1e-3)

  @parameterized.product(name=FITS, kind=types.TASK_KINDS)
  def test_rows_without_label_or_weight_change_nothing(self, name, kind):
    train, valid = rows(kind), rows(kind, seed=1)
    plain = fit(name, kind, train, valid)
    garbage = np.full((3, 5), 1e6)
    unknown = np.full((3, train[1].shape[1]), np.nan)
    some = np.ones((3, train[1].shape[1]))

    def extended(part):
      return (
        np.concatenate([part[0], garbage, garbage]),
        np.concatenate([part[1], unknown, some]),
      )

    weight = np.concatenate([np.ones(203), np.zeros(3)])
    other = fit(name, kind, extended(train), extended(valid), weight, weight)
    np.testing.assert_allclose(
      other.logits(valid[0]), plain.logits(valid[0]), rtol=1e-9, atol=1e-9
    )

  @parameterized.product(name=FITS, kind=types.TASK_KINDS)
  def test_order_of_rows_does_not_matter(self, name, kind):
    train, valid = rows(kind), rows(kind, seed=1)
    order = np.random.default_rng(3).permutation(200)
    plain = fit(name, kind, train, valid).logits(valid[0])
    other = fit(name, kind, (train[0][order], train[1][order]), valid)
    np.testing.assert_allclose(
      other.logits(valid[0]), plain, rtol=1e-4, atol=1e-4
    )

  @parameterized.parameters(*FITS)
  def test_one_class_is_one_clear_line(self, name):
    for kind, named in (
      (types.BINARY, r"'y' = 1, 200 studies"),
      (types.MULTICLASS, r"'b', 200 studies"),
      (types.MULTILABEL, r"'a' = 1"),
    ):
      x, y = rows(kind)
      one = (x, np.ones_like(y))
      with self.assertRaisesRegex(errors.UserError, named):
        fit(name, kind, one, (x, y))

  @parameterized.product(name=FITS, part=('training', 'validation'))
  def test_a_label_that_cannot_be_learnt_is_constant_and_noted(
    self, name, part
  ):
    train, valid = rows(types.MULTILABEL), rows(types.MULTILABEL, seed=1)
    plain = fit(name, types.MULTILABEL, train, valid)
    self.assertEqual(plain.notes, ())
    x, y = train if part == 'training' else valid
    y = y.copy()
    y[:, 1] = 0 if part == 'training' else np.nan
    if part == 'training':
      train = (x, y)
    else:
      valid = (x, y)
    fitted = fit(name, types.MULTILABEL, train, valid)
    self.assertLen(fitted.notes, 1)
    self.assertRegex(fitted.notes[0], f"The {part} part .*'b'.*is constant")
    logits = fitted.logits(x)
    constant = links.constant_logits(TASKS[types.MULTILABEL], train[1])[1]
    np.testing.assert_allclose(logits[:, 1], constant)
    np.testing.assert_array_equal(logits[:, 0], plain.logits(x)[:, 0])

  @parameterized.product(name=FITS, part=('training', 'validation'))
  def test_no_label_and_no_event_are_one_clear_line(self, name, part):
    for kind, message in (
      (types.REGRESSION, f"{part} part has no study with a known label 'y'"),
      (types.SURVIVAL, f"{part} part has no event in 'e'"),
    ):
      x, y = rows(kind)
      bad = (x, y * [1, 0] if kind == types.SURVIVAL else y * np.nan)
      train, valid = ((x, y), bad) if part == 'validation' else (bad, (x, y))
      with self.assertRaisesRegex(errors.UserError, message):
        fit(name, kind, train, valid)

  @parameterized.parameters(*FITS)
  def test_another_number_of_columns_is_refused(self, name):
    part = rows(types.BINARY)
    fitted = fit(name, types.BINARY, part, part)
    with self.assertRaisesRegex(errors.UserError, 'has 4 columns.*on 5'):
      fitted.logits(part[0][:, :4])


class ElasticNetTest(parameterized.TestCase):
  @parameterized.parameters(*types.TASK_KINDS)
  def test_units_and_constant_columns_do_not_matter(self, kind):
    train, valid = rows(kind), rows(kind, seed=1)
    plain = fit('elastic_net', kind, train, valid)

    def changed(x):
      scaled = x * [1e-6, 1e6, 1, 3, 0.2] + [0, 5, 0, -1e3, 0]
      return np.concatenate([scaled, np.full((len(x), 2), 0.1)], axis=1)

    other = fit(
      'elastic_net',
      kind,
      (changed(train[0]), train[1]),
      (changed(valid[0]), valid[1]),
    )
    self.assertFalse(other.coefficients[5:].any())
    np.testing.assert_allclose(
      other.logits(changed(valid[0])),
      plain.logits(valid[0]),
      rtol=1e-5,
      atol=1e-5,
    )

  def test_the_chosen_penalty_has_the_lowest_validation_loss(self):
    train, valid = rows(types.BINARY, n=80), rows(types.BINARY, n=80, seed=1)
    fitted = fit('elastic_net', types.BINARY, train, valid)
    # The same penalty is chosen wherever the training loss would end.
    over = fit('elastic_net', types.BINARY, train, train)
    self.assertLess(over.penalties[0], fitted.penalties[0])
    task = TASKS[types.BINARY]
    self.assertLess(
      links.mean_loss(task, fitted.logits(valid[0]), valid[1]),
      links.mean_loss(task, over.logits(valid[0]), valid[1]),
    )

  def test_wide_constant_and_separable_tables_warn_of_nothing(self):
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(30, 80))
    y = (wide[:, :1] > 0).astype(np.float64)
    with warnings.catch_warnings():
      warnings.simplefilter('error')
      for x in (wide, y * 2 - 1, np.ones((30, 2)), np.zeros((30, 0))):
        fitted = fit('elastic_net', types.BINARY, (x, y), (x, y))
        self.assertTrue(np.isfinite(fitted.logits(x)).all())
    self.assertFalse(fitted.coefficients.any())
    np.testing.assert_allclose(fitted.scores(x), y.mean(), atol=1e-5)
    self.assertRegex(fitted.notes[0], 'constant')

  def test_multilabel_is_one_binary_net_per_label(self):
    train, valid = rows(types.MULTILABEL), rows(types.MULTILABEL, seed=1)
    both = fit('elastic_net', types.MULTILABEL, train, valid)
    for k in range(2):
      one = fit(
        'elastic_net',
        types.BINARY,
        (train[0], train[1][:, [k]]),
        (valid[0], valid[1][:, [k]]),
      )
      np.testing.assert_array_equal(
        both.coefficients[:, k], one.coefficients[:, 0]
      )
      self.assertEqual(both.penalties[k], one.penalties[0])

  def test_a_constant_target_is_predicted(self):
    x, y = rows(types.REGRESSION)
    fitted = fit('elastic_net', types.REGRESSION, (x, y * 0 + 7), (x, y))
    np.testing.assert_allclose(fitted.logits(x), 7)

  def test_ratio_outside_its_range(self):
    part = rows(types.BINARY)
    with self.assertRaisesRegex(errors.UserError, r'l1_ratio is 2'):
      fit('elastic_net', types.BINARY, part, part, l1_ratio=2)


class TreesTest(absltest.TestCase):
  def test_finds_an_interaction_that_a_linear_model_cannot(self):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 2))
    y = (x[:, :1] * x[:, 1:] > 0).astype(np.float64)
    train, valid, test = ((x[i::3], y[i::3]) for i in range(3))
    auroc = {
      name: metrics.roc_auc_score(
        test[1], fit(name, types.BINARY, train, valid).logits(test[0])
      )
      for name in FITS
    }
    self.assertGreater(auroc['trees'], 0.9)
    self.assertLess(abs(auroc['elastic_net'] - 0.5), 0.1)

  def test_columns_of_a_split_are_drawn(self):
    train, valid = rows(types.BINARY), rows(types.BINARY, seed=1)
    train = tuple(part[~np.isnan(train[1][:, 0])] for part in train)
    columns = train[0].shape[1]
    for share, expected in ((0.0, columns**-0.5), (0.7, 0.7), (1.0, 1.0)):
      fitted = fit('trees', types.BINARY, train, valid, column_share=share)
      reference = ensemble.HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_leaf_nodes=6,
        l2_regularization=1.0,
        max_features=expected,
        min_samples_leaf=len(train[0]) // 10,
        max_iter=fitted.parts[0].rounds,
        early_stopping=False,
        random_state=0,
      ).fit(train[0], train[1][:, 0])
      np.testing.assert_allclose(
        fitted.logits(train[0])[:, 0],
        reference.decision_function(train[0]),
        rtol=1e-6,
        atol=1e-6,
      )

  def test_takes_missing_values_and_codes(self):
    rng = np.random.default_rng(0)
    for kind in (types.BINARY, types.SURVIVAL):
      codes = rng.integers(0, 6, 600).astype(np.float64)
      signal = np.where(np.isin(codes, [1, 4]), 2.0, -2.0)
      missing = rng.random(600) < 0.3
      signal[missing] = 2.0  # being missing is as telling as a level
      x = np.where(missing, np.nan, codes)[:, None]
      if kind == types.BINARY:
        y = (signal + rng.logistic(size=600) > 0)[:, None] * 1.0
      else:
        time = rng.exponential(size=600) * np.exp(-signal)
        y = np.stack([time, np.ones(600)], axis=1)
      fitted = fit(
        'trees',
        kind,
        (x[:400], y[:400]),
        (x[400:], y[400:]),
        is_categorical=np.array([True]),
        learning_rate=0.5,
      )
      # One more code than training saw is like a missing value.
      values = np.array([[1.0], [4], [np.nan], [0], [2], [9]])
      high, low = fitted.logits(values)[:3], fitted.logits(values)[3:5]
      self.assertGreater(high.min(), low.max() + 1)
      self.assertTrue(np.isfinite(fitted.logits(values)).all())


if __name__ == '__main__':
  absltest.main()
