"""Tests of volumes as bags of slices."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.ablation import arm, keys
from fusion_jax.core import closure, errors
from tests.encoders import encoding

PART = 'slices(encoder=resnet(widths=(4,8),pool=attention))'


def _inputs():
  voxels = jax.random.normal(jax.random.key(0), (2, 5, 8, 8, 1))
  return {'voxels': voxels, 'mask': jnp.array([True, False])}


class SlicesTest(absltest.TestCase):
  def test_is_the_image_encoder_over_slices(self):
    inputs = _inputs()
    encode = encoding.Encoded('volume', PART, inputs)
    found = encode(inputs)
    images = {
      'pixels': inputs['voxels'],
      'mask': jnp.broadcast_to(inputs['mask'][:, None], (2, 5)),
    }
    alone = encoding.Encoded(
      'image', 'resnet(widths=(4,8),pool=attention)', images
    )
    variables = {'params': encode.params['encoder']}
    expected = alone(images, variables)
    np.testing.assert_allclose(found.pooled, expected.pooled, atol=1e-6)
    np.testing.assert_allclose(found.tokens, expected.tokens, atol=1e-6)
    np.testing.assert_array_equal(found.pooled[1], 0)

  def test_stages_are_those_of_the_image_encoder(self):
    """So that exchanges can be placed between them."""
    encoder = encoding.build('volume', PART)
    self.assertLen(encoder.bind({}).stages, 2)

  def test_the_order_of_slices_is_nothing(self):
    inputs = _inputs()
    encode = encoding.Encoded('volume', PART, inputs)
    turned = {**inputs, 'voxels': inputs['voxels'][:, ::-1]}
    np.testing.assert_allclose(
      encode(inputs).pooled, encode(turned).pooled, atol=1e-5
    )

  def test_pools_by_attention_by_default(self):
    _, variables = encoding.shapes('volume', 'slices', _inputs())
    self.assertIn('pool', variables['params']['encoder'])

  def test_an_unknown_image_encoder(self):
    with self.assertRaisesRegex(errors.UserError, "'resnt'.*mean 'resnet'"):
      encoding.build('volume', 'slices(encoder=resnt)')

  def test_keys_know_the_image_encoder(self):
    """Of the default one and of any other, so that nothing stale is used."""

    def files(part):
      given = arm.Input('volume', encoder=part)
      made = arm.Arm(
        summary='',
        strategy='single',
        learner='neural',
        inputs={'ct': given},
        combiner='concat',
      )
      return closure.files(keys.modules(made))

    place = 'fusion_jax.encoders.image'
    self.assertIn(f'{place}.resnet', files('slices'))
    self.assertNotIn(f'{place}.vit', files('slices'))
    self.assertIn(f'{place}.vit', files('slices(encoder=vit(patch=8))'))


if __name__ == '__main__':
  absltest.main()
