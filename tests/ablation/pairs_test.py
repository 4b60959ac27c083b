"""Tests of grids of images and records, and of their additive part."""

import dataclasses

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.ablation import learner, learners, pairs
from fusion_jax.core import links, types
from fusion_jax.evaluation import metrics
from tests import tiny
from tests.ablation import neural_learner_test

HYPER = neural_learner_test.HYPER
ADDITIVE = ('early_pca', 'joint_additive', 'late_mean', 'late_weighted')
NEURAL = ('joint', 'joint_additive', 'joint_raw_ehr', 'early_features')


def fitted(arm, cohort, *, rows, hyper=None):
  """A trained arm and what it sees of the studies `rows`."""
  job = neural_learner_test.job_of(cohort)
  rng = np.random.default_rng(1)
  shape = (len(cohort), cohort.task.num_outputs)
  logits = {m: rng.normal(size=shape) for m in ('image', 'ehr')}
  one = neural_learner_test.learner_of(arm, cohort.task)
  if one.arm.learner != 'neural':
    hyper = hyper or {}
  inputs = dataclasses.replace(job.inputs, logits=logits)
  job = dataclasses.replace(
    job, inputs=inputs, hyper=HYPER if hyper is None else hyper
  )
  (trained,) = one.fit([job])
  return (
    one,
    trained,
    learner.Inputs(
      cohort.subset(rows),
      inputs.fitted,
      {m: tuple(x[rows] for x in f) for m, f in inputs.features.items()},
      {m: x[rows] for m, x in logits.items()},
    ),
  )


def complete(cohort, count):
  rows = np.flatnonzero(np.all([*cohort.present.values()], axis=0))
  return rows[:count]


class ProjectTest(parameterized.TestCase):
  def test_an_additive_grid_is_its_own_projection(self):
    rng = np.random.default_rng(0)
    grid = rng.normal(size=(5, 1, 2)) + rng.normal(size=(1, 5, 2))
    np.testing.assert_allclose(
      pairs.project(grid), np.einsum('iis->is', grid), atol=1e-12
    )

  def test_it_is_the_nearest_additive_grid(self):
    grid = np.random.default_rng(0).normal(size=(6, 6, 1))
    # Least squares on indicators of both studies of a pair.
    one = np.eye(6)
    design = np.concatenate(
      [np.repeat(one, 6, axis=0), np.tile(one, (6, 1))], axis=1
    )
    best = design @ np.linalg.lstsq(design, grid.reshape(-1), rcond=None)[0]
    np.testing.assert_allclose(
      pairs.project(grid)[:, 0], np.diag(best.reshape(6, 6)), atol=1e-9
    )

  def test_a_product_of_signs_is_projected_to_nothing(self):
    sign = np.tile([-1.0, 1.0], 10)
    grid = (sign[:, None] * sign)[:, :, None]
    np.testing.assert_allclose(pairs.project(grid), 0, atol=1e-12)


class GridTest(parameterized.TestCase):
  def _check(self, arm, cohort, count=10):
    rows = complete(cohort, count)
    one, trained, inputs = fitted(arm, cohort, rows=rows)
    grid = pairs.logits(one, trained, inputs)
    self.assertEqual(grid.shape, (count, count, cohort.task.num_outputs))
    np.testing.assert_allclose(
      grid, pairs.whole(one, trained, inputs), atol=2e-5
    )
    (own,) = one.predict([trained], [inputs], [np.arange(count)])
    np.testing.assert_allclose(np.einsum('iis->is', grid), own, atol=2e-5)
    additive = pairs.project(grid)
    if arm in ADDITIVE:
      np.testing.assert_allclose(
        links.scores_from_logits(cohort.task, additive),
        links.scores_from_logits(cohort.task, own),
        atol=1e-5,
      )
    return grid, additive, own

  @parameterized.product(
    arm=('early_pca', 'early_trees', 'late_mean', 'late_weighted'),
    kind=(types.BINARY, types.MULTICLASS, types.SURVIVAL),
  )
  def test_halves_paired_equal_pairs_run_whole(self, arm, kind):
    self._check(arm, tiny.cohort(kind=kind, absent=True))

  @parameterized.parameters('late_vote', 'late_stack')
  def test_other_rules(self, arm):
    grid, _, _ = self._check(arm, tiny.cohort())
    if arm == 'late_stack':
      np.testing.assert_allclose(
        grid[0, 0] - grid[0, 1], grid[1, 0] - grid[1, 1], atol=1e-9
      )

  def test_a_network(self):
    self._check('early_raw', tiny.cohort(absent=True))

  def test_more_studies_than_a_chunk_holds(self):
    cohort = tiny.cohort(120)
    one, trained, inputs = fitted('early_raw', cohort, rows=np.arange(100))
    (own,) = one.predict([trained], [inputs], [np.arange(100)])
    grid = pairs.logits(one, trained, inputs)
    np.testing.assert_allclose(np.einsum('iis->is', grid), own, atol=2e-5)

  @parameterized.parameters(*NEURAL)
  @pytest.mark.slow
  def test_cached_encodings_equal_whole_models(self, arm):
    for kind in (types.BINARY, types.REGRESSION, types.SURVIVAL):
      with self.subTest(kind):
        self._check(arm, tiny.cohort(kind=kind))

  def test_xor_is_dropped_to_chance(self):
    cohort = tiny.cohort(400)
    rng = np.random.default_rng(0)
    image, ehr = rng.integers(0, 2, (2, 400))
    pixels = np.zeros_like(tiny.images(cohort))
    pixels += (64 + 128 * image)[:, None, None, None, None].astype(np.uint8)
    cohort = tiny.changed(
      cohort,
      images=pixels,
      numeric=np.stack([ehr, rng.normal(size=400)], axis=1).astype(float),
      labels=(image ^ ehr).astype(float)[:, None],
    )
    job = neural_learner_test.job_of(cohort)
    # Trees on both features as they are: each is the other's condition.
    features = {'image': (image[:, None].astype(np.float32),) * 2}
    one = learners.create_learner(
      neural_learner_test.KNOWN['early_trees'],
      cohort.task,
      training=None,
      parallel=None,
    )
    inputs = dataclasses.replace(job.inputs, features=features)
    (trained,) = one.fit([dataclasses.replace(job, inputs=inputs, hyper={})])
    rows = job.split.test
    seen = learner.Inputs(
      cohort.subset(rows),
      inputs.fitted,
      {m: tuple(x[rows] for x in f) for m, f in features.items()},
    )
    grid = pairs.logits(one, trained, seen)

    def auroc(logits):
      scores = links.scores_from_logits(cohort.task, logits)
      found = metrics.evaluate(cohort.task, cohort.labels[rows], scores)
      return found['auroc'].estimate

    self.assertGreater(auroc(np.einsum('iis->is', grid)), 0.95)
    self.assertBetween(auroc(pairs.project(grid)), 0.35, 0.65)


if __name__ == '__main__':
  absltest.main()
