import dataclasses

import jax
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from tests.training import encoder_layers_test, steps
from tests.training.methods import layer_rates_test


class GradualUnfreezingTest(parameterized.TestCase):
  def test_phases_free_one_layer_more(self):
    method = layer_rates_test.method('gradual_unfreezing(share=0.6)')
    phases = method.phases_of(encoder_layers_test.PATHS)
    np.testing.assert_allclose(
      [x.until for x in phases], 0.6 * np.arange(1, 13) / 12
    )
    held = [
      sorted(
        path
        for group in phase.groups
        for path in encoder_layers_test.matched(group.rpartition(':')[0])
      )
      for phase in phases
    ]
    cxr, scan = (
      [x for x in encoder_layers_test.PATHS if x.startswith(start)]
      for start in ('encoders_cxr', 'encoders_scan/encoder')
    )
    # Neither the head nor the pooling nor an encoder without stages.
    self.assertEqual(held[0], sorted([*cxr, *scan]))
    first, stage = scan
    last, patches, *stages = cxr
    del last, stage
    self.assertEqual(held[1], sorted([patches, *stages[:10], first]))
    self.assertEqual(held[2], sorted([patches, *stages[:9]]))
    self.assertEqual(held[11], [patches])

  @parameterized.parameters(
    (1, set()),
    (3, {'stages_1', 'last'}),
    (5, {'stages_1', 'last', 'stages_0'}),
    (7, {'stages_1', 'last', 'stages_0', 'patches'}),
  )
  def test_layers_move_once_they_are_let_go(self, taken, expected):
    """Of ten steps two belong to each phase."""
    config = dataclasses.replace(
      steps.CONFIG, methods=('gradual_unfreezing(share=0.6)',)
    )
    first, last, _ = steps.train(config, taken, setup=layer_rates_test.setup())
    moved = {
      name
      for name, tree in first.params['encoders_image'].items()
      if not all(
        np.array_equal(a, b)
        for a, b in zip(
          jax.tree.leaves(tree),
          jax.tree.leaves(last.params['encoders_image'][name]),
          strict=True,
        )
      )
    }
    self.assertEqual(moved, expected)

  def test_impossible_values(self):
    for spec, message in (
      ('gradual_unfreezing(share=2)', 'from 0 to 1'),
      ('gradual_unfreezing(of=(cx,))', "mean 'cxr'"),
    ):
      with self.assertRaisesRegex(errors.UserError, message):
        layer_rates_test.method(spec)


if __name__ == '__main__':
  absltest.main()
