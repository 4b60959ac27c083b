"""Tests of keys that hold tables."""

import tomllib

from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import keys


class KeysTest(parameterized.TestCase):
  def test_exclusions(self):
    found = keys.exclusions(
      [
        {'column': 'dx', 'values': 'a', 'reason': 'r'},
        {'column': 'age', 'below': 18, 'above': 90.5, 'reason': 'adults'},
      ],
      'c.toml',
    )
    self.assertEqual(found[0], keys.Exclusion('dx', 'r', ('a',)))
    self.assertEqual((found[1].below, found[1].above), (18.0, 90.5))
    self.assertEqual(found[0].rule, 'dx = a')
    self.assertEqual(found[1].rule, 'age < 18 or age > 90.5')

  @parameterized.parameters(
    ({'column': 'a', 'reason': 'r'},),
    ({'column': 'a', 'values': ['1'], 'below': 3, 'reason': 'r'},),
    ({'column': 'a', 'below': '3', 'reason': 'r'},),
    ({'column': 'a', 'below': True, 'reason': 'r'},),
    ({'column': 'a', 'below': float('nan'), 'reason': 'r'},),
    ({'column': 'a', 'below': 3, 'reason': 3},),
    ({'below': 3, 'reason': 'r'},),
  )
  def test_illegal_exclusions(self, entry):
    with self.assertRaisesRegex(errors.UserError, 'exclude must be'):
      keys.exclusions([entry], 'c.toml')

  def test_ranges_codes_decimals_and_units(self):
    self.assertEqual(
      keys.plausible({'spo2': [0, 100]}, ''), {'spo2': (0.0, 100.0)}
    )
    self.assertEqual(keys.codes(['UNK', 9], ''), {'*': ('UNK', '9')})
    self.assertEqual(keys.codes({'sex': 'U'}, ''), {'sex': ('U',)})
    self.assertEqual(keys.decimals(',', ''), {'*': ','})
    self.assertEqual(keys.decimals({'a': ','}, ''), {'a': ','})
    self.assertEqual(keys.units({'a': ' mmHg '}, ''), {'a': 'mmHg'})

  @parameterized.parameters(
    (keys.plausible, [0, 100]),
    (keys.plausible, {'a': [100, 0]}),
    (keys.plausible, {'a': [0, '1']}),
    (keys.plausible, {'a': [0]}),
    (keys.codes, {'a': [{}]}),
    (keys.codes, ['']),
    (keys.decimals, ';'),
    (keys.decimals, 3),
    (keys.units, 'C'),
    (keys.units, {'a': ''}),
    (keys.units, {'a': 3}),
    (keys.units, {'a': ',5'}),
  )
  def test_illegal_values_name_the_file(self, read, value):
    with self.assertRaisesRegex(errors.UserError, "'c.toml'.*must"):
      read(value, 'c.toml')

  @parameterized.parameters(
    ('crp', 'crp'),
    ('a-b_2', 'a-b_2'),
    ('BP (mean)', '"BP (mean)"'),
    ('gr\u00f6\u00dfe', '"gr\u00f6\u00dfe"'),
    ('a"b', '"a\\"b"'),
  )
  def test_a_column_as_a_key(self, column, key):
    self.assertEqual(keys.of_column(column), key)
    self.assertEqual(tomllib.loads(f'{key} = 1'), {column: 1})


if __name__ == '__main__':
  absltest.main()
