"""Tests of attention to channels."""

import numpy as np
from absl.testing import absltest

from tests.fusion import examples


class ChannelAttentionTest(absltest.TestCase):
  def test_is_equations_3_and_4(self):
    """Of Hu et al. 2018, in NumPy."""
    found, present = examples.features(ct=12, labs=8)
    params, logits, out = examples.run('channel_attention', found, present)
    x = examples.pooled(found)
    flags = examples.flags(present)
    z = np.concatenate([x['ct'], x['labs']], axis=1)
    # 20 channels by 4.
    self.assertEqual(params['squeeze']['kernel'].shape, (22, 5))
    s = examples.relu(
      examples.dense(params['squeeze'], np.concatenate([z, flags], axis=1))
    )
    s = examples.sigmoid(examples.dense(params['excite'], s))
    np.testing.assert_allclose(out['attention']['ct'], s[:, :12], rtol=1e-4)
    np.testing.assert_allclose(out['attention']['labs'], s[:, 12:], rtol=1e-4)
    exact = examples.dense(
      params['head'], np.concatenate([s * z, flags], axis=1)
    )
    np.testing.assert_allclose(logits, exact, rtol=1e-4, atol=1e-5)


if __name__ == '__main__':
  absltest.main()
