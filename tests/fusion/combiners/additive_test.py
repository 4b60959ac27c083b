import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.fusion import protocol


class AdditiveTest(absltest.TestCase):
  def test_is_one_matrix_product(self):
    x = jax.random.normal(jax.random.key(0), (4, 3))
    features = {'ehr': types.Features.of_vector(x)}
    present = {'ehr': jnp.ones(4, bool)}
    head = protocol.COMBINERS.build('additive', num_outputs=2)
    params = head.init(jax.random.key(1), features, present, train=False)
    logits, _ = head.apply(params, features, present, train=False)
    kernel, bias = (params['params']['head'][k] for k in ('kernel', 'bias'))
    np.testing.assert_allclose(logits, x @ kernel + bias, atol=1e-6)


if __name__ == '__main__':
  absltest.main()
