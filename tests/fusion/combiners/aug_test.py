import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors
from fusion_jax.fusion import protocol
from tests.fusion import examples


class AUGTest(absltest.TestCase):
  def _run(self, gates):
    found, present = examples.features(ct=3, labs=2)
    combiner = protocol.COMBINERS.build('aug(width=5,most=3)', num_outputs=2)
    variables = combiner.init(jax.random.key(1), found, present, train=False)
    for x in variables['gates'].values():
      np.testing.assert_array_equal(x, np.zeros(3))
    params = jax.tree.map(
      lambda x: x + 0.1 * jnp.sin(jnp.arange(x.size)).reshape(x.shape),
      variables['params'],
    )
    gates = {m: jnp.array(x, jnp.float32) for m, x in gates.items()}
    logits, out = combiner.apply(
      {'params': params, 'gates': gates}, found, present, train=False
    )
    params = jax.tree.map(np.asarray, params)
    return params, found, present, np.asarray(logits), out

  def test_open_layers_add_up_and_modalities_are_averaged(self):
    params, found, present, logits, out = self._run(
      {'ct': [0, 0, 0], 'labs': [1, 1, 0]}
    )
    x = examples.pooled(found)

    def of(layer, m):
      hidden = examples.relu(examples.dense(params[f'{layer}_{m}'], x[m]))
      return examples.dense(params['head'], hidden)

    ct = of('first', 'ct')
    before = of('first', 'labs') + of('more_0', 'labs')
    last = of('more_1', 'labs')
    whole = before + last
    np.testing.assert_allclose(
      out['boosted']['labs'], np.stack([whole, before, last], 1), atol=1e-5
    )
    np.testing.assert_allclose(
      out['boosted']['ct'], np.stack([ct, ct, 0 * ct], 1), atol=1e-5
    )
    np.testing.assert_array_equal(out['opened']['labs'], 1)
    np.testing.assert_array_equal(out['opened']['ct'], 0)
    here = examples.flags(present)
    total = ct * here[:, :1] + whole * here[:, 1:]
    np.testing.assert_allclose(
      logits, total / np.maximum(here.sum(1, keepdims=True), 1), atol=1e-5
    )

  def test_impossible_sizes(self):
    with self.assertRaisesRegex(errors.UserError, 'at least 1'):
      protocol.COMBINERS.build('aug(most=0)', num_outputs=1)


if __name__ == '__main__':
  absltest.main()
