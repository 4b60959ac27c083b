"""Tests of which columns a draft proposes as features."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import draft_features
from tests.data import drafts

N = 40


class DraftFeaturesTest(parameterized.TestCase):
  def _propose(self, target=None, **columns):
    made = drafts.draft(**{k: list(v) for k, v in columns.items()})
    draft_features.propose(made, target)
    return drafts.keys(made), made.left

  @parameterized.parameters(
    ([f'3{i},{i % 7}' for i in range(10)], 'decimal', '{"x" = ","}'),
    ([f'0{i + 10}Y' for i in range(10)], 'units', '{"x" = "Y"}'),
    ([f'{i + 30} mmHg' for i in range(10)], 'units', '{"x" = "mmHg"}'),
    (['<0.5', *map(str, range(9))], 'bounds', '["x"]'),
  )
  def test_numbers_in_other_writing(self, cells, key, value):
    found, _ = self._propose(x=cells * 4)
    self.assertEqual(found['numeric'], '["x"]')
    self.assertEqual(found[key], value)

  def test_bounds_with_decimal_commas(self):
    found, _ = self._propose(x=['<0,5', *(f'{i},5' for i in range(9))] * 4)
    self.assertEqual(found['bounds'], '["x"]')
    self.assertEqual(found['decimal'], '{"x" = ","}')

  @parameterized.parameters(
    ('x', [f'2020-01-{i + 10}' for i in range(20)], 'look like ISO dates'),
    ('x', [f'{i + 1}.12.2020' for i in range(20)], 'day.month.year'),
    ('x', [f'202001{i + 10}' for i in range(20)], 'written YYYYMMDD'),
    ('x', ['2020-01-02', '2019'] * 10, 'years among dates'),
    ('x', ['2020-01-02', '43831'] * 10, 'Excel serial dates'),
    ('admission_date', [f'438{i + 10}' for i in range(20)], 'Excel serial'),
    ('x', [f'1,{i + 100}' for i in range(20)], 'thousands'),
    ('doi', ['10.1/a', '10.1/b'] * 10, 'LOOK AT THIS: how the data'),
    ('licence', ['a', 'b'] * 10, 'LOOK AT THIS: how the data'),
    ('in_icu', ['Y', 'N'] * 10, 'LOOK AT THIS: made after the prediction?'),
    ('died', ['1', '0'] * 10, 'LOOK AT THIS: made after the prediction?'),
    ('lesion_id', ['1', '2'] * 10, 'looks like an id'),
    ('column 1', [str(i) for i in range(20)], 'numbers the rows'),
  )
  def test_what_is_left_out_says_what_is_seen(self, name, cells, reason):
    _, left = self._propose(**{name: cells})
    self.assertIn(reason, left[name])

  def test_ticks(self):
    found, left = self._propose(
      fever=['X', '', '', 'x'] * 10,
      cough=['yes', '', '', ''] * 10,
      other=['something', '', '', ''] * 10,
    )
    # Two spellings of one tick are no single value.
    self.assertEqual(found['boolean'], '["cough"]')
    self.assertEqual(found['blank_false'], '["cough"]')
    self.assertIn("every value is 'something'", left['other'])

  def test_a_tick_is_no_missing_value(self):
    target = np.arange(N) % 2.0
    noisy = ['X' if (i % 2 and i % 10 < 8) or i == 2 else '' for i in range(N)]
    found, left = self._propose(target, fever=noisy)
    self.assertEqual(found['blank_false'], '["fever"]')
    self.assertEmpty(left)

  def test_codes_among_numbers(self):
    cells = [str(60 + i % 30) for i in range(60)] + ['-1'] * 5
    found, _ = self._propose(
      height=cells, sex=(['f', 'm', 'unknown'] * 22)[:65]
    )
    self.assertEqual(
      found['unknown_codes'], '{"*" = ["unknown"], "height" = ["-1"]}'
    )


if __name__ == '__main__':
  absltest.main()
