import jax.numpy as jnp
import numpy as np
import optax
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.training import optimizers

PARAMS = {'kernel': jnp.ones((3, 2)), 'bias': jnp.ones(2)}
GRADIENTS = {'kernel': jnp.full((3, 2), 0.1), 'bias': jnp.full(2, -0.2)}
DECAYED = {'kernel': True, 'bias': False}
REFERENCES = {
  'adamw': optax.adamw(0.03, weight_decay=0.4, mask=DECAYED),
  'adamw(b1=0.8,eps=0.01)': optax.adamw(
    0.03, b1=0.8, eps=0.01, weight_decay=0.4, mask=DECAYED
  ),
  'sgd(momentum=0)': optax.chain(
    optax.add_decayed_weights(0.4, mask=DECAYED), optax.sgd(0.03)
  ),
  'lion': optax.lion(0.03, weight_decay=0.4, mask=DECAYED),
}


def _steps(optimizer, state, count=3):
  params = PARAMS
  for _ in range(count):
    updates, state = optimizer.update(GRADIENTS, state, params)
    params = optax.apply_updates(params, updates)
  return params


class OptimizersTest(parameterized.TestCase):
  @parameterized.parameters(*REFERENCES)
  def test_equals_optax_with_rates_given_as_data(self, spec):
    ours = optimizers.create_optimizer(optimizer=spec, clip_norm=0)
    state = optimizers.with_hyperparameters(
      ours.init(PARAMS), learning_rate=0.03, weight_decay=0.4
    )
    theirs = REFERENCES[spec]
    found, expected = _steps(ours, state), _steps(theirs, theirs.init(PARAMS))
    for name in PARAMS:
      np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)

  @parameterized.parameters(*optimizers.OPTIMIZERS.names())
  def test_every_optimizer_goes_downhill_by_its_rate(self, name):
    ours = optimizers.create_optimizer(optimizer=name)
    for rate in (0.0, 0.01):
      state = optimizers.with_hyperparameters(
        ours.init(PARAMS), learning_rate=rate, weight_decay=0.0
      )
      moved = _steps(ours, state)['kernel'] - PARAMS['kernel']
      self.assertEqual((moved < 0).all(), rate > 0)

  def test_momentum_is_an_argument(self):
    plain, heavy = (
      _steps(
        ours := optimizers.create_optimizer(optimizer=spec),
        optimizers.with_hyperparameters(
          ours.init(PARAMS), learning_rate=0.1, weight_decay=0.0
        ),
      )['kernel'][0, 0]
      for spec in ('sgd(momentum=0)', 'sgd(momentum=0.9)')
    )
    # Three steps: 3 gradients, or 1 + 1.9 + 2.71.
    self.assertAlmostEqual(float((1 - heavy) / (1 - plain)), 5.61 / 3, places=4)

  def test_large_gradients_are_clipped_unless_the_limit_is_none(self):
    params = {'kernel': jnp.zeros((2, 2))}
    gradients = {'kernel': jnp.full((2, 2), 100.0)}
    for limit, norm in ((1.0, 1.0), (0.0, 200.0)):
      ours = optimizers.create_optimizer(
        optimizer='sgd(momentum=0)', clip_norm=limit
      )
      state = optimizers.with_hyperparameters(
        ours.init(params), learning_rate=1.0, weight_decay=0.0
      )
      updates, _ = ours.update(gradients, state, params)
      self.assertAlmostEqual(
        float(jnp.linalg.norm(updates['kernel'])), norm, places=4
      )

  def test_unknown_names(self):
    with self.assertRaisesRegex(errors.UserError, "mean 'adamw'"):
      optimizers.create_optimizer(optimizer='adam')
    with self.assertRaisesRegex(errors.UserError, "mean 'momentum'"):
      optimizers.create_optimizer(optimizer='sgd(momentun=0.9)')


class ScheduleTest(parameterized.TestCase):
  def _factors(self, spec):
    return np.array(
      [
        float(
          optimizers.schedule(
            jnp.int32(k), jnp.int32(100), warmup=0.1, spec=spec
          )
        )
        for k in range(101)
      ]
    )

  @parameterized.parameters(
    ('cosine', 0.0), ('cosine(end=0.2)', 0.2), ('linear', 0.0), ('constant', 1)
  )
  def test_rises_then_falls_to_its_end(self, spec, end):
    factors = self._factors(spec)
    np.testing.assert_allclose(factors[:10], np.arange(1, 11) / 10, rtol=1e-5)
    self.assertTrue((np.diff(factors[10:]) < 1e-6).all())
    self.assertAlmostEqual(factors[-1], end, places=6)

  def test_every_schedule_is_tried(self):
    self.assertEqual(
      optimizers.SCHEDULES.names(), ['constant', 'cosine', 'linear']
    )


class GroupsTest(parameterized.TestCase):
  TREE = {
    'encoders_image': {'first': {'kernel': jnp.ones(1), 'bias': jnp.ones(1)}},
    'combiner': {'kernel': jnp.ones(1)},
  }

  def test_the_first_that_fits_counts(self):
    found = optimizers.rates(self.TREE, ('bias$:0', 'encoders_image/:0.5'))
    self.assertEqual(
      found,
      {
        'encoders_image': {'first': {'kernel': 0.5, 'bias': 0.0}},
        'combiner': {'kernel': 1.0},
      },
    )

  def test_an_expression_that_nothing_matches(self):
    with self.assertRaisesRegex(
      errors.UserError,
      "no parameter matches 'encoders_ehr'. Parameters: combiner/kernel, "
      'encoders_image/first/bias, encoders_image/first/kernel.',
    ):
      optimizers.rates(self.TREE, ('encoders_ehr:0',))

  @parameterized.parameters('encoders', 'a:b', ':1', 'a:-1', '(:1', 'a:inf')
  def test_malformed(self, group):
    with self.assertRaisesRegex(errors.UserError, 'is no group such as'):
      optimizers.parse_groups([group])


if __name__ == '__main__':
  absltest.main()
