import jax
import jax.numpy as jnp
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.fusion import protocol


class ConcatTest(parameterized.TestCase):
  @parameterized.parameters(
    ('concat', (64, 2)), ('concat(hidden=(5,3))', (5, 3, 2))
  )
  def test_layers_have_the_widths_of_the_spec(self, part, widths):
    features = {'ehr': types.Features.of_vector(jnp.ones((4, 3)))}
    present = {'ehr': jnp.ones(4, bool)}
    head = protocol.COMBINERS.build(part, num_outputs=2)
    params = head.init(jax.random.key(1), features, present, train=False)
    kernels = [x for x in jax.tree.leaves(params) if x.ndim == 2]
    self.assertCountEqual([x.shape[1] for x in kernels], widths)


if __name__ == '__main__':
  absltest.main()
