"""Tests of the rule 'vote'."""

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics

from fusion_jax.core import errors, links, types
from fusion_jax.fusion import late
from tests.fusion.rules import predicted

everyone = predicted.everyone
example = predicted.example
fit = predicted.fit


class VoteTest(parameterized.TestCase):
  def test_thresholds_maximise_youdens_index(self):
    logits, present, labels = example(types.BINARY)
    fitted = fit('vote', types.BINARY, logits, present, labels)
    for m, name in enumerate(fitted.modalities):
      rows = present[name] & ~np.isnan(labels[:, 0])
      y, z = labels[rows, 0], logits[name][rows, 0]
      false, true, _ = metrics.roc_curve(y, z, drop_intermediate=False)
      cut = fitted.state['thresholds'][m][0]
      index = (z[y == 1] > cut).mean() - (z[y == 0] > cut).mean()
      self.assertAlmostEqual(index, np.max(true - false), places=12)

  def test_counts_votes_and_never_how_sure_they_were(self):
    logits, present, labels = example(types.BINARY)
    fitted = fit('vote', types.BINARY, logits, present, labels)
    image, ehr = np.array(fitted.state['thresholds'])[:, 0]
    cases = {
      'image': np.array([[image + 1], [image + 99], [image - 1], [image + 9]]),
      'ehr': np.array([[ehr - 99], [ehr - 1], [ehr - 1], [ehr + 1]]),
    }
    share = links.scores_from_logits(
      predicted.BINARY, fitted.apply(cases, everyone(cases))
    )
    np.testing.assert_allclose(share[:, 0], [0.5, 0.5, 0, 1], atol=1e-9)
    alone = {**everyone(cases), 'ehr': np.zeros(4, bool)}
    share = links.scores_from_logits(
      predicted.BINARY, fitted.apply(cases, alone)
    )
    np.testing.assert_allclose(share[:, 0], [1, 1, 0, 1], atol=1e-9)

  def test_a_class_gets_the_share_of_modalities_that_choose_it(self):
    logits, present, labels = example(types.MULTICLASS)
    fitted = fit('vote', types.MULTICLASS, logits, present, labels)
    cases = {
      'image': np.array([[9.0, 1, 2], [0, 1, 0]]),
      'ehr': np.array([[9.0, 10, 2], [0, 1, 0]]),
    }
    share = links.scores_from_logits(
      predicted.TASKS[types.MULTICLASS],
      fitted.apply(cases, everyone(cases)),
    )
    np.testing.assert_allclose(share, [[0.5, 0.5, 0], [0, 1, 0]], atol=1e-9)

  @parameterized.parameters(types.REGRESSION, types.SURVIVAL)
  def test_says_that_it_is_not_for_other_tasks(self, kind):
    self.assertNotIn(kind, late.create('vote').tasks)
    with self.assertRaisesRegex(
      errors.UserError, f"'vote' does not support {kind} tasks.*binary"
    ):
      fit('vote', kind, *example(kind))


if __name__ == '__main__':
  absltest.main()
