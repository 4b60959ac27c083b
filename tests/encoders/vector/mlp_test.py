import jax
import jax.numpy as jnp
from absl.testing import absltest

from fusion_jax.encoders import protocol


class MLPTest(absltest.TestCase):
  def test_widths_and_depth_are_those_of_the_spec(self):
    encoder = protocol.encoders('vector').build('mlp(width=5,depth=3)')

    def run(encoder, inputs):
      hidden = encoder.stem(inputs, train=False)
      for stage in encoder.stages:
        hidden = stage(hidden, train=False)
      return encoder.readout(hidden, train=False)

    inputs = {'vector': jnp.ones((2, 7))}
    features, params = encoder.init_with_output(
      jax.random.key(0), inputs, method=run
    )
    self.assertEqual(features.pooled.shape, (2, 5))
    kernels = [x.shape for x in jax.tree.leaves(params) if x.ndim == 2]
    self.assertCountEqual(kernels, [(7, 5), (5, 5), (5, 5)])


if __name__ == '__main__':
  absltest.main()
