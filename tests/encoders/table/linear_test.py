"""Tests of the linear encoder."""

import numpy as np
from absl.testing import absltest

from tests.encoders import encoding
from tests.encoders.table import columns


class LinearTest(absltest.TestCase):
  def test_is_additive_in_the_columns(self):
    inputs = columns.make(3, 2)
    encode = encoding.Encoded('table', 'linear(width=4)', inputs)
    base = encode(inputs).pooled
    one = {**inputs, 'numeric': inputs['numeric'].at[:, 0].add(1.0)}
    two = {**inputs, 'categorical': (inputs['categorical'] + 1) % 4}
    both = {**one, 'categorical': two['categorical']}
    one, two, both = (encode(x).pooled - base for x in (one, two, both))
    np.testing.assert_allclose(one + two, both, atol=1e-5)
    self.assertGreater(float(abs(two).max()), 1e-3)
    kernel = encode.params['first']['kernel']
    # Three numbers, three indicators and four levels of two categories.
    self.assertEqual(kernel.shape, (3 + 3 + 2 * 4, 4))
    np.testing.assert_allclose(one[1:], [kernel[0]] * 4, atol=1e-5)


if __name__ == '__main__':
  absltest.main()
