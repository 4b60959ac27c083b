import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import config, kind
from fusion_jax.data import modality as modality_lib
from fusion_jax.data.kinds import series

KIND = series.Series()
CONFIG = config.PreprocessConfig(series_codes=2)


def make(rows, n=3, codes=('hr', 'na', 'visit'), length=4):
  """Rows of (study, hours before, code, value)."""
  study, time, code, value = (np.array(x) for x in zip(*rows, strict=True))
  data = series.Data.of_rows(
    study, -time.astype(float), code, value, n=n, codes=codes, length=length
  )
  return modality_lib.Modality.of('series', modality_lib.RECORD, data)


ROWS = [
  (0, 30.0, 0, 80.0),
  (0, 6.0, 0, 92.0),
  (0, 18.0, 0, 86.0),
  (0, 5.0, 2, np.nan),
  (2, 10.0, 1, 140.0),
  (2, 40.0, 0, 70.0),
]


class StatisticsTest(absltest.TestCase):
  def test_by_hand(self):
    shown = make(ROWS)
    rows = np.arange(3)
    fitted = KIND.fit(shown, rows, config.PreprocessConfig())
    reduction = KIND.fit_reduction(shown, rows, config.PreprocessConfig())
    found = KIND.columns(fitted, reduction, shown, kind.TREES)
    values = dict(zip(found.names, found.x[0], strict=True))
    self.assertEqual(values['hr last'], 92)
    self.assertEqual(values['hr mean'], 86)
    self.assertEqual((values['hr min'], values['hr max']), (80, 92))
    # 12 beats in 24 hours.
    self.assertAlmostEqual(values['hr slope'], 12, places=4)
    self.assertEqual(values['hr count'], 3)
    self.assertEqual(values['hr hours since'], 6)
    self.assertEqual(values['visit count'], 1)
    self.assertEqual(values['na count'], 0)
    self.assertTrue(np.isnan(values['na last']))
    # An event never has a value: a column without any is 0 throughout.
    self.assertEqual(values['visit last'], 0)
    # A study without any row has nothing, not a count of 0.
    none = dict(zip(found.names, found.x[1], strict=True))
    self.assertTrue(np.isnan([none['hr last'], none['hr count']]).all())
    other = dict(zip(found.names, found.x[2], strict=True))
    self.assertEqual((other['hr slope'], other['hr count']), (0, 1))

  def test_equals_numpy_study_by_study(self):
    rng = np.random.default_rng(0)
    n, t = 30, 600
    rows = list(
      zip(
        rng.integers(0, n, t),
        rng.uniform(0.1, 48, t),
        rng.integers(0, 3, t),
        rng.normal(size=t),
        strict=True,
      )
    )
    shown = make(rows, n=n)
    everyone = np.arange(n)
    fitted = KIND.fit(shown, everyone, config.PreprocessConfig())
    reduction = KIND.fit_reduction(shown, everyone, config.PreprocessConfig())
    found = KIND.columns(fitted, reduction, shown, kind.TREES)
    at = {name: j for j, name in enumerate(found.names)}
    for study in range(n):
      for c, code in enumerate(('hr', 'na', 'visit')):
        mine = sorted((-h, v) for s, h, k, v in rows if (s, k) == (study, c))
        if len(mine) < 2:
          continue
        time, value = np.array(mine).T
        want = {
          'last': value[-1],
          'mean': value.mean(),
          'min': value.min(),
          'max': value.max(),
          'slope': 24 * np.polyfit(time, value, 1)[0],
          'count': len(value),
          'hours since': -time[-1],
        }
        for what, x in want.items():
          np.testing.assert_allclose(
            found.x[study, at[f'{code} {what}']], x, rtol=2e-3, atol=1e-4
          )


class FitTest(absltest.TestCase):
  def test_the_most_frequent_codes_are_known(self):
    shown = make(ROWS)
    fitted = KIND.fit(shown, np.arange(3), CONFIG)
    self.assertEqual(fitted.codes, ('hr', 'na'))
    self.assertEqual(KIND.given(fitted), {'num_codes': 4})
    flat = KIND.derived(fitted, shown.data)['rows'].flat
    self.assertEqual(
      flat['code'].tolist(),
      # In order of study and time; 'visit' is not known.
      [2, 2, 2, series.OTHER, 2, 3],
    )
    self.assertEqual(flat['valued'].tolist(), [1, 1, 1, 0, 1, 1])

  def test_codes_are_found_by_name_in_another_cohort(self):
    fitted = KIND.fit(make(ROWS), np.arange(3), CONFIG)
    other = make([(0, 1.0, 0, 140.0)], n=1, codes=('na', 'hr'))
    flat = KIND.derived(fitted, other.data)['rows'].flat
    self.assertEqual(flat['code'].tolist(), [3])

  def test_a_series_without_rows(self):
    none = np.zeros(0)
    data = series.Data.of_rows(none, none, none, none, n=2, codes=('a',))
    shown = modality_lib.Modality.of('series', 'record', data)
    fitted = KIND.fit(shown, np.arange(2), CONFIG)
    self.assertEqual(fitted.codes, ())
    rows = KIND.derived(fitted, data)['rows'].rows(np.arange(2))
    self.assertFalse(rows['mask'].any())


class DataTest(parameterized.TestCase):
  def test_the_order_of_rows_is_no_content(self):
    a, b = make(ROWS), make(ROWS[::-1])
    self.assertEqual(a.data.digest(), b.data.digest())

  @parameterized.parameters(0.0, 3.0, np.nan)
  def test_what_is_not_before_the_prediction_is_refused(self, late):
    data = make(ROWS).data
    time = data.time.copy()
    time[2] = late
    with self.assertRaisesRegex(errors.UserError, '1 rows are at or after'):
      dataclasses.replace(data, time=time).check('vitals', 3)


if __name__ == '__main__':
  absltest.main()
