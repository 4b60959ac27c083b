"""Tests of the residual trunk in two and three axes of space."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.encoders import residual


def _stage(x, space, **options):
  stage = residual.Stage(**{'channels': 8, 'depth': 2, **options}, space=space)
  hidden = types.Hidden(x, jnp.ones(len(x), bool))
  variables = stage.init(jax.random.key(0), hidden, train=False)
  return lambda y: stage.apply(variables, hidden.replace(x=y), train=False).x


class StageTest(parameterized.TestCase):
  @parameterized.parameters(2, 3)
  def test_halves_the_resolution_and_widens(self, space):
    x = jnp.ones((2, *(8,) * space, 4))
    found = _stage(x, space, stride=2)(x)
    self.assertEqual(found.shape, (2, *(4,) * space, 8))

  @parameterized.parameters(2, 3)
  def test_a_study_is_free_of_the_others(self, space):
    x = jax.random.normal(jax.random.key(1), (3, *(6,) * space, 4))
    run = _stage(x, space, stride=1)
    other = x.at[1:].set(jnp.sin(9 * x[1:]))
    np.testing.assert_allclose(run(x)[0], run(other)[0], atol=1e-5)
    self.assertGreater(float(abs(run(x)[1] - run(other)[1]).max()), 1e-3)

  def test_axes_of_space_are_alike(self):
    """A turned volume gives what a turned kernel gives of it."""
    x = jax.random.normal(jax.random.key(1), (1, 5, 6, 7, 4))
    conv = residual.conv(8, 3, 3)
    variables = conv.init(jax.random.key(0), x)
    turned = jax.tree.map(lambda k: jnp.swapaxes(k, 0, 2), variables)
    np.testing.assert_allclose(
      conv.apply(variables, x),
      jnp.swapaxes(conv.apply(turned, jnp.swapaxes(x, 1, 3)), 1, 3),
      atol=1e-5,
    )

  @parameterized.parameters(1, 3, 4, 64)
  def test_any_number_of_channels_is_normalised(self, channels):
    x = 3 + 5 * jax.random.normal(jax.random.key(1), (2, 9, 9, channels))
    norm = residual.norm(channels, 2)
    found = norm.apply(norm.init(jax.random.key(0), x), x)
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(axis=(1, 2, 3)), 1, atol=1e-2)


if __name__ == '__main__':
  absltest.main()
