"""Tests of the rule 'weighted'."""

import numpy as np
from absl.testing import absltest
from sklearn import metrics

from fusion_jax.core import types
from tests.fusion.rules import predicted

example = predicted.example
fit = predicted.fit


class WeightedTest(absltest.TestCase):
  def test_weights_are_the_shares_of_skill(self):
    logits, present, labels = example(types.BINARY)
    fitted = fit('weighted', types.BINARY, logits, present, labels)
    skills = []
    for name, value in logits.items():
      rows = present[name] & ~np.isnan(labels[:, 0])
      y = labels[rows, 0]
      rate = (y.sum() + 0.5) / (len(y) + 1)
      loss = metrics.log_loss(y, 1 / (1 + np.exp(-value[rows, 0])))
      base = metrics.log_loss(y, np.full(len(y), rate))
      skills.append(1 - loss / base)
    self.assertGreater(min(skills), 0)
    weights = np.array(skills) / sum(skills)
    np.testing.assert_allclose(fitted.state['weights'], weights)
    both = present['image'] & present['ehr']
    np.testing.assert_allclose(
      fitted.apply(logits, present)[both],
      weights[0] * logits['image'][both] + weights[1] * logits['ehr'][both],
    )
    alone = present['ehr'] & ~present['image']
    np.testing.assert_allclose(
      fitted.apply(logits, present)[alone], logits['ehr'][alone]
    )

  def test_a_modality_without_skill_counts_only_alone(self):
    logits, present, labels = example(types.BINARY)
    logits['ehr'] = -5 * logits['image']
    fitted = fit('weighted', types.BINARY, logits, present, labels)
    self.assertEqual(fitted.state['weights'], [1.0, 0.0])
    fused = fitted.apply(logits, present)
    here = present['image']
    np.testing.assert_allclose(fused[here], logits['image'][here])
    alone = present['ehr'] & ~here
    np.testing.assert_allclose(fused[alone], logits['ehr'][alone])

  def test_equal_weights_without_any_skill(self):
    logits, present, labels = example(types.BINARY)
    logits = {k: -5 * v for k, v in logits.items()}
    fitted = fit('weighted', types.BINARY, logits, present, labels)
    self.assertEqual(fitted.state['weights'], [1.0, 1.0])
    both = present['image'] & present['ehr']
    np.testing.assert_allclose(
      fitted.apply(logits, present)[both],
      (logits['image'] + logits['ehr'])[both] / 2,
    )


if __name__ == '__main__':
  absltest.main()
