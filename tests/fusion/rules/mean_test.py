"""Tests of the rule 'mean'."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import links, types
from tests.fusion.rules import predicted

example = predicted.example
fit = predicted.fit


class MeanTest(parameterized.TestCase):
  @parameterized.parameters(
    (types.BINARY, 'logit'),
    (types.MULTILABEL, 'logit'),
    (types.REGRESSION, 'value'),
    (types.MULTICLASS, 'log probability'),
  )
  def test_averages_what_it_says(self, kind, what):
    logits, present, labels = example(kind)
    fused = fit('mean', kind, logits, present, labels).apply(logits, present)
    values = dict(logits)
    if what == 'log probability':
      values = {
        k: np.log(links.scores_from_logits(predicted.TASKS[kind], v))
        for k, v in logits.items()
      }
    both = present['image'] & present['ehr']
    np.testing.assert_allclose(
      fused[both], (values['image'][both] + values['ehr'][both]) / 2
    )
    one = present['image'] & ~present['ehr']
    self.assertTrue(one.any())
    np.testing.assert_allclose(fused[one], values['image'][one])

  def test_log_hazards_are_standardised_on_validation(self):
    logits, present, labels = example(types.SURVIVAL)
    fused = fit('mean', types.SURVIVAL, logits, present, labels).apply(
      logits, present
    )
    standard = {
      k: (v - v[present[k]].mean()) / v[present[k]].std()
      for k, v in logits.items()
    }
    both = present['image'] & present['ehr']
    np.testing.assert_allclose(
      fused[both], (standard['image'][both] + standard['ehr'][both]) / 2
    )
    # So the unit of one model's log hazard does not matter.
    louder = {**logits, 'ehr': 50 * logits['ehr'] + 7}
    again = fit('mean', types.SURVIVAL, louder, present, labels)
    np.testing.assert_allclose(again.apply(louder, present), fused)


if __name__ == '__main__':
  absltest.main()
