"""Tests of what late rules average."""

import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.fusion import evidence
from tests.fusion.rules import predicted


class EvidenceTest(absltest.TestCase):
  def test_moments_of_nothing(self):
    self.assertEqual(evidence.moments(np.zeros((0, 1)), np.zeros(0)), (0, 1))
    same = evidence.moments(np.full((3, 1), 5.0), np.ones(3))
    self.assertEqual(same, (5.0, 1.0))

  def test_a_study_of_weightless_modalities_has_their_plain_mean(self):
    values = np.array([[[2.0]], [[4.0]]])
    here = np.ones((2, 1), bool)
    found = evidence.weighted_mean(values, here, [0.0, 0.0])
    self.assertEqual(found[0, 0], 3.0)
    found = evidence.weighted_mean(values, here, [3.0, 1.0])
    self.assertEqual(found[0, 0], 2.5)

  def test_absent_is_zero(self):
    task = predicted.TASKS[types.MULTICLASS]
    state = {'center': [0.0], 'scale': [1.0]}
    values = np.ones((1, 2, 3))
    here = np.array([[True, False]])
    found = evidence.of(task, values, here, state)
    np.testing.assert_allclose(found[0, 0], -np.log(3))
    np.testing.assert_array_equal(found[0, 1], 0)


if __name__ == '__main__':
  absltest.main()
