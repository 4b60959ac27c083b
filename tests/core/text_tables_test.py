"""Tests of how delimited text is opened."""

import gzip
import pathlib
from unittest import mock

from absl.testing import absltest, parameterized

from fusion_jax.core import errors, text_tables

TEXT = 'a;b\n1;caf\xe9\n'


class DecodeTest(parameterized.TestCase):
  def _decode(self, raw, **options):
    path = pathlib.Path(self.create_tempdir().full_path) / 't.csv'
    path.write_bytes(raw)
    return text_tables.decode(path, **options)

  @parameterized.parameters(
    'utf-8', 'utf-8-sig', 'utf-16', 'utf-16-le', 'utf-16-be', 'utf-32'
  )
  def test_encodings(self, encoding):
    self.assertEqual(self._decode(TEXT.encode(encoding)), TEXT)
    self.assertEqual(self._decode(gzip.compress(TEXT.encode(encoding))), TEXT)

  def test_gzip_of_several_members(self):
    raw = gzip.compress(b'a;b\n') + gzip.compress(b'1;2\n')
    self.assertEqual(self._decode(raw), 'a;b\n1;2\n')
    self.assertEqual(self._decode(gzip.compress(b'x' * 3_000_000))[-1], 'x')

  @parameterized.parameters(
    (gzip.compress(b'a' * 99)[:-9], 'damaged gzip file'),
    (b'\x1f\x8bnonsense', 'damaged gzip file'),
    (b'a\nb\xff\n', 'line 2, is not utf-8'),
    (b'PAR1xxxx', 'is a Parquet file, not text'),
    (b'PK\x03\x04xxxx', 'is an Excel or zip file'),
  )
  def test_faults_are_one_line(self, raw, message):
    with self.assertRaisesRegex(errors.UserError, message) as caught:
      self._decode(raw)
    self.assertNotIn('\n', str(caught.exception))

  @parameterized.parameters('utf9', 'undefined', 'utf-16-le')
  def test_encodings_that_do_not_fit(self, encoding):
    with self.assertRaisesRegex(errors.UserError, 't.csv'):
      self._decode(b'abc', encoding=encoding)

  def test_what_unpacks_to_too_much(self):
    with mock.patch.object(text_tables, 'MAX_BYTES', 10_000):
      with self.assertRaisesRegex(errors.UserError, 'unpacks to more than'):
        self._decode(gzip.compress(bytes(3_000_000)))


class DelimitedTest(parameterized.TestCase):
  @parameterized.parameters(
    ('a,b\n', ('a,b\n', ',', 0)),
    ('a;b\n', ('a;b\n', ';', 0)),
    ('"a,b,c";d\n', ('"a,b,c";d\n', ';', 0)),
    ('sep=;\r\na;b\n', ('a;b\n', ';', 1)),
    ('"sep=,"\na,b\n', ('a,b\n', ',', 1)),
    ('sep=\\t\na\tb\n', ('a\tb\n', '\t', 1)),
    ('a|b\n', ('a|b\n', '|', 0)),
    ('', ('', ',', 0)),
  )
  def test_delimiters(self, text, expected):
    self.assertEqual(text_tables.delimited(text), expected)

  def test_tabs_are_promised_by_the_name(self):
    found = text_tables.delimited('a,b\tc\n', tabs=True)
    self.assertEqual(found, ('a,b\tc\n', '\t', 0))

  def test_header(self):
    self.assertEqual(text_tables.header('"a;b";c\n1;2', ';'), ['a;b', 'c'])
    self.assertEqual(text_tables.header('', ';'), [])


if __name__ == '__main__':
  absltest.main()
