"""Tests of fusion_jax.data.array_headers."""

import io

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import array_headers


class ArrayHeadersTest(parameterized.TestCase):
  @parameterized.parameters((1, 0), (2, 0))
  def test_shape_and_type(self, *version):
    out = io.BytesIO()
    array = np.zeros((2, 3), '>f4')
    np.lib.format.write_array(out, array, version=version)
    self.assertTrue(out.getvalue().startswith(array_headers.MAGIC))
    # Nothing of the values is needed.
    header = io.BytesIO(out.getvalue()[: -array.nbytes])
    self.assertEqual(array_headers.read(header), ((2, 3), np.dtype('>f4')))

  def test_what_is_no_array(self):
    for content in (b'', b'hello, world', array_headers.MAGIC + b'\x01\x00'):
      with self.assertRaises(ValueError):
        array_headers.read(io.BytesIO(content))


if __name__ == '__main__':
  absltest.main()
