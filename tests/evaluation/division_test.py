"""Tests of how folds may divide studies."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.evaluation import division


def _faults(tests, valid=()):
  """Of (repeat, fold, studies) test and validation parts."""
  rows = [(r, f, s, True) for r, f, studies in tests for s in studies]
  rows += [(r, f, s, False) for r, f, studies in valid for s in studies]
  repeat, fold, study, test = map(np.array, zip(*rows, strict=True))
  return list(
    division.faults(
      np.array(list('abcdefgh')),
      study=np.array(['abcdefgh'.index(s) for s in study]),
      repeat=repeat,
      fold=fold,
      test=test,
      valid=~test,
    )
  )


class FaultsTest(parameterized.TestCase):
  @parameterized.named_parameters(
    ('cross validation', [(0, 0, 'ab'), (0, 1, 'cd')]),
    ('repeats', [(0, 0, 'ab'), (1, 0, 'bc'), (1, 1, 'ad')]),
    ('another cohort', [(0, 3, 'abc'), (0, 7, 'abc'), (2, 3, 'abc')]),
    ('held out', [(0, 0, 'abc')]),
    ('in time', [(0, 0, 'cd'), (0, 1, 'ef')]),
  )
  def test_legal(self, tests):
    self.assertEmpty(_faults(tests))
    # The rest of a fold may be validated on, as may other folds' test parts.
    valid = [(r, f, set('abcdefgh') - set(x)) for r, f, x in tests]
    self.assertEmpty(_faults(tests, valid))

  @parameterized.named_parameters(
    (
      'some in several folds',
      [(0, 0, 'ab'), (0, 1, 'bc'), (0, 2, 'd')],
      "in repeat 0, study 'b' is tested in folds 0, 1, but study 'd' is tested "
      'in fold 2;',
    ),
    (
      'one in all folds',
      [(4, 1, 'ab'), (4, 2, 'bc')],
      "in repeat 4, study 'b' is tested in folds 1, 2, but study 'a' is tested "
      'in fold 1;',
    ),
    (
      'in the second repeat',
      [(0, 0, 'ab'), (0, 1, 'cd'), (1, 0, 'ab'), (1, 1, 'ac')],
      "in repeat 1, study 'a' is tested in folds 0, 1, but study 'b' is tested "
      'in fold 0;',
    ),
    (
      'many folds',
      [(0, k, 'a') for k in range(9)] + [(0, 9, 'b')],
      "study 'a' is tested in folds 0, 1, 2, 3, 4, 5, ..., but study 'b'",
    ),
  )
  def test_overlap(self, tests, text):
    (line,) = _faults(tests)
    self.assertIn(text, line)

  def test_validation_and_test_part(self):
    parts = [(0, 0, 'ab'), (0, 2, 'cd')]
    (line,) = _faults(parts, [(0, 0, 'cd'), (0, 2, 'ad')])
    self.assertStartsWith(
      line,
      "study 'd' is in part 'valid' and in part 'test' of repeat 0, fold 2 "
      '(1 study is);',
    )

  def test_rows_of_several_models_count_once(self):
    parts = [(0, 0, 'abab'), (0, 1, 'cdcd')]
    self.assertEmpty(_faults(parts))


if __name__ == '__main__':
  absltest.main()
