import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest

from fusion_jax.training import config as training_config
from fusion_jax.training import optimizers


class OptimizersTest(absltest.TestCase):
  def test_equals_optax_adamw_with_rates_given_as_data(self):
    params = {'kernel': jnp.ones((3, 2)), 'bias': jnp.ones(2)}
    gradients = {'kernel': jnp.full((3, 2), 0.1), 'bias': jnp.full(2, -0.2)}
    ours = optimizers.create_optimizer(config=training_config.TrainingConfig())
    state = optimizers.with_hyperparameters(
      ours.init(params), learning_rate=0.03, weight_decay=0.4
    )
    theirs = optax.adamw(
      0.03, weight_decay=0.4, mask={'kernel': True, 'bias': False}
    )
    reference = theirs.init(params)
    for _ in range(3):
      a, state = ours.update(gradients, state, params)
      b, reference = theirs.update(gradients, reference, params)
      for name in params:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-6)

  def test_large_gradients_are_clipped(self):
    ours = optimizers.create_optimizer(
      config=training_config.TrainingConfig(clip_norm=1.0)
    )
    params = {'kernel': jnp.zeros((2, 2))}
    gradients = {'kernel': jnp.full((2, 2), 1e20)}
    updates, _ = ours.update(gradients, ours.init(params), params)
    self.assertTrue(np.isfinite(updates['kernel']).all())

  def test_schedule_rises_then_falls_to_zero(self):
    factors = np.array(
      [
        float(optimizers.schedule(jnp.int32(k), jnp.int32(100), warmup=0.1))
        for k in range(101)
      ]
    )
    np.testing.assert_allclose(factors[:10], np.arange(1, 11) / 10, rtol=1e-5)
    self.assertTrue((np.diff(factors[10:]) < 1e-6).all())
    self.assertAlmostEqual(factors[-1], 0.0, places=6)


if __name__ == '__main__':
  absltest.main()
