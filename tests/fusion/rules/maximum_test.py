"""Tests of the rule 'max'."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import links, types
from tests.fusion.rules import predicted

example = predicted.example
fit = predicted.fit


class MaximumTest(parameterized.TestCase):
  @parameterized.parameters(types.BINARY, types.MULTICLASS, types.MULTILABEL)
  def test_is_the_largest_probability_over_the_sum_of_classes(self, kind):
    task = predicted.TASKS[kind]
    logits, present, labels = example(kind)
    fitted = fit('max', kind, logits, present, labels)
    found = links.scores_from_logits(task, fitted.apply(logits, present))
    both = present['image'] & present['ehr']
    p = np.stack([links.scores_from_logits(task, x) for x in logits.values()])
    high = p.max(axis=0)
    if kind == types.MULTICLASS:
      exact = high / high.sum(axis=1, keepdims=True)
    else:
      exact = high / (high + (1 - p).max(axis=0))
    np.testing.assert_allclose(found[both], exact[both], atol=1e-9)


if __name__ == '__main__':
  absltest.main()
