"""Tests of how layers of encoders are told apart."""

import re

import jax
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.training import encoder_layers, optimizers
from tests.encoders import encoding
from tests.training.layouts import published

PATHS = (
  'combiner/head/kernel',
  'encoders_scan/encoder/first/kernel',
  'encoders_scan/encoder/stages_0/kernel',
  'encoders_scan/pool/score/kernel',
  'encoders_cxr/last/scale',
  'encoders_cxr/patches/class',
  *(f'encoders_cxr/stages_{k}/Dense_0/bias' for k in range(11)),
  'encoders_labs/Dense_0/kernel',
)


def matched(pattern):
  return [x for x in PATHS if re.search(pattern, x)]


class LayersTest(parameterized.TestCase):
  def test_every_layer_of_encoders_with_stages(self):
    scan, cxr = encoder_layers.of_encoders(PATHS, ())
    self.assertEqual([matched(x) for x in scan.first], [[PATHS[1]]])
    self.assertEqual([matched(x) for x in scan.stages], [[PATHS[2]]])
    self.assertEqual(scan.last, ())
    self.assertEqual([matched(x) for x in cxr.first], [[PATHS[5]]])
    self.assertEqual([matched(x) for x in cxr.last], [[PATHS[4]]])
    self.assertEqual(
      [matched(x) for x in cxr.stages],
      [[f'encoders_cxr/stages_{k}/Dense_0/bias'] for k in range(11)],
    )

  def test_of_some_modalities(self):
    (cxr,) = encoder_layers.of_encoders(PATHS, ('cxr', 'labs'))
    self.assertLen(cxr.stages, 11)
    self.assertEmpty(encoder_layers.of_encoders(PATHS, ('labs',)))
    with self.assertRaisesRegex(errors.UserError, "mean 'cxr'"):
      encoder_layers.check('x', ('cx',), ('cxr', 'labs'))

  @parameterized.parameters(
    'convnext', 'deep_resnet', 'densenet', 'efficientnet', 'vit'
  )
  def test_each_parameter_of_a_published_network_is_in_one_layer(self, name):
    encoder = encoding.build('image', encoding.small('image', name))
    inputs = published.images(16)
    shapes = jax.eval_shape(
      lambda key: encoder.init(key, inputs, method=encoding.run),
      jax.random.key(0),
    )
    paths = optimizers.paths({'encoders_x': shapes['params']})
    (layers,) = encoder_layers.of_encoders(paths, ())
    patterns = [*layers.first, *layers.stages, *layers.last]
    self.assertGreaterEqual(len(patterns), 2)
    for path in paths:
      self.assertLen([x for x in patterns if re.search(x, path)], 1, path)


if __name__ == '__main__':
  absltest.main()
