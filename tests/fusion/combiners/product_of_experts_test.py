"""Tests of the product of Gaussian experts."""

import numpy as np
from absl.testing import absltest

from tests.fusion import examples


class ProductOfExpertsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    found, present = examples.features(ct=3, labs=2, note=4)
    self.x = examples.pooled(found)
    self.params, self.logits, self.out = examples.run(
      'product_of_experts(width=5)', found, present
    )

  def expert(self, m):
    mean = examples.dense(self.params[f'mean_{m}'], self.x[m])
    log = examples.dense(self.params[f'log_precision_{m}'], self.x[m])
    return mean, np.exp(-log / 2)

  def test_is_the_product_of_densities(self):
    """Of three experts and the prior, multiplied on a grid."""
    grid = np.linspace(-12, 12, 20001)
    log = -(grid**2) / 2
    for m in ('ct', 'labs', 'note'):
      mean, sd = (x[0, 0] for x in self.expert(m))
      log = log - ((grid - mean) / sd) ** 2 / 2
    density = np.exp(log - log.max())
    density /= density.sum()
    mean = (density * grid).sum()
    self.assertAlmostEqual(self.out['mean'][0, 0], mean, places=4)
    self.assertAlmostEqual(
      self.out['variance'][0, 0],
      (density * (grid - mean) ** 2).sum(),
      places=4,
    )
    np.testing.assert_allclose(
      self.logits,
      examples.dense(self.params['head'], self.out['mean']),
      rtol=1e-4,
      atol=1e-5,
    )

  def test_without_an_expert_the_prior_is_left(self):
    np.testing.assert_array_equal(self.out['mean'][3], 0)
    np.testing.assert_array_equal(self.out['variance'][3], 1)
    # The second study has one modality.
    mean, sd = (x[1] for x in self.expert('ct'))
    precision = sd**-2
    np.testing.assert_allclose(
      self.out['mean'][1], precision * mean / (1 + precision), rtol=1e-4
    )
    np.testing.assert_array_equal(self.out['precisions'][1, 1:], 0)


if __name__ == '__main__':
  absltest.main()
