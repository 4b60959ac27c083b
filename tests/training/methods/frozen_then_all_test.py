import dataclasses

import jax
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.training import protocol
from tests import tiny
from tests.training import steps


def _method(spec):
  (method,) = protocol.create_methods(
    (spec,), task=tiny.task_of(types.BINARY), modalities=(types.EHR,)
  )
  return method


class FrozenThenAllTest(absltest.TestCase):
  def test_encoders_wait_for_their_share_of_the_steps(self):
    config = dataclasses.replace(
      steps.CONFIG, methods=('frozen_then_all(share=0.3)',)
    )
    for taken, moves in ((3, False), (4, True)):  # of 10
      first, last, _ = steps.train(config, taken)
      same = [
        np.array_equal(a, b)
        for a, b in zip(
          jax.tree.leaves(first.used['params']['encoders_ehr']),
          jax.tree.leaves(last.used['params']['encoders_ehr']),
          strict=True,
        )
      ]
      self.assertEqual(not all(same), moves)
      head = [x.params['combiner']['head']['kernel'] for x in (first, last)]
      self.assertGreater(float(abs(head[0] - head[1]).max()), 0.0)

  def test_names_what_is_frozen(self):
    phase = _method("frozen_then_all(frozen='ehr/first',share=0.5)").phases()
    self.assertEqual(
      phase, (protocol.Phase(until=0.5, groups=('ehr/first:0',)),)
    )
    config = dataclasses.replace(
      steps.CONFIG, methods=("frozen_then_all(frozen='nowhere')",)
    )
    with self.assertRaisesRegex(errors.UserError, "matches 'nowhere'"):
      steps.train(config)

  def test_impossible_shares_and_expressions(self):
    for spec, message in (
      ('frozen_then_all(share=2)', 'from 0 to 1'),
      ("frozen_then_all(frozen='(')", 'regular expression'),
    ):
      with self.assertRaisesRegex(errors.UserError, message):
        _method(spec)


if __name__ == '__main__':
  absltest.main()
