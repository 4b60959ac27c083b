"""Tests of fusion_jax.core.identifiers."""

from absl.testing import absltest, parameterized

from fusion_jax.core import identifiers


class IdentifiersTest(parameterized.TestCase):
  @parameterized.parameters(
    ('101', '101.0', '00101', ' 101 ', '101\u200b', '\uff11\uff10\uff11'),
    ('P7', 'p7', 'P 7', 'P007', 'p7.0', 'P\xa07'),
    ('Jos\xe9', 'Jose\u0301', 'JOS\xc9 '),
    ('a b', 'ab', 'A  B'),
    ('1 11', '1  11'),
    ('north/7', 'North/07', 'north /7.0'),
    ('0', '00', '0.0'),
  )
  def test_one_name_in_many_spellings(self, *names):
    self.assertEqual(identifiers.variants(names), [tuple(sorted(set(names)))])

  @parameterized.parameters(
    ('101', '1010', '101.5', '-101', 'P101'),
    ('1 11', '11 1', '111'),
    ('P7', 'P70', 'Q7', 'P-7'),
    ('1.10', '1.1', '1-01', '1-1'),
    ('a01b', 'a1b'),
    ('1/11', '11/1'),
    ('jose', 'jos\xe9'),
  )
  def test_different_names(self, *names):
    self.assertEmpty(identifiers.variants(names))

  def test_names_that_look_alike_are_quoted_with_escapes(self):
    self.assertEqual(
      identifiers.quoted(('Jos\xe9', 'Jose\u0301')),
      [r"'Jos\xe9'", r"'Jose\u0301'"],
    )
    self.assertEqual(
      identifiers.quoted(('P 7', 'P\xa07', 'p7')),
      ["'P 7'", r"'P\xa07'", "'p7'"],
    )
    self.assertEqual(identifiers.quoted(('\xc9a', '\xe9a')), ["'Éa'", "'éa'"])


if __name__ == '__main__':
  absltest.main()
