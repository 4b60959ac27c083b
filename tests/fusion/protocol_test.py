import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import spec, types
from fusion_jax.fusion import protocol


def _features(b=6):
  found = {}
  for k, (name, c) in enumerate((('image', 3), ('ehr', 2))):
    pooled = jax.random.normal(jax.random.key(k), (b, c))
    found[name] = types.Features(
      pooled, pooled[:, None], jnp.ones((b, 1), bool)
    )
  return found


class CombinersTest(parameterized.TestCase):
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

  @parameterized.parameters('additive', 'concat', 'concat(hidden=(8,8))')
  def test_claimed_interactions(self, part):
    entry = protocol.COMBINERS.get(spec.parse(part).name)
    combiner = protocol.COMBINERS.build(part, num_outputs=2)
    features = _features()
    present = {m: jnp.ones(6, bool) for m in features}
    params = combiner.init(jax.random.key(0), features, present, train=False)

    def logits(image, ehr):
      mixed = {
        'image': jax.tree.map(lambda x: x[image], features['image']),
        'ehr': jax.tree.map(lambda x: x[ehr], features['ehr']),
      }
      return combiner.apply(params, mixed, present, train=False)[0]

    a, b = np.arange(6), np.roll(np.arange(6), 1)
    self.assertEqual(logits(a, a).shape, (6, 2))
    crossed = logits(a, a) + logits(b, b) - logits(a, b) - logits(b, a)
    interacts = float(abs(crossed).max()) > 1e-4
    self.assertEqual(interacts, entry.claims['interactions'])


if __name__ == '__main__':
  absltest.main()
