"""Tests of images of one cohort with records of another."""

import json

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.ablation import crossed, frozen
from fusion_jax.core import types
from tests import tiny
from tests.ablation import config_test, runner_test


def arms_of(*names):
  return 'run_arms=' + ','.join(names)


class CrossedTest(runner_test.RunnerTestCase):
  def _trained(self, *names, kind=types.BINARY, more=()):
    cohort = tiny.cohort(kind=kind, absent=True)
    arms = arms_of(*names)
    report, store, _ = runner_test.run(
      self.path, *more, cohort=cohort, arms=arms
    )
    self.assertEmpty(report.failures)
    models = json.loads((self.path / 'models.json').read_text())
    config = config_test.config(*runner_test.SMALL, arms, *more)
    work = crossed.Crossed(config, models, store, cohort.task)

    def whole(arm, seen):
      return frozen.Frozen(config, models, store, seen).logits(arm)

    return cohort, work, whole

  def _check(self, cohort, work, whole, names):
    rng = np.random.default_rng(0)
    n = len(cohort)
    image, ehr = rng.integers(0, n, (2, 700))
    records = tiny.changed(cohort, images=None, image_mask=None)
    sides = {
      types.IMAGE: crossed.Side(cohort),
      types.EHR: crossed.Side(records),
    }
    at = {types.IMAGE: image, types.EHR: ehr}
    # The same pairs as studies of their own.
    made = tiny.changed(
      crossed.repeated(cohort, image),
      numeric=tiny.numeric(cohort)[ehr],
      categorical=tiny.categorical(cohort)[ehr],
    )
    for arm in names:
      expected = whole(arm, made)
      self.assertEqual(list(expected), work.places(arm))
      for place, logits in expected.items():
        np.testing.assert_allclose(
          work.logits(arm, place, sides, at), logits, atol=3e-5, err_msg=arm
        )

  @parameterized.parameters(types.BINARY, types.MULTICLASS, types.REGRESSION)
  def test_classical_arms_as_pairs_run_whole(self, kind):
    names = ('ehr_linear', 'ehr_trees', 'image_pca', 'early_pca')
    self._check(*self._trained(*names, kind=kind), names)

  @pytest.mark.slow
  def test_neural_and_late_arms_as_pairs_run_whole(self):
    names = (
      'image',
      'ehr',
      'early_raw',
      'early_features',
      'early_trees',
      'joint',
      'late_mean',
      'late_stack',
    )
    self._check(*self._trained(*names), names)

  @pytest.mark.slow
  def test_encoders_that_exchange_are_run_whole(self):
    film = '--arm=film=joint(exchange_1=film(onto=(image,)))'
    self._check(*self._trained('film', more=(film,)), ('film',))

  def test_a_side_is_encoded_once(self):
    cohort, work, _ = self._trained('ehr_linear', 'image_pca', 'early_pca')
    side = crossed.Side(cohort)
    sides = {types.IMAGE: side, types.EHR: side}
    rows = np.arange(5)
    at = {types.IMAGE: rows, types.EHR: rows}
    (place, _) = work.places('early_pca')
    work.logits('early_pca', place, sides, at)
    kept = dict(side.seen)
    self.assertLen(kept, 2)
    work.logits('early_pca', place, sides, at)
    for key, value in kept.items():
      self.assertIs(side.seen[key], value)


if __name__ == '__main__':
  absltest.main()
