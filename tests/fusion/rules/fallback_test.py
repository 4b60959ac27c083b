"""Tests of the rule 'fallback'."""

import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from fusion_jax.core import errors, links, types
from fusion_jax.fusion import late
from fusion_jax.fusion.rules import fallback
from tests.fusion.rules import predicted

everyone = predicted.everyone
example = predicted.example
fit = predicted.fit


class ThresholdTest(absltest.TestCase):
  def test_is_the_rank_of_the_finite_sample(self):
    """ceil((n + 1) level), as Angelopoulos and Bates have it."""
    rng = np.random.default_rng(0)
    for n in (9, 10, 37):
      error = rng.random(n)
      for level in (0.5, 0.8, 0.9):
        rank = int(np.ceil((n + 1) * level - 1e-9))
        exact = np.sort(error)[rank - 1] if rank <= n else 1.0
        found = fallback.threshold(error, np.full(n, 3.0), level)
        self.assertEqual(found, exact)

  def test_weights_count_as_copies(self):
    """But for the new study, whose weight is the mean one."""
    rng = np.random.default_rng(1)
    error, times = rng.random(200), rng.integers(1, 4, 200)
    found = fallback.threshold(error, times.astype(float), 0.8)
    copies = np.sort(np.repeat(error, times))
    self.assertLessEqual(copies[int(0.8 * len(copies)) - 1], found)
    self.assertLessEqual(found, copies[int(0.8 * len(copies)) + 4])

  def test_too_few_studies_exclude_nothing(self):
    self.assertEqual(fallback.threshold(np.zeros(5), np.ones(5), 0.9), 1.0)
    self.assertEqual(fallback.threshold(np.zeros(0), np.ones(0), 0.5), 1.0)

  def test_sets_hold_the_label_as_often_as_they_say(self):
    """Marginally, over draws of both parts."""
    rng = np.random.default_rng(2)
    held = []
    for _ in range(400):
      error = rng.beta(2, 5, 31)
      cut = fallback.threshold(error[:30], np.ones(30), 0.8)
      held.append(error[30] <= cut)
    # The guarantee is .8 to .8 + 1 / 31.
    self.assertBetween(np.mean(held), 0.8 - 0.06, 0.84 + 0.06)


class FallbackTest(parameterized.TestCase):
  @parameterized.parameters(types.BINARY, types.MULTILABEL, types.MULTICLASS)
  def test_where_the_set_is_no_single_class_the_better_modality_speaks(
    self, kind
  ):
    task = predicted.TASKS[kind]
    logits, present, labels = example(kind, n=400)
    fitted = fit('fallback(level=0.8)', kind, logits, present, labels)
    mean = fit('mean', kind, logits, present, labels).apply(logits, present)
    both = present['image'] & present['ehr']
    losses = [
      links.mean_loss(task, x[both], labels[both]) for x in logits.values()
    ]
    best = list(logits)[int(np.argmin(losses))]
    fused = fitted.apply(logits, present)
    alone = logits[best]
    if kind == types.MULTICLASS:
      alone = special.log_softmax(alone, axis=1)
    seen = present['image'] | present['ehr']
    sides = set()
    for i in np.flatnonzero(seen):
      for k, cut in enumerate(fitted.state['thresholds']):
        if kind == types.MULTICLASS:
          p, at = special.softmax(mean[i]), slice(None)
        else:
          p = special.expit(np.array([-1, 1]) * mean[i, k])
          at = slice(k, k + 1)
        sure = (1 - p <= cut).sum() == 1
        own = mean if sure or not present[best][i] else alone
        np.testing.assert_allclose(fused[i, at], own[i, at], rtol=1e-9)
        sides.add(bool(sure))
    self.assertEqual(sides, {True, False})

  def test_a_level_that_is_low_or_high(self):
    logits, present, labels = example(types.BINARY, n=400, absent=0)
    mean = fit('mean', types.BINARY, logits, present, labels)
    sure = fit('fallback(level=0.999)', types.BINARY, logits, present, labels)
    np.testing.assert_array_equal(sure.apply(logits, present), logits['image'])
    # Errors up to one half: all that is not the label has more.
    cut = fit('fallback(level=0.01)', types.BINARY, logits, present, labels)
    self.assertLess(cut.state['thresholds'][0], 0.5)
    self.assertFalse(
      np.allclose(cut.apply(logits, present), mean.apply(logits, present))
    )

  def test_regression_and_survival_have_no_classes(self):
    for kind in (types.REGRESSION, types.SURVIVAL):
      with self.assertRaisesRegex(errors.UserError, 'does not support'):
        fit('fallback', kind, *example(kind))

  def test_impossible_levels(self):
    with self.assertRaisesRegex(errors.UserError, 'between 0 and 1'):
      late.create('fallback(level=1)')


if __name__ == '__main__':
  absltest.main()
