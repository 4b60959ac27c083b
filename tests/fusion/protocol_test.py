import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.fusion import protocol


def _features(b=6):
  found = {}
  for k, (name, c) in enumerate((('image', 3), ('ehr', 2))):
    pooled = jax.random.normal(jax.random.key(k), (b, c))
    found[name] = types.Features(
      pooled, pooled[:, None], jnp.ones((b, 1), bool)
    )
  return found


class CombinersTest(absltest.TestCase):
  def test_concatenation_is_sorted_and_says_what_is_present(self):
    features = _features()
    present = {'image': jnp.arange(6) > 2, 'ehr': jnp.ones(6, bool)}
    x = protocol.concatenate(features, present)
    np.testing.assert_array_equal(x[:, :2], features['ehr'].pooled)
    np.testing.assert_array_equal(x[:, 2:5], features['image'].pooled)
    np.testing.assert_array_equal(x[:, 5], 1.0)
    np.testing.assert_array_equal(x[:, 6], [0, 0, 0, 1, 1, 1])
    one = {'ehr': features['ehr']}
    self.assertEqual(protocol.concatenate(one, present).shape, (6, 2))


if __name__ == '__main__':
  absltest.main()
