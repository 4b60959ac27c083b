"""Tests of recurrent networks over rows."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.encoders.series import recurrent
from tests.encoders import encoding
from tests.encoders.series import rows


class RecurrentTest(parameterized.TestCase):
  def test_gaps_are_hours_since_the_row_before(self):
    time = np.array([[0, 0, -2.0, -1.5, -1.5, -0.25]])
    mask = np.array([[False, False, True, True, True, True]])
    np.testing.assert_allclose(
      recurrent.gaps(time, mask), [[0, 0, 0, 12, 0, 30]]
    )

  @parameterized.parameters('gru', 'lstm')
  def test_later_rows_change_no_earlier_state(self, cell):
    inputs = rows.make()
    encode = encoding.Encoded(
      'series', f'recurrent(cell={cell},width=4,depth=2)', inputs
    )
    one = encode(inputs)
    two = encode({**inputs, 'value': inputs['value'].at[:, 5:].add(2.0)})
    np.testing.assert_allclose(one.tokens[:, :5], two.tokens[:, :5], atol=1e-6)
    self.assertGreater(float(abs(one.pooled - two.pooled)[:2].max()), 1e-3)
    np.testing.assert_array_equal(one.pooled[2], 0)
    encoding.assert_reaches_all(encode.gradients(inputs))

  def test_gaps_count(self):
    inputs = rows.make()
    encode = encoding.Encoded('series', 'recurrent(width=4)', inputs)
    params = {**encode.params}
    params['gap'] = {'kernel': params['gap']['kernel'] * 0}
    one, two = encode(inputs), encode(inputs, {'params': params})
    self.assertGreater(float(abs(one.pooled - two.pooled)[:2].max()), 1e-3)


if __name__ == '__main__':
  absltest.main()
