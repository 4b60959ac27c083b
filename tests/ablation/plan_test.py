"""Tests of the plan: what is run, and what its keys depend on."""

import dataclasses
from unittest import mock

from absl.testing import absltest, parameterized

from fusion_jax.ablation import keys as keys_lib
from fusion_jax.ablation import learners, plan
from fusion_jax.core import errors, types
from fusion_jax.data import splits as splits_lib
from fusion_jax.parallel import strategy
from tests import tiny
from tests.ablation import config_test

CELLS = (plan.Cell(0, 0, 'a'), plan.Cell(0, 1, 'b'))


def make(*overrides, listed=('image',), digest='c', cells=CELLS, kind='binary'):
  return plan.make_plan(
    config_test.config(*overrides),
    listed=listed,
    task=tiny.task_of(kind),
    cohort_digest=digest,
    cells=cells,
  )


def keys(*args, **kwargs):
  return set(make(*args, **kwargs).by_key())


class GraphTest(absltest.TestCase):
  def test_upstream_is_planned_once_and_before_what_needs_it(self):
    listed = ('image', 'ehr', 'image_linear', 'early_features', 'late_mean')
    found = make('seeds=2', listed=listed)
    self.assertEqual(
      list(found.nodes),
      [
        'image',
        'ehr',
        'extractor',
        'image_linear',
        'early_features',
        'late_mean',
      ],
    )
    for nodes in found.nodes.values():
      self.assertLen(nodes, 4)
    places = {n.key: n.place for n in found.nodes['extractor']}
    for arm in ('image_linear', 'early_features'):
      for node in found.nodes[arm]:
        (upstream,) = node.upstream
        self.assertEqual(places[upstream], node.place)
    for node in found.nodes['late_mean']:
      self.assertLen(node.upstream, 2)

  def test_small_cohorts_are_told_apart(self):
    cohort = tiny.cohort()
    config = config_test.config('splits.folds=2')
    splits = splits_lib.make_splits(cohort, config.splits)
    outside = len(splits[0].train) + len(splits[0].valid)
    for below, small in ((outside, False), (outside + 1, True)):
      changed = config_test.config('splits.folds=2', f'small_below={below}')
      found = plan.cells_of(changed, cohort, splits)
      self.assertEqual(found[0].small, small)
    large = keys(listed=('ehr_linear',))
    cells = tuple(dataclasses.replace(c, small=True) for c in CELLS)
    small = keys(listed=('ehr_linear',), cells=cells)
    self.assertEmpty(large & small)
    folds = 'classical.inner_folds=3'
    self.assertEmpty(small & keys(folds, listed=('ehr_linear',), cells=cells))

  def test_all_keys_differ(self):
    found = make('seeds=2', 'trials=3', listed=('image', 'ehr', 'late_mean'))
    count = sum(len(nodes) for nodes in found.nodes.values())
    self.assertLen(found.by_key(), count)
    self.assertEqual(count, 2 * 2 * (3 + 3 + 1))

  def test_more_trainings_than_could_end(self):
    with self.assertRaisesRegex(
      errors.UserError, r'seeds=1000, trials=1000 and 1 arms are \d+ trainings'
    ):
      make('seeds=1000', 'trials=1000')

  def test_the_extractor_is_not_the_image_arm(self):
    found = make(listed=('image', 'image_linear'))
    self.assertEmpty(
      {n.key for n in found.nodes['image']}
      & {n.key for n in found.nodes['extractor']}
    )

  def test_adding_an_arm_a_seed_or_a_trial_only_adds_nodes(self):
    base = keys(listed=('image', 'ehr'))
    self.assertContainsSubset(base, keys(listed=('image', 'ehr', 'joint')))
    self.assertContainsSubset(base, keys('seeds=2', listed=('image', 'ehr')))
    self.assertContainsSubset(base, keys('trials=2', listed=('image', 'ehr')))
    more = CELLS + (plan.Cell(1, 0, 'd'),)
    self.assertContainsSubset(base, keys(listed=('image', 'ehr'), cells=more))

  def test_a_rule_depends_on_every_trial_of_what_it_needs(self):
    one = make(listed=('image', 'ehr', 'late_mean'))
    two = make('trials=2', listed=('image', 'ehr', 'late_mean'))
    self.assertLen(two.nodes['late_mean'], 2)
    self.assertLen(two.nodes['late_mean'][0].upstream, 4)
    self.assertEqual(two.trials['late_mean'], 1)
    self.assertNotEqual(
      one.nodes['late_mean'][0].key, two.nodes['late_mean'][0].key
    )


class KeyTest(parameterized.TestCase):
  @parameterized.parameters(
    'training.epochs=3',
    'training.weight_decay=.2',
    'preprocess.max_levels=9',
    '--arm=image=image(combiner=concat)',
    'parallel.strategy=pmap',
    'parallel.shard=data',
    'parallel.fleet=vmap',
    'seed=1',
  )
  def test_what_determines_a_neural_arm_changes_its_keys(self, override):
    self.assertEmpty(keys() & keys(override))

  @parameterized.parameters(
    'evaluation.margin=.05',
    'classical.l2=3',
    '--arm=joint=joint(combiner=additive)',
    'imports=json',
    'cohort.cache_dir=elsewhere',
    'parallel.devices=1',
    'parallel.feed=stream',
    'parallel.memory_limit=1',
    'training.save_steps=9',
  )
  def test_what_does_not_leaves_them(self, override):
    self.assertEqual(keys(), keys(override))

  def test_a_classical_arm_depends_on_its_own_settings_only(self):
    base = keys(listed=('ehr_trees',))
    for same in ('training.epochs=3', 'parallel.strategy=pmap'):
      self.assertEqual(base, keys(same, listed=('ehr_trees',)))
    for other in ('classical.l2=3', 'seed=1'):
      self.assertEmpty(base & keys(other, listed=('ehr_trees',)))

  def test_a_change_upstream_changes_what_stands_on_it(self):
    listed = ('image', 'ehr', 'late_mean', 'image_linear')
    base, other = make(listed=listed), make('training.epochs=3', listed=listed)
    for arm in base.nodes:
      for a, b in zip(base.nodes[arm], other.nodes[arm], strict=True):
        self.assertNotEqual(a.key, b.key, arm)

  def test_cohort_split_and_task(self):
    self.assertEmpty(keys() & keys(digest='other'))
    self.assertEmpty(keys() & keys(kind=types.REGRESSION))
    other = (plan.Cell(0, 0, 'x'), CELLS[1])
    self.assertLen(keys() & keys(cells=other), 1)

  def test_sources_and_versions(self):
    base = keys()
    with mock.patch.object(keys_lib, 'source_digest', lambda *x: 'new'):
      self.assertEmpty(base & keys())
    with mock.patch.object(keys_lib, 'environment', lambda arm: {'jax': '9'}):
      self.assertEmpty(base & keys())

  def test_settings_of_an_arm_change_its_keys(self):
    base = keys(listed=('ehr', 'ehr_trees'))
    for definition in (
      'ehr=ehr(epochs=3)',
      'ehr=ehr(learning_rate=.5)',
      'ehr=ehr(ehr=mlp(width=8))',
      'ehr_trees=ehr_trees(l2=7)',
    ):
      found = keys(f'--arm={definition}', listed=('ehr', 'ehr_trees'))
      self.assertLen(base & found, 2, definition)

  def test_what_equals_the_default_counts_as_not_given(self):
    for definition in (
      'image=image()',
      'image=image(image=resnet(depth=1),epochs=30)',
      'image=image(combiner=additive())',
    ):
      self.assertEqual(keys(), keys(f'--arm={definition}'), definition)


class ParallelTest(parameterized.TestCase):
  @parameterized.parameters(
    # Eight devices; two folds of as many seeds.
    ('ehr', 1, strategy.DATA),
    ('ehr', 3, strategy.DATA),
    ('ehr', 4, strategy.MEMBERS),
    ('extractor', 2, strategy.MEMBERS),
  )
  def test_sharding_follows_from_the_whole_plan(self, arm, seeds, shard):
    listed = ('ehr', 'image_linear')
    config = config_test.config(f'seeds={seeds}')
    made = make(f'seeds={seeds}', listed=listed)
    with self.subTest('auto'):
      found = plan.parallel_of(config, made, arm)
      self.assertEqual(found.shard, shard)
      self.assertEqual(found.devices, config.parallel.devices)
    with self.subTest('as configured'):
      config = config_test.config(f'seeds={seeds}', 'parallel.shard=data')
      found = plan.parallel_of(config, made, arm)
      self.assertEqual(found.shard, strategy.DATA)


class SearchTest(parameterized.TestCase):
  @parameterized.parameters(*learners.LEARNERS)
  def test_the_first_trial_is_the_configured_one(self, learner):
    config = config_test.config(
      'training.learning_rate=.01',
      'classical.l2=7',
      'classical.column_share=.3',
    )
    found = plan.hyperparameters(config, learner, 0)
    self.assertEqual(set(found), set(learners.LEARNERS[learner].space))
    if learner == 'neural':
      self.assertEqual(found['learning_rate'], 0.01)
    if learner == 'trees':
      self.assertEqual((found['l2'], found['column_share']), (7, 0.3))

  def test_trials_lie_in_their_space_and_can_be_repeated(self):
    config = config_test.config()
    drawn = [plan.hyperparameters(config, 'neural', t) for t in range(1, 200)]
    again = [plan.hyperparameters(config, 'neural', t) for t in range(1, 200)]
    self.assertEqual(drawn, again)
    rates = [x['learning_rate'] for x in drawn]
    rate = config.training.learning_rate
    self.assertBetween(min(rates), 0.25 * rate, 0.3 * rate)
    self.assertBetween(max(rates), 3.5 * rate, 4 * rate)
    for t in range(1, 50):
      found = plan.hyperparameters(config, 'trees', t)
      self.assertIn(found['max_leaf_nodes'], (4, 6, 15, 31))
      self.assertIsInstance(found['max_leaf_nodes'], int)
      self.assertIn(found['column_share'], (0, 0.5, 1))
      found = plan.hyperparameters(config, 'elastic_net', t)
      self.assertBetween(found['l1_ratio'], 0.05, 1)

  def test_every_arm_with_hyperparameters_gets_as_many_trials(self):
    found = make('trials=4', listed=('image', 'ehr_linear', 'early_trees'))
    self.assertEqual(
      found.trials,
      {'image': 4, 'ehr_linear': 4, 'extractor': 1, 'early_trees': 4},
    )

  def test_random_seeds_differ_by_place_and_not_by_arm(self):
    found = make('seeds=3', listed=('image', 'ehr'))
    image = [n.random_seed for n in found.nodes['image']]
    self.assertLen(set(image), 6)
    self.assertEqual(image, [n.random_seed for n in found.nodes['ehr']])
    self.assertTrue(all(0 <= x < 2**31 for x in image))


if __name__ == '__main__':
  absltest.main()
