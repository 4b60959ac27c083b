import dataclasses

import numpy as np
from absl.testing import absltest

from fusion_jax.training import config as training_config
from fusion_jax.training import feed as feeds
from fusion_jax.training import neural
from tests import tiny

CONFIG = training_config.TrainingConfig(
  epochs=3, least_steps=0, least_patience=0, batch_size=10
)


def _feed(config=CONFIG, multiple=1):
  members = [
    neural.Member(np.arange(25), np.arange(25, 40), seed=1),
    neural.Member(np.arange(40, 80), np.arange(80, 90), seed=2),
  ]
  cohort = tiny.cohort()
  return feeds.Feed(cohort, cohort.task, members, config, multiple), members


class FeedTest(absltest.TestCase):
  def test_an_epoch_is_a_permutation_by_seed_and_epoch_alone(self):
    feed, members = _feed()
    self.assertEqual(feed.steps, [2, 4])
    both = feed.train(1, [0, 1])
    self.assertEqual(both.rows.shape, (2, 4, 10))
    self.assertEqual(set(both.rows[1].ravel()), set(members[1].train))
    # The last 5 of 25 rows wait for another epoch: a member takes its own
    # steps and no more.
    self.assertLen(set(both.rows[0, :2].ravel()), 20)
    alone = feed.train(1, [1])
    np.testing.assert_array_equal(both.rows[1], alone.rows[0])
    self.assertTrue((feed.train(2, [1]).rows != alone.rows).any())
    short = feed.train(1, [0])
    self.assertEqual(short.rows.shape, (1, 2, 10))
    np.testing.assert_array_equal(short.rows[0], both.rows[0, :2])

  def test_validation_is_in_order_and_whole(self):
    feed, members = _feed()
    plan = feed.valid([0, 1])
    for k, m in enumerate(members):
      counted = plan.rows[k].ravel()[plan.weight[k].ravel() > 0]
      np.testing.assert_array_equal(counted, m.valid)

  def test_segments_are_cut_alike(self):
    self.assertEqual(feeds.even(65, 64), 33)
    self.assertEqual(feeds.even(64, 64), 64)
    self.assertEqual(feeds.even(3, 0), 1)
    self.assertEqual(feeds.cuts(7, 4), [(0, 4), (4, 3)])
    self.assertEqual(feeds.cuts(7, 4, start=5), [(5, 2)])

  def test_segments_end_where_the_fit_is_saved(self):
    feed, _ = _feed(dataclasses.replace(CONFIG, save_steps=3))
    self.assertEqual((feed.longest, feed.length()), (4, 2))
    self.assertEqual(feed.cuts(1, 2), [(0, 2), (2, 1), (3, 1)])
    # The sixth step of all is the second one of this epoch.
    self.assertEqual(feed.cuts(2, 2), [(0, 2), (2, 2)])
    self.assertEqual(feed.cuts(2, 3), [(0, 2), (2, 2)])
    self.assertEqual(feed.cuts(2, 3, start=3), [(3, 1)])

  def test_a_part_of_a_plan_is_padded(self):
    plan = _feed()[0].train(1, [0, 1])
    part = feeds.part(plan, 3, 1, 2)
    np.testing.assert_array_equal(part.rows[:, 0], plan.rows[:, 3])
    self.assertEqual(part.rows.shape, (2, 2, 10))
    self.assertFalse(part.weight[:, 1].any())

  def test_batches_can_be_cut_over_devices_and_into_parts(self):
    config = dataclasses.replace(CONFIG, accumulate=3)
    plan = _feed(config, multiple=4)[0].first()
    self.assertEqual(plan.rows.shape, (2, 1, 12))
    np.testing.assert_array_equal(plan.weight[0, 0], [1] * 10 + [0] * 2)

  def test_class_balance_weights_classes_alike(self):
    cohort = tiny.cohort()
    labels = np.r_[np.zeros(30), np.ones(10)][:, None]
    skewed = dataclasses.replace(cohort.subset(np.arange(40)), labels=labels)
    weight = feeds.weights_of(skewed, cohort.task, np.arange(40), 'balanced')
    self.assertAlmostEqual(weight[:30].sum(), weight[30:].sum())
    self.assertAlmostEqual(weight.sum(), 40.0)


if __name__ == '__main__':
  absltest.main()
