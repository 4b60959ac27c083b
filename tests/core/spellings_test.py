"""Tests of fusion_jax.core.spellings."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import spellings


def column(*cells):
  return np.array([*cells, 0], object)[:-1]


class UnifyTest(parameterized.TestCase):
  @parameterized.parameters(
    (('1.0', '2', None), ('1', '2', None)),
    (('-9.0', '0.0'), ('-9', '0')),
    (('12345678901234567890.0', '1'), ('12345678901234567890', '1')),
    (('True', 'FALSE', None), ('true', 'false', None)),
    # A cell that is no plain number means codes, or measured values.
    (('042', '42', '1.0'), ('042', '42', '1.0')),
    (('250.0', '250.00'), ('250.0', '250.00')),
    (('1e5', '100000.0'), ('1e5', '100000.0')),
    (('E11.9', '1.0'), ('E11.9', '1.0')),
    (('1.0', '0.5'), ('1.0', '0.5')),
    (('True', '1.0'), ('True', '1.0')),
    (('1.0', '\u0661.0'), ('1.0', '\u0661.0')),
    ((None, None), (None, None)),
  )
  def test_a_column_has_one_spelling(self, cells, expected):
    found = spellings.unify(column(*cells))
    self.assertEqual(found.tolist(), list(expected))

  def test_declared_codes_are_no_part_of_it(self):
    cells = column('1.0', 'UNK', '-9.00', None)
    found = spellings.unify(cells, codes=('UNK', '-9'))
    self.assertEqual(found.tolist(), ['1', 'UNK', '-9.00', None])
    self.assertEqual(spellings.unify(cells).tolist(), cells.tolist())

  def test_identifiers_never_become_one(self):
    cells = column('101', '101.0', '102.0')
    found = spellings.unify_identifiers(cells)
    self.assertEqual(found.tolist(), cells.tolist())
    self.assertEqual(
      spellings.unify_identifiers(cells[1:]).tolist(), ['101', '102']
    )


class MatchTest(parameterized.TestCase):
  @parameterized.parameters(
    (('1', '0'), ('1.0', '0.5'), {'1': '1.0'}),
    (('true',), ('True', 'False'), {'true': 'True'}),
    (('042', '42'), ('042', '42'), {'042': '042', '42': '42'}),
    (('042',), ('042', '42'), {'042': '042'}),
    (('42',), ('042', '43'), {'42': '042'}),
    (('250.0', '250.00'), ('250.0',), {'250.0': '250.0'}),
    (('250.0', '250.00'), ('250',), {}),
    (('250',), ('250.0', '250.00'), {}),
    (('', 'x'), ('', 'y'), {'': ''}),
    (('nan', '1_0'), ('NaN', '10'), {}),
    # Two numbers that no float tells apart.
    (('12345678901234567',), ('12345678901234568',), {}),
  )
  def test_the_cell_a_value_stands_for(self, values, cells, expected):
    self.assertEqual(spellings.match(values, cells), expected)

  @parameterized.parameters('1', '1.0', 'YES', 'True', 't')
  def test_truths(self, text):
    true = spellings.truths(spellings.TRUE_VALUES)
    false = spellings.truths(spellings.FALSE_VALUES)
    self.assertIn(spellings.truth(text), true)
    self.assertNotIn(spellings.truth(text), false)


if __name__ == '__main__':
  absltest.main()
