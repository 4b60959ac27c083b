"""What holds for every series encoder that is registered."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.encoders import protocol
from tests.encoders import encoding
from tests.encoders.series import rows

NAMES = protocol.encoders('series').names()


class PaddingTest(parameterized.TestCase):
  @parameterized.parameters(*NAMES)
  def test_padding_tells_nothing_wherever_it_stands(self, name):
    inputs = rows.make()
    encode = encoding.Encoded('series', name, inputs)
    one = encode(inputs)
    for other in (
      rows.spoiled(inputs),
      rows.padded(inputs, 3, 0),
      rows.padded(inputs, 1, 2),
    ):
      found = encode(other)
      np.testing.assert_allclose(found.pooled, one.pooled, atol=1e-5)
    self.assertGreater(float(abs(one.pooled[0] - one.pooled[1]).max()), 1e-3)

  @parameterized.parameters(*NAMES)
  def test_gradients_are_finite_where_a_study_has_no_rows(self, name):
    inputs = rows.make()
    encode = encoding.Encoded('series', name, inputs)
    for x in encode.gradients(inputs)['params'].values():
      self.assertTrue(np.isfinite(encoding.total(x)))


if __name__ == '__main__':
  absltest.main()
