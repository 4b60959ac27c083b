"""Tests of variables that are no parameters, such as batch statistics."""

import os

import jax
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import checkpoints, neural
from fusion_jax.training import config as training_config
from tests import tiny
from tests.encoders import normalised  # noqa: F401

ROWS = np.arange(96)
MODEL = tiny.model_config(types.EHR, ehr='normalised', combiner='additive')
CONFIG = training_config.TrainingConfig(
  epochs=3, least_steps=0, least_patience=0, batch_size=12
)
ONE = parallel_config.ParallelConfig(devices=1)


def _fit(cohort, *, members=1, parallel=ONE):
  return neural.fit_fleet(
    model_config=MODEL,
    task=cohort.task,
    data=tiny.fleet_data(cohort),
    members=[
      neural.Member(ROWS[:64], ROWS[64:80], seed=k) for k in range(members)
    ],
    config=CONFIG,
    parallel=parallel,
  ).fitted


def _predict(cohort, fitted, rows=ROWS, parallel=ONE):
  return neural.predict_fleet(
    model_config=MODEL,
    task=cohort.task,
    data=tiny.fleet_data(cohort),
    fitted=[fitted],
    sources=[0],
    rows=[rows],
    parallel=parallel,
  )[0]


class CollectionsTest(parameterized.TestCase):
  def test_are_trained_saved_and_restored(self):
    cohort = tiny.cohort(absent=True)
    (fitted,) = _fit(cohort)
    stats = fitted.collections['batch_stats']
    self.assertGreater(
      max(float(abs(x).max()) for x in jax.tree.leaves(stats)), 0.0
    )
    path = os.path.join(self.create_tempdir().full_path, 'model')
    checkpoints.save(path, fitted, extra={}, arrays={'a': np.ones(2)})
    back, _, arrays = checkpoints.load(path)
    jax.tree.map(
      np.testing.assert_array_equal, back.variables, fitted.variables
    )
    self.assertEqual(set(arrays), {'a'})
    np.testing.assert_array_equal(
      _predict(cohort, fitted), _predict(cohort, back)
    )

  def test_a_prediction_does_not_depend_on_the_studies_beside_it(self):
    cohort = tiny.cohort(absent=True)
    (fitted,) = _fit(cohort)
    np.testing.assert_allclose(
      _predict(cohort, fitted)[[7, 3]],
      _predict(cohort, fitted, ROWS[[7, 3]]),
      atol=1e-6,
    )

  def test_they_are_not_counted_as_parameters(self):
    (fitted,) = _fit(tiny.cohort())
    self.assertEqual(
      fitted.parameters, sum(x.size for x in jax.tree.leaves(fitted.params))
    )

  @parameterized.product(strategy=('jit', 'pmap'), shard=('data', 'members'))
  def test_eight_devices_keep_the_same_statistics(self, strategy, shard):
    # 12 rows a batch are padded to 16 on eight devices.
    cohort = tiny.cohort(absent=True)
    one = _fit(cohort, members=2)
    eight = _fit(
      cohort,
      members=2,
      parallel=parallel_config.ParallelConfig(strategy=strategy, shard=shard),
    )
    for a, b in zip(one, eight, strict=True):
      jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, atol=2e-4),
        a.variables,
        b.variables,
      )

  def test_the_model_is_told_the_axis_of_its_shards(self):
    task = tiny.task_of(types.BINARY)
    model = models.create_model(MODEL, task, axis_name='data')
    self.assertEqual(model.encoders[types.EHR].axis_name, 'data')


if __name__ == '__main__':
  absltest.main()
