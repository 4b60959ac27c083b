import dataclasses

import jax
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.training import protocol
from tests import tiny
from tests.training import encoder_layers_test, steps


def method(spec, modalities=('cxr', 'labs', 'scan')):
  (found,) = protocol.create_methods(
    (spec,), task=tiny.task_of(types.BINARY), modalities=modalities
  )
  return found


def setup():
  """Patches, two stages and a last norm."""
  return steps.images('vit(width=8,depth=2,heads=2,patch=4)')


class LayerRatesTest(absltest.TestCase):
  def test_rates_fall_from_the_head_to_the_first_layer(self):
    (phase,) = method('layer_rates(decay=0.5,of=(cxr,))').phases_of(
      encoder_layers_test.PATHS
    )
    self.assertEqual(phase.until, 1.0)
    rates = {}
    for group in phase.groups:
      pattern, _, rate = group.rpartition(':')
      (path,) = encoder_layers_test.matched(pattern)
      rates[path] = float(rate)
    expected = {
      f'encoders_cxr/stages_{k}/Dense_0/bias': 0.5 ** (11 - k)
      for k in range(11)
    }
    expected['encoders_cxr/patches/class'] = 0.5**12
    self.assertEqual(set(rates), set(expected))
    for path, rate in expected.items():
      self.assertAlmostEqual(rates[path] / rate, 1, delta=1e-4)

  def test_updates_are_scaled(self):
    config = dataclasses.replace(steps.CONFIG, clip_norm=0.0, weight_decay=0.0)
    moved = []
    for methods in ((), ('layer_rates(decay=0.25)',)):
      first, last, _ = steps.train(
        dataclasses.replace(config, methods=methods), 1, setup=setup()
      )
      moved.append(jax.tree.map(np.subtract, last.params, first.params))
    usual, scaled = (x['encoders_image'] for x in moved)
    for name, factor in (
      ('last', 1.0),
      ('stages_1', 0.25),
      ('stages_0', 0.25**2),
      ('patches', 0.25**3),
    ):
      jax.tree.map(
        lambda a, b, f=factor: np.testing.assert_allclose(
          f * a, b, atol=5e-7, rtol=1e-3
        ),
        usual[name],
        scaled[name],
      )
    head = [x['combiner']['head']['kernel'] for x in moved]
    np.testing.assert_array_equal(*head)

  def test_what_it_is_not_for(self):
    self.assertEmpty(method('layer_rates').phases_of(['encoders_a/Dense_0/w']))
    for spec, message in (
      ('layer_rates(decay=0)', 'above 0'),
      ('layer_rates(decay=1.5)', 'at most 1'),
      ('layer_rates(of=(cx,))', "mean 'cxr'"),
    ):
      with self.assertRaisesRegex(errors.UserError, message):
        method(spec)


if __name__ == '__main__':
  absltest.main()
