"""Tests of the vision transformer."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.encoders import protocol

SMALL = 'vit(width=8,depth=2,heads=2,patch=4)'


def _pixels(*shape):
  return jax.random.normal(jax.random.key(0), shape)


def _inputs(pixels, mask=None):
  mask = jnp.ones(pixels.shape[:2], bool) if mask is None else mask
  return {'pixels': pixels, 'mask': mask}


def _run(encoder, inputs):
  hidden = encoder.stem(inputs, train=False)
  for stage in encoder.stages:
    hidden = stage(hidden, train=False)
  return encoder.readout(hidden, train=False)


def _encode(part, *batches):
  encoder = protocol.encoders('image').build(part)
  variables = encoder.init(jax.random.key(1), batches[0], method=_run)
  return [encoder.apply(variables, x, method=_run) for x in batches]


class ViTTest(parameterized.TestCase):
  @parameterized.parameters(
    (dict(width=192, depth=12, heads=3), 5_717_416),
    (dict(width=384, depth=12, heads=6), 22_050_664),
    (dict(width=768, depth=12, heads=12), 86_567_656),
  )
  def test_parameters_are_those_published(self, arguments, published):
    """Ti, S and B/16 at 224 pixels with a head of 1,000 classes."""
    text = ','.join(f'{k}={v}' for k, v in arguments.items())
    encoder = protocol.encoders('image').build(f'vit({text})')
    inputs = _inputs(jnp.ones((1, 1, 224, 224, 3)))
    shapes = jax.eval_shape(
      lambda key: encoder.init(key, inputs, method=_run), jax.random.key(0)
    )
    count = sum(x.size for x in jax.tree.leaves(shapes))
    head = (arguments['width'] + 1) * 1000
    self.assertEqual(count + head, published)

  @parameterized.parameters((8, 8, 1, 4), (9, 5, 3, 6), (3, 3, 2, 1))
  def test_any_size_and_number_of_channels(self, h, w, c, patches):
    (features,) = _encode(SMALL, _inputs(_pixels(2, 2, h, w, c)))
    self.assertEqual(features.pooled.shape, (2, 8))
    self.assertEqual(features.tokens.shape, (2, 2 * patches, 8))
    self.assertEqual(features.token_mask.shape, (2, 2 * patches))

  def test_images_are_exchangeable_and_masked_ones_count_nothing(self):
    pixels = _pixels(2, 3, 8, 8, 1)
    mask = jnp.array([[True, True, False]] * 2)
    swapped = pixels[:, jnp.array([1, 0, 2])].at[:, 2].set(1e3)
    one, other = _encode(SMALL, _inputs(pixels, mask), _inputs(swapped, mask))
    np.testing.assert_allclose(one.pooled, other.pooled, atol=1e-5)

  def test_positions_matter(self):
    pixels = _pixels(2, 1, 8, 8, 1)
    turned = jnp.roll(pixels, 4, axis=2)  # The same patches elsewhere.
    one, other = _encode(SMALL, _inputs(pixels), _inputs(turned))
    self.assertGreater(float(jnp.abs(one.pooled - other.pooled).max()), 1e-4)


if __name__ == '__main__':
  absltest.main()
