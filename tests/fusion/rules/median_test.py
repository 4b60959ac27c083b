"""Tests of the rule 'median'."""

import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from tests.fusion.rules import predicted

everyone = predicted.everyone
fit = predicted.fit


class MedianTest(absltest.TestCase):
  def test_of_those_that_are_there(self):
    rng = np.random.default_rng(0)
    logits = {m: rng.normal(size=(50, 1)) for m in 'abcd'}
    present = {m: rng.random(50) < 0.7 for m in logits}
    labels = rng.integers(0, 2, (50, 1)).astype(float)
    fitted = fit('median', types.BINARY, logits, present, labels)
    fused = fitted.apply(logits, present)
    for k in range(50):
      seen = [logits[m][k, 0] for m in logits if present[m][k]]
      if seen:
        self.assertAlmostEqual(fused[k, 0], np.median(seen))

  def test_one_that_is_far_off_moves_nothing(self):
    logits = {
      'a': np.ones((1, 1)),
      'b': np.full((1, 1), 2.0),
      'c': np.full((1, 1), 3.0),
    }
    here = everyone(logits)
    fitted = fit('median', types.BINARY, logits, here, np.ones((1, 1)))
    far = {**logits, 'c': np.full((1, 1), 1e6)}
    np.testing.assert_array_equal(
      fitted.apply(far, here), fitted.apply(logits, here)
    )


if __name__ == '__main__':
  absltest.main()
