"""Tests of the residual trunk in two and three axes of space."""

from unittest import mock

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.encoders import protocol, residual


def _stage(x, space, **options):
  stage = residual.Stage(**{'channels': 8, 'depth': 2, **options}, space=space)
  hidden = types.Hidden(x, jnp.ones(len(x), bool))
  variables = stage.init(jax.random.key(0), hidden, train=False)
  return lambda y: stage.apply(variables, hidden.replace(x=y), train=False).x


def _run(encoder, inputs):
  hidden = encoder.stem(inputs, train=True)
  for stage in encoder.stages:
    hidden = stage(hidden, train=True)
  return encoder.readout(hidden, train=True)


def _variables(encoder, inputs):
  return jax.jit(lambda key: encoder.init(key, inputs, method=_run))(
    jax.random.key(0)
  )


def _trained(encoder, variables, inputs):
  return encoder.apply(variables, inputs, method=_run, mutable=['batch_stats'])


def _images(b, seed=0, i=1):
  rng = np.random.default_rng(seed)
  return {
    'pixels': rng.normal(1, 2, (b, i, 8, 8, 1)).astype(np.float32),
    'mask': np.ones((b, i), bool),
  }


def _volumes(b, seed=0):
  rng = np.random.default_rng(seed)
  return {
    'voxels': rng.normal(1, 2, (b, 8, 8, 8, 1)).astype(np.float32),
    'mask': np.ones(b, bool),
  }


def _with_statistics(kind):
  return protocol.encoders(kind).build(
    'resnet(widths=(8,16),norm=batch)', axis_name=None
  )


class FlaxBatchNorm(nn.BatchNorm):
  """flax's own, which knows no mask, called as ours is."""

  def __call__(self, x, mask, *, train):
    del mask
    return super().__call__(x, use_running_average=not train)


FlaxBatchNorm.__name__ = 'BatchNorm'


class StageTest(parameterized.TestCase):
  @parameterized.parameters(2, 3)
  def test_halves_the_resolution_and_widens(self, space):
    x = jnp.ones((2, *(8,) * space, 4))
    found = _stage(x, space, stride=2)(x)
    self.assertEqual(found.shape, (2, *(4,) * space, 8))

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


class NormTest(parameterized.TestCase):
  @parameterized.parameters(1, 3, 4, 30, 64)
  def test_any_number_of_channels_is_grouped(self, channels):
    x = 3 + 5 * jax.random.normal(jax.random.key(1), (2, 9, 9, channels))
    mask = jnp.ones(2, bool)
    norm = residual.norm('group', channels, 2, None)
    variables = norm.init(jax.random.key(0), x, mask, train=False)
    found = norm.apply(variables, x, mask, train=False)
    np.testing.assert_allclose(found.mean(axis=(1, 2, 3)), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(axis=(1, 2, 3)), 1, atol=1e-2)

  def test_groups_are_those_of_flax_bit_for_bit(self):
    x = jax.random.normal(jax.random.key(1), (2, 9, 9, 32))
    ours = residual.norm('group', 32, 2, None)
    theirs = nn.GroupNorm(num_groups=8)
    variables = theirs.init(jax.random.key(0), x)
    np.testing.assert_array_equal(
      ours.apply(variables, x, jnp.ones(2, bool), train=True),
      theirs.apply(variables, x),
    )

  def test_another_name_is_an_error_at_the_start(self):
    with self.assertRaisesRegex(
      errors.UserError,
      r"value of resnet\(norm=...\) 'bacth' .*mean 'batch'.*group, batch",
    ):
      protocol.encoders('image').check('resnet(norm=bacth)')
    self.assertEqual(
      str(protocol.encoders('image').check('resnet(norm=group)')), 'resnet'
    )

  @parameterized.parameters(('image', _images), ('volume', _volumes))
  def test_where_nothing_is_masked_statistics_are_those_of_flax(
    self, kind, make
  ):
    encoder, inputs = _with_statistics(kind), make(6)
    variables = _variables(encoder, inputs)

    def look(params):
      features, changed = _trained(
        encoder, {**variables, 'params': params}, inputs
      )
      return jnp.sum(jnp.sin(features.pooled)), (features.pooled, changed)

    def run():
      return jax.jit(jax.grad(look, has_aux=True))(variables['params'])

    ours, (pooled, kept) = run()

    def flax_norm(norm, channels, space, axis_name):
      del norm, channels, space, axis_name
      return FlaxBatchNorm(momentum=0.9, epsilon=1e-5)

    with mock.patch.object(residual, 'norm', flax_norm):
      theirs, (expected, others) = run()
    np.testing.assert_allclose(pooled, expected, atol=1e-4)
    for one, other in ((ours, theirs), (kept, others)):
      jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-3),
        one,
        other,
      )

  def test_only_images_that_are_there_count(self):
    """One of two images, absent studies and padding rows: as without them."""
    encoder, real = _with_statistics('image'), _images(5)
    at = np.array([0, 0, 2, 3, 5]), np.array([0, 1, 1, 0, 1])
    padded = _images(7, seed=1, i=2)
    padded['pixels'][:] = 1e3
    padded['mask'][:] = False
    padded['pixels'][at], padded['mask'][at] = real['pixels'][:, 0], True
    variables = _variables(encoder, real)
    (one, kept), (two, others) = (
      jax.jit(_trained, static_argnums=0)(encoder, variables, x)
      for x in (real, padded)
    )
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4),
      kept,
      others,
    )
    np.testing.assert_allclose(
      two.pooled[0], one.pooled[:2].mean(axis=0), atol=1e-4
    )
    np.testing.assert_allclose(
      two.pooled[np.array([2, 3, 5])], one.pooled[2:], atol=1e-4
    )


if __name__ == '__main__':
  absltest.main()
