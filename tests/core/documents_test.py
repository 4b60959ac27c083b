from absl.testing import absltest, parameterized

from fusion_jax.core import documents, errors


class ParseTest(parameterized.TestCase):
  def _parse(self, text, kind):
    content = text if isinstance(text, bytes) else text.encode()
    return documents.parse(content, kind, where='a/file')

  def test_reads_both_with_and_without_a_byte_order_mark(self):
    for mark in (b'', b'\xef\xbb\xbf'):
      self.assertEqual(self._parse(mark + b'{"a": [1]}', 'JSON'), {'a': [1]})
      self.assertEqual(self._parse(mark + b'a = [1]', 'TOML'), {'a': [1]})

  @parameterized.named_parameters(
    ('syntax', '{', 'JSON', "'a/file' is not legal JSON: Expecting"),
    ('toml_syntax', 'a = ', 'TOML', "'a/file' is not legal TOML: Invalid"),
    ('bytes', b'a = "\xff"', 'TOML', "is not legal TOML: 'utf-8' codec"),
    ('deep', '[' * 100_000, 'JSON', 'nested too deeply'),
    ('deep_toml', f'a = {"[" * 100_000}', 'TOML', 'nested too deeply'),
    ('digits', '9' * 5000, 'JSON', 'a whole number has too many digits'),
    ('toml_digits', f'a = {"9" * 5000}', 'TOML', 'has too many digits'),
    ('large', f'[{{"a": {2**63}}}]', 'JSON', 'more than 64 bits'),
    ('hexadecimal', f'a = 0x{"f" * 5000}', 'TOML', 'more than 64 bits'),
    ('twice', '{"a": 1, "a": 2}', 'JSON', "the key 'a' occurs twice"),
    ('nan', '{"a": NaN}', 'JSON', 'NaN is no JSON number'),
    ('infinity', '[-Infinity]', 'JSON', 'Infinity is no JSON number'),
  )
  def test_refused_in_one_line(self, text, kind, message):
    with self.assertRaisesRegex(errors.UserError, message) as caught:
      self._parse(text, kind)
    self.assertNotIn('\n', str(caught.exception))
    self.assertLess(len(str(caught.exception)), 300)

  def test_numbers_of_64_bits_are_kept(self):
    for number in (2**63 - 1, -(2**63)):
      self.assertEqual(self._parse(str(number), 'JSON'), number)


if __name__ == '__main__':
  absltest.main()
