import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import config, kind
from fusion_jax.data import modality as modality_lib
from fusion_jax.data.kinds import table as table_kind

SMALL = config.PreprocessConfig(max_levels=8)
KIND = kind.get('table')


def table(numeric=None, categorical=None):
  """A modality of the given columns."""
  numeric, categorical = numeric or {}, categorical or {}
  n = len(next(iter({**numeric, **categorical}.values()), ()))
  text = np.empty((n, len(categorical)), object)
  for j, values in enumerate(categorical.values()):
    text[:, j] = values
  data = table_kind.Data(
    np.array(list(numeric.values()), float).reshape(-1, n).T,
    tuple(numeric),
    text,
    tuple(categorical),
  )
  return modality_lib.Modality.of('table', 'record', data)


class Fit:
  """What is fitted, applied to other tables."""

  def __init__(self, shown, rows=None, **changes):
    rows = np.arange(len(shown)) if rows is None else rows
    config_ = dataclasses.replace(SMALL, **changes)
    self.fitted = KIND.fit(shown, rows, config_)

  def inputs(self, shown):
    return KIND.inputs(
      KIND.constants(self.fitted), KIND.derived(self.fitted, shown.data)
    )

  def design(self, shown):
    found = KIND.columns(self.fitted, None, shown, kind.LINEAR)
    return found.x, found.names

  def trees(self, shown):
    found = KIND.columns(self.fitted, None, shown, kind.TREES)
    return found.x, found.is_categorical


fit = Fit


class InputsTest(parameterized.TestCase):
  def test_standardises_and_marks_missing(self):
    cohort = table({'a': [1, 2, 3, np.nan], 'b': [0, 0, 1, 1]})
    out = fit(cohort).inputs(cohort)
    a = out['numeric'][:, 0]
    np.testing.assert_allclose(a, np.array([-1, 0, 1, 0]) * 1.5**0.5, rtol=1e-6)
    np.testing.assert_array_equal(out['observed'][:, 0], [1, 1, 1, 0])
    np.testing.assert_array_equal(out['observed'][:, 1], 1)
    self.assertEqual(out['numeric'].dtype, np.float32)
    self.assertEqual(out['categorical'].shape, (4, 0))

  def test_pieces_tell_where_among_the_training_values_a_number_is(self):
    shown = table({'a': [*np.arange(33.0), np.nan]})
    fitted = fit(shown)
    other = table({'a': [-9, 0, 1, 16, 17, 32, 99, np.nan]})
    pieces = np.asarray(fitted.inputs(other)['pieces'])[:, 0]
    self.assertEqual(pieces.shape, (8, table_kind.PIECES))
    # 16 parts of two steps each.
    np.testing.assert_allclose(
      pieces.sum(axis=1), [0, 0, 0.5, 8, 8.5, 16, 16, 0], atol=1e-4
    )
    np.testing.assert_allclose(pieces[4, 7:10], [1, 0.5, 0], atol=1e-4)

  def test_ties_are_passed_in_one_step(self):
    shown = table({'a': [0.0] * 30 + [1.0] * 30, 'b': [7.0] * 60})
    pieces = np.asarray(fit(shown).inputs(shown)['pieces'])
    self.assertTrue(np.isfinite(pieces).all())
    low, high = pieces[0, 0], pieces[-1, 0]
    self.assertGreater(np.abs(high - low).max(), 0.9)
    np.testing.assert_array_equal(pieces[:, 1], pieces[:1, 1].repeat(60, 0))

  def test_pieces_are_those_of_the_training_part(self):
    values = np.random.default_rng(0).normal(size=40)
    train = np.arange(20)
    one = fit(table({'a': values}), train)
    two = fit(table({'a': np.where(np.arange(40) < 20, values, 9.0)}), train)
    np.testing.assert_array_equal(one.fitted.edges, two.fitted.edges)

  def test_an_outlier_does_not_flatten_the_rest(self):
    values = [*range(50), 1e9]
    out = fit(table({'a': values})).inputs(table({'a': values}))['numeric'][
      :, 0
    ]
    self.assertGreater(out[:50].std(), 0.5)
    self.assertLessEqual(abs(out).max(), table_kind.CLIP)

  @parameterized.parameters(1, -1)
  def test_long_tails_are_read_as_logs(self, side):
    z = np.random.default_rng(0).standard_normal(400)
    cohort = table({'lab': side * np.exp(1.2 * z), 'even': z})
    fitted = fit(cohort)
    np.testing.assert_array_equal(fitted.fitted.bend, [side, 0])
    out = fitted.inputs(cohort)['numeric']
    self.assertGreater(np.corrcoef(out[:, 0], side * z)[0, 1], 0.93)
    np.testing.assert_allclose(out.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(out.std(0), 1, atol=0.01)
    # Beyond the training range, and in order.
    new = np.array([-1e6, -1.0, 0.0, 1.0, 1e6])
    out = fitted.inputs(table({'lab': new, 'even': new}))['numeric']
    self.assertTrue((np.diff(out, axis=0) >= 0).all())
    self.assertTrue(np.isfinite(out).all())

  def test_codes_by_frequency_then_name(self):
    train = table({}, {'c': ['b', 'b', 'b', 'a', 'a', 'd', 'd', 'once', None]})
    fitted = fit(train)
    new = table({}, {'c': ['b', 'a', 'd', 'once', 'never', None]})
    codes = fitted.inputs(new)['categorical'][:, 0]
    np.testing.assert_array_equal(codes, [2, 3, 4, 1, 1, 0])

  @parameterized.parameters(
    (['1.0', '2.0', None, '7.0'], [3, 2, 0, 1], {'1.0': '1', '2.0': '2'}),
    (['1', '1.0', '2'], [3, 1, 2], {'1': '1', '2': '2'}),
    (['01', '001', '2'], [1, 1, 2], {'2': '2'}),
  )
  def test_a_level_is_found_by_its_number(self, cells, codes, levels):
    fitted = fit(table(categorical={'c': [*'11222', '042', '42'] * 5}))
    new = table(categorical={'c': cells})
    (found,) = KIND.levels(fitted.fitted, new)
    self.assertEqual(found.taken_for, levels)
    self.assertEqual(fitted.inputs(new)['categorical'][:, 0].tolist(), codes)

  def test_codes_that_look_like_numbers_are_levels_of_their_own(self):
    cells = ['250.0', '250.00', '042', '42'] * 10
    cohort = table(categorical={'c': cells})
    codes = fit(cohort).inputs(cohort)['categorical'][:, 0]
    self.assertLen(set(codes.tolist()), 4)

  def test_codes_stay_below_max_levels(self):
    values = [f'level{i // 2}' for i in range(60)]
    cohort = table({}, {'c': values})
    codes = fit(cohort).inputs(cohort)['categorical']
    self.assertEqual(codes.max(), SMALL.max_levels - 1)

  @parameterized.named_parameters(
    ('all_missing', {'a': [np.nan] * 6}, {'c': [None] * 6}),
    ('constant', {'a': [0.1] * 6}, {'c': ['x'] * 6}),
    ('infinite', {'a': [np.inf] * 6}, {'c': ['x'] * 6}),
    ('no_numeric', {}, {'c': ['x', 'y'] * 3}),
    ('no_categorical', {'a': [1, 2] * 3}, {}),
  )
  def test_odd_columns_give_finite_inputs(self, numeric, categorical):
    train = table(numeric, categorical)
    fitted = fit(train)
    filled = table(
      {k: [1.0, np.nan, 2.0] for k in numeric},
      {k: ['x', None, 'z'] for k in categorical},
    )
    for cohort in (train, filled):
      n = len(cohort)
      for x in fitted.inputs(cohort).values():
        self.assertLen(x, n)
        self.assertTrue(np.isfinite(x).all())
      x, names = fitted.design(cohort)
      self.assertEqual(x.shape, (n, len(names)))
      self.assertTrue(np.isfinite(x).all())
      x, kinds = fitted.trees(cohort)
      self.assertEqual(x.shape, (n, len(kinds)))
      self.assertFalse(np.isinf(x).any())

  def test_a_column_without_training_values_stays_missing(self):
    fitted = fit(table({'a': [np.nan] * 4}, {'c': [None] * 4}))
    out = fitted.inputs(table({'a': [5.0]}, {'c': ['x']}))
    self.assertEqual(out['observed'][0, 0], 0)
    self.assertEqual(out['numeric'][0, 0], 0)


class DesignTest(absltest.TestCase):
  def test_columns_and_names(self):
    cohort = table(
      {'a': [1, 2, 3, np.nan], 'b': [5, 5, 5, 5]},
      {'c': ['x', 'x', 'y', 'y'], 'd': ['v', None, 'v', 'v']},
    )
    x, names = fit(cohort).design(cohort)
    self.assertEqual(
      names,
      ('a', 'a missing', 'c = x', 'c = y', 'd = missing', 'd = v'),
    )
    np.testing.assert_array_equal(x[:, 1], [0, 0, 0, 1])
    np.testing.assert_array_equal(x[:, 2], [1, 1, 0, 0])
    np.testing.assert_array_equal(x[:, 4], [0, 1, 0, 0])
    self.assertEqual(x[3, 0], 0.0)

  def test_rare_levels_are_other(self):
    cohort = table({}, {'c': ['x', 'x', 'y', 'z', 'w', 'w']})
    x, names = fit(cohort).design(cohort)
    self.assertEqual(names, ('c = other', 'c = w', 'c = x'))
    np.testing.assert_array_equal(x[:, 0], [0, 0, 1, 1, 0, 0])


class TreesTest(absltest.TestCase):
  def test_missing_is_nan_and_values_are_as_given(self):
    cohort = table({'a': [1, 200, 3, np.nan]}, {'c': ['x', 'x', None, 'new']})
    x, kinds = fit(cohort).trees(cohort)
    np.testing.assert_array_equal(x[:, 0], [1, 200, 3, np.nan])
    np.testing.assert_array_equal(x[:, 1], [2, 2, np.nan, 1])
    np.testing.assert_array_equal(kinds, [False, True])


class OtherTableTest(absltest.TestCase):
  def test_columns_are_found_by_name(self):
    fitted = fit(table({'a': [1, 2, 3, 4], 'b': [4, 6, 8, 9]}))
    same = table({'b': [4.0], 'extra': [0.0], 'a': [1.0]}, {'c': ['x']})
    out = fitted.inputs(same)['numeric']
    want = fitted.inputs(table({'a': [1.0], 'b': [4.0]}))['numeric']
    np.testing.assert_array_equal(out, want)

  def test_names_the_column_that_is_lacking(self):
    fitted = fit(table({'a': [1, 2, 3]}, {'c': ['x', 'x', 'y']}))
    with self.assertRaisesRegex(errors.UserError, "numeric column 'a'"):
      fitted.inputs(table({'b': [1.0]}, {'c': ['x']}))
    with self.assertRaisesRegex(errors.UserError, 'another type'):
      fitted.design(table({'a': [1.0], 'c': [2.0]}))


class PresenceTest(absltest.TestCase):
  def test_a_table_that_is_not_shown_is_all_missing(self):
    shown = table({'a': [1.0, 2, 3]}, {'c': ['x', 'x', 'y']})
    hidden = shown.without(np.array([False, True, False]))
    np.testing.assert_array_equal(
      table_kind.numeric(hidden)[:, 0], [1, np.nan, 3]
    )
    self.assertEqual(
      table_kind.categorical(hidden)[:, 0].tolist(), ['x', None, 'y']
    )
    missing = KIND.missing(hidden)
    np.testing.assert_array_equal(missing['a is missing'], [0, 1, 0])

  def test_wrong_shapes_are_named(self):
    data = table({'a': [1.0, 2, 3]}).data
    wrong = dataclasses.replace(data, numeric_names=('a', 'b'))
    with self.assertRaisesRegex(errors.UserError, "'labs': columns of shape"):
      wrong.check('labs', 3)

  def test_noise_keeps_each_columns_values(self):
    rng = np.random.default_rng(0)
    shown = table({'a': rng.normal(size=60), 'b': np.arange(60.0)})
    data = KIND.noise(shown, np.arange(40, 60), np.arange(40), rng)
    self.assertLen(data, 20)
    for j in range(2):
      self.assertContainsSubset(
        data.numeric[:, j].tolist(), shown.data.numeric[:40, j].tolist()
      )


if __name__ == '__main__':
  absltest.main()
