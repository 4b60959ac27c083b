import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.encoders.table import mlp, raw


def _inputs(numeric=2, categorical=2, b=5):
  rng = np.random.default_rng(0)
  return {
    'numeric': jnp.array(rng.normal(size=(b, numeric)), jnp.float32),
    'observed': jnp.ones((b, numeric), jnp.float32).at[0].set(0.0),
    'categorical': jnp.array(rng.integers(0, 4, (b, categorical)), jnp.int32),
  }


def _encode(module, inputs, params=None):
  def run(module, inputs):
    hidden = module.stem(inputs, train=False)
    for stage in module.stages:
      hidden = stage(hidden, train=False)
    return module.readout(hidden, train=False)

  if params is None:
    params = module.init(jax.random.key(0), inputs, method=run)
  return module.apply(params, inputs, method=run), params


class EHREncodersTest(parameterized.TestCase):
  @parameterized.product(
    build=(mlp.mlp, raw.raw),
    columns=((3, 2), (3, 0), (0, 2)),
  )
  def test_any_mix_of_columns(self, build, columns):
    numeric, categorical = columns
    inputs = _inputs(numeric, categorical)
    features, params = _encode(build(levels=4), inputs)
    self.assertEqual(features.pooled.shape[0], 5)
    self.assertTrue(np.isfinite(features.pooled).all())
    self.assertTrue(all(x.size for x in jax.tree.leaves(params)))

  @parameterized.parameters(mlp.mlp, raw.raw)
  def test_what_an_unobserved_number_holds_does_not_matter(self, build):
    inputs = _inputs()
    clean, params = _encode(build(levels=4), inputs)
    for garbage in (1e9, jnp.nan, -jnp.inf):
      dirty = {**inputs, 'numeric': inputs['numeric'].at[0].set(garbage)}
      other, _ = _encode(build(levels=4), dirty, params)
      np.testing.assert_array_equal(clean.pooled, other.pooled)

  def test_each_level_has_its_own_embedding(self):
    inputs = _inputs(1, 1)
    _, params = _encode(mlp.mlp(levels=4), inputs)
    rows = []
    for code in range(4):
      codes = jnp.full((5, 1), code, jnp.int32)
      features, _ = _encode(
        mlp.mlp(levels=4), {**inputs, 'categorical': codes}, params
      )
      rows.append(np.asarray(features.pooled[1]))
    self.assertLen({r.tobytes() for r in rows}, 4)


if __name__ == '__main__':
  absltest.main()
