"""Tests of the registries of encoders; each of them: tests/conformance/."""

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.data import kind as kinds
from fusion_jax.encoders import protocol


class RegistriesTest(absltest.TestCase):
  def test_encoders_are_known_by_the_kind_of_what_they_encode(self):
    for kind in kinds.KINDS.names():
      known = protocol.encoders(kind)
      self.assertEqual(known.kind, f'{kind} encoder')
      self.assertIn(protocol.default(kind), known.names())
    with self.assertRaisesRegex(
      errors.UserError, "Unknown vector encoder 'resnet'"
    ):
      protocol.encoders('vector').check('resnet')

  def test_an_encoder_is_built_with_what_it_asks_for(self):
    encoder = protocol.encoders('table').build(
      'mlp(width=4)', levels=7, axis_name='data'
    )
    self.assertEqual((encoder.levels, encoder.width), (7, 4))

  def test_a_vector_is_passed_on(self):
    encoder = protocol.encoders('vector').build('raw')
    vector = jnp.arange(10.0).reshape(2, 5)
    hidden = encoder.stem({'vector': vector}, train=False)
    self.assertIsInstance(hidden, types.Hidden)
    np.testing.assert_array_equal(
      encoder.readout(hidden, train=False).pooled, vector
    )


if __name__ == '__main__':
  absltest.main()
