import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
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


class ExchangesTest(parameterized.TestCase):
  @parameterized.parameters(
    name
    for name in protocol.EXCHANGES.names()
    if 'onto' in protocol.EXCHANGES.get(name).arguments
  )
  def test_onto_what_the_model_does_not_see(self, name):
    hidden = {
      m: types.Hidden.of_vector(jnp.ones((6, 2))) for m in ('ct', 'labs')
    }
    present = {m: jnp.ones(6, bool) for m in hidden}
    exchange = protocol.EXCHANGES.build(f'{name}(onto=(lab,))')
    with self.assertRaisesRegex(
      errors.UserError, rf"^Unknown modality 'lab' \({name}\(onto=.*mean 'labs'"
    ):
      exchange.init(jax.random.key(0), hidden, present, train=False)
    # One that is seen, but whose features are given, is left alone.
    given = {'labs': hidden['labs']}
    exchange = protocol.EXCHANGES.build(f'{name}(onto=(ct,))')
    found, _ = exchange.init_with_output(
      jax.random.key(0), given, present, train=False
    )
    jax.tree.map(np.testing.assert_array_equal, found, given)


if __name__ == '__main__':
  absltest.main()
