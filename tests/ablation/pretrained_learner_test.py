"""Tests of arms on frozen features of published weights."""

import json
import pathlib
from unittest import mock

import jax
import numpy as np
import pytest
import safetensors.numpy
from absl.testing import absltest, parameterized

from fusion_jax.ablation import (
  families,
  frozen,
  learner,
  learners,
  plan,
  views,
)
from fusion_jax.core import errors
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config
from fusion_jax.training import neural, pretrained
from tests import tiny
from tests.ablation import (
  config_test,
  init_test,
  learner_test,
  plan_test,
  runner_test,
)
from tests.training.layouts import vit_test

ARMS = ('image_pretrained', 'early_pretrained', 'late_pretrained')
FAMILIES = 'families=review,pretrained'


class WeightsTestCase(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = pathlib.Path(self.create_tempdir().full_path)
    self.weights, self.path = vit_test.arrays('vit'), folder / 'w.safetensors'
    safetensors.numpy.save_file(self.weights, self.path)

  def definition(self, *, name='pretrained', encoder=init_test.VIT):
    """The upstream arm, of the weights of this test."""
    init = f'init=("image=vit:{self.path}",)'
    return f'--arm={name}=pretrained(image={encoder},{init})'

  def change_weights(self):
    kernel = self.weights['layernorm.weight'] + np.float32(1)
    changed = {**self.weights, 'layernorm.weight': kernel}
    safetensors.numpy.save_file(changed, self.path)

  def arm(self, *overrides):
    config = config_test.config(self.definition(), *overrides)
    return config.known_arms['pretrained']

  def learner(self, arm=None, cohort=None):
    return learners.create_learner(
      arm or self.arm(),
      (cohort or tiny.cohort()).task,
      training=training_config.TrainingConfig(),
      parallel=parallel_config.ParallelConfig(devices=1),
    )


class LearnerTest(WeightsTestCase):
  def test_features_are_those_of_the_weights_and_the_same_everywhere(self):
    cohort = tiny.cohort(absent=True)
    one = self.learner()
    jobs = [learner_test.job(cohort) for _ in range(2)]
    trained = one.fit(jobs)
    with mock.patch.object(
      neural, 'encode_fleet', wraps=neural.encode_fleet
    ) as encode:
      (found,), (again,) = one.encode(trained, [j.inputs for j in jobs])
    self.assertLen(encode.call_args.kwargs['rows'], 1)
    self.assertIs(found, again)
    pixels = tiny.images(cohort).astype(np.float32) / 255
    inputs = {
      'pixels': (pixels - 0.5) / 0.5,
      'mask': tiny.image_mask(cohort),
    }
    expected = vit_test.loaded('vit', self.weights, inputs, init_test.VIT)
    here = cohort.present['image']
    self.assertLess(here.sum(), len(here))
    np.testing.assert_allclose(found[here], expected.pooled[here], atol=1e-5)
    np.testing.assert_array_equal(found[~here], 0)
    # All that a feature passes through, and no head.
    loaded = pretrained.read(pretrained.Source('vit', str(self.path)))
    numbers = sum(x.size for x in loaded.arrays.values())
    # Of a grey image, on another grid of patches.
    grey = vit_test.WIDTH * vit_test.PATCH**2 * 2
    grid = (vit_test.TOKENS - 5) * vit_test.WIDTH
    self.assertEqual(trained[0].parameters, numbers - grey - grid)

  def test_what_is_saved_gives_the_same_features_without_the_weights(self):
    cohort = tiny.cohort()
    one, job = self.learner(), learner_test.job(cohort)
    trained = one.fit([job])
    folder = pathlib.Path(self.create_tempdir().full_path) / 'model'
    one.save(trained[0], folder, fitted=job.inputs.fitted, extra={})
    self.path.unlink()
    again, fitted = self.learner().load(folder)
    inputs = learner.Inputs(cohort, fitted)
    ((found,),) = one.encode([again], [inputs])
    ((expected,),) = one.encode(trained, [job.inputs])
    np.testing.assert_array_equal(found, expected)

  def test_it_needs_weights_and_no_labels(self):
    cohort = tiny.cohort()
    job = learner_test.job(cohort)
    self.learner().check(job)
    nothing = config_test.config('--arm=x=pretrained(image=cnn,init=())')
    with self.assertRaisesRegex(errors.UserError, 'no published weights for'):
      self.learner(nothing.known_arms['x']).check(job)


class PlanTest(WeightsTestCase):
  def nodes(self, *overrides, **options):
    made = plan_test.make(
      FAMILIES, self.definition(), *overrides, listed=ARMS, **options
    )
    return made

  def test_one_piece_of_work_for_all_folds_and_seeds(self):
    made = self.nodes('seeds=2')
    self.assertLen(made.nodes['pretrained'], 4)
    self.assertLen(made.distinct('pretrained'), 1)
    self.assertLen(made.distinct('image_pretrained'), 4)
    (key,) = {n.key for n in made.nodes['pretrained']}
    for node in made.nodes['early_pretrained']:
      self.assertEqual(node.upstream, (key,))

  def test_weights_and_content_count_and_splits_do_not(self):
    def keys(arm, *overrides, **options):
      return {n.key for n in self.nodes(*overrides, **options).nodes[arm]}

    usual = {arm: keys(arm) for arm in ('pretrained', 'early_pretrained')}
    cells = (plan.Cell(0, 0, 'x'), plan.Cell(0, 1, 'y', small=True))
    self.assertEqual(keys('pretrained', cells=cells), usual['pretrained'])
    self.assertEqual(
      keys('pretrained', 'training.epochs=3'), usual['pretrained']
    )
    self.assertNotEqual(
      keys('early_pretrained', cells=cells), usual['early_pretrained']
    )
    self.assertNotEqual(keys('pretrained', digest='d'), usual['pretrained'])
    self.change_weights()
    for arm, before in usual.items():
      self.assertNoCommonElements(keys(arm), before)

  def test_second_stages_are_trained_on_all_of_their_part(self):
    known = families.pretrained(families.USUAL)
    for arm in ARMS[:2]:
      self.assertEqual(learner.models_per_node(known[arm], small=True), 1)
    both = config_test.config(
      '--arm=own=early_trees(image=pretrained(of=pretrained))'
    ).known_arms
    self.assertEqual(learner.models_per_node(both['own'], small=False), 1)
    self.assertEqual(learner.models_per_node(both['early_trees'], False), 2)

  @parameterized.parameters(
    ('pretrained(of=extractor)', r'seen as features\(of=extractor\)'),
    ('features(of=pretrained)', r'seen as pretrained\(of=pretrained\)'),
    ('pretrained(of=image)', "'image' does not give"),
    ('pretrained(of=pretraind)', "mean 'pretrained'"),
  )
  def test_views_that_do_not_fit(self, view, message):
    with self.assertRaisesRegex(errors.UserError, message):
      _ = config_test.config(f'--arm=x=image_linear(image={view})').known_arms


class ViewTest(absltest.TestCase):
  def test_an_arm_may_see_both_kinds_of_features(self):
    """Whose encoder was trained on halves has two of them, the other one."""
    one, two = np.zeros((4, 2)), np.ones((4, 2))
    seen = learner.Inputs(None, None, {'a': (one,), 'b': (one, two)})
    for half, expected in enumerate((one, two)):
      self.assertIs(views.encoded('a', seen, half), one)
      self.assertIs(views.encoded('b', seen, half), expected)


class NetworkTest(WeightsTestCase):
  def test_what_encodes_the_features_learns(self):
    """Unlike an encoder whose own features are given."""
    cohort = tiny.cohort()
    text = (
      'early_features(image=pretrained(of=pretrained,encoder=mlp(width=4)))'
    )
    arm = config_test.config(f'--arm=x={text}').known_arms['x']
    one = learners.create_learner(
      arm,
      cohort.task,
      training=training_config.TrainingConfig(
        epochs=1, least_steps=0, least_patience=0
      ),
      parallel=parallel_config.ParallelConfig(devices=1),
    )
    x = np.random.default_rng(0).normal(size=(len(cohort), 3))
    job = learner_test.job(
      cohort,
      features={'image': (x.astype(np.float32),)},
      hyper={'learning_rate': 1e-2, 'weight_decay': 0.0},
    )
    (trained,) = one.fit([job])
    self.assertLen(trained.models, 1)
    self.assertEqual(one.model_config(job.inputs).frozen, ())
    encoder = trained.models[0].params['encoders_image']
    self.assertIn((3, 4), [x.shape for x in jax.tree.leaves(encoder)])


class RunTest(WeightsTestCase):
  def test_the_encoder_runs_once_and_models_are_read_again(self):
    path = pathlib.Path(self.create_tempdir().full_path) / 'run'
    cohort = tiny.cohort(absent=True)
    with mock.patch.object(
      neural, 'encode_fleet', wraps=neural.encode_fleet
    ) as encode:
      report, store, _ = runner_test.run(
        path,
        FAMILIES,
        self.definition(),
        'seeds=2',
        arms=f'run_arms={",".join(ARMS)}',
        cohort=cohort,
      )
    self.assertEmpty(report.failures)
    self.assertEqual(encode.call_count, 1)
    made = report.summary['arms']['early_pretrained']['made_of']
    self.assertEqual(made['inputs'][0]['view'], 'pretrained')
    self.assertIn('training.init', made['upstream']['pretrained']['differs'])
    # Predictions of the saved models, without the file of weights.
    self.path.unlink()
    models = json.loads((path / 'models.json').read_text())
    config = config_test.config(*runner_test.SMALL, FAMILIES, self.definition())
    with mock.patch.object(
      neural, 'encode_fleet', wraps=neural.encode_fleet
    ) as encode:
      applied = frozen.Frozen(config, models, store, cohort)
      found = {arm: applied.logits(arm) for arm in ARMS}
    self.assertEqual(encode.call_count, 1)
    for arm, logits in found.items():
      self.assertLen(logits, 4)
      for entry in models['arms'][arm]:
        again = logits[frozen.place_of(entry)]
        for one in store.read(entry['key']).arrays['logits_test']:
          self.assertTrue(np.isclose(again, one, atol=1e-5).all(1).any(), arm)

  @pytest.mark.slow
  def test_footprints_count_the_encoder(self):
    path = pathlib.Path(self.create_tempdir().full_path) / 'run'
    report, _, _ = runner_test.run(
      path,
      FAMILIES,
      self.definition(),
      'footprint=true',
      arms='run_arms=image_pretrained,ehr_linear',
    )
    costs = {a: x['cost'] for a, x in report.summary['arms'].items()}
    image = costs['image_pretrained']
    self.assertGreater(image['flops'], 100 * costs['ehr_linear']['flops'])
    self.assertGreater(image['latency_seconds'], 0)
    self.assertEqual(image['memory_bytes_reason'], 'not trained by steps')


if __name__ == '__main__':
  absltest.main()
