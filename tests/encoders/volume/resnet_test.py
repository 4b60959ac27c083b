import jax
import numpy as np
from absl.testing import absltest

from fusion_jax.encoders import protocol


class ResNetTest(absltest.TestCase):
  def test_every_stage_but_the_first_halves_all_three_axes(self):
    encoder = protocol.encoders('volume').build(
      'resnet(widths=(4,8))', axis_name=None
    )

    def run(encoder, inputs):
      hidden = encoder.stem(inputs, train=False)
      for stage in encoder.stages:
        hidden = stage(hidden, train=False)
      return encoder.readout(hidden, train=False)

    rng = np.random.default_rng(0)
    inputs = {
      'voxels': rng.normal(size=(3, 8, 10, 12, 2)).astype(np.float32),
      'mask': np.array([True, True, False]),
    }
    found, _ = encoder.init_with_output(jax.random.key(0), inputs, method=run)
    # Half of a half of 8 x 10 x 12.
    self.assertEqual(found.tokens.shape, (3, 2 * 3 * 3, 8))
    self.assertEqual(found.pooled.shape, (3, 8))
    np.testing.assert_array_equal(found.pooled[2], 0)


if __name__ == '__main__':
  absltest.main()
