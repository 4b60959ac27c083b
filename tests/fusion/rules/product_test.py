"""Tests of the rule 'product'."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import links, types
from tests.fusion.rules import predicted

everyone = predicted.everyone
example = predicted.example
fit = predicted.fit


class ProductTest(parameterized.TestCase):
  @parameterized.parameters(types.BINARY, types.MULTICLASS)
  def test_is_bayes_rule_of_independent_modalities(self, kind):
    """Two Gaussian views of a class, whose posteriors are exact."""
    rng = np.random.default_rng(0)
    task = predicted.TASKS[kind]
    prior = np.array([0.3, 0.7] if kind == types.BINARY else [0.2, 0.3, 0.5])
    classes = len(prior)
    y = rng.choice(classes, 20_000, p=prior)
    means = np.arange(classes, dtype=float)
    log = []
    for _ in range(2):
      x = means[y] + rng.normal(size=len(y))
      log.append(-0.5 * (x[:, None] - means) ** 2)
    exact = np.log(prior) + sum(log)
    posteriors = [np.log(prior) + one for one in log]
    if kind == types.BINARY:
      posteriors = [p[:, 1:] - p[:, :1] for p in posteriors]
    logits = dict(zip(('image', 'ehr'), posteriors, strict=True))
    here = everyone(logits)
    fitted = fit('product', kind, logits, here, y[:, None].astype(float))
    found = links.scores_from_logits(task, fitted.apply(logits, here))
    exact = np.exp(exact) / np.exp(exact).sum(1, keepdims=True)
    if kind == types.BINARY:
      exact = exact[:, 1:]
    # The prior is estimated.
    np.testing.assert_allclose(found, exact, atol=0.01)

  def test_a_modality_alone_is_what_it_says(self):
    logits, present, labels = example(types.BINARY)
    fitted = fit('product', types.BINARY, logits, present, labels)
    one = present['image'] & ~present['ehr']
    np.testing.assert_allclose(
      fitted.apply(logits, present)[one], logits['image'][one]
    )


if __name__ == '__main__':
  absltest.main()
