import os
import tempfile

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import checkpoints, neural
from fusion_jax.training import config as training_config
from tests import tiny

CONFIG = tiny.model_config()


def _fitted(cohort):
  rows = np.arange(len(cohort))
  return neural.fit_fleet(
    model_config=CONFIG,
    task=cohort.task,
    data=tiny.fleet_data(cohort),
    members=[neural.Member(rows[:64], rows[64:80], seed=0)],
    config=training_config.TrainingConfig(
      epochs=1, least_steps=0, least_patience=0
    ),
    parallel=parallel_config.ParallelConfig(devices=1),
  ).fitted[0]


class CheckpointsTest(parameterized.TestCase):
  @pytest.mark.slow
  def test_comes_back_as_it_was_and_predicts_on_other_devices(self):
    cohort = tiny.cohort()
    fitted = _fitted(cohort)
    path = os.path.join(tempfile.mkdtemp(), 'model')
    arrays = {
      'mean': np.arange(3.0),
      'codes': np.arange(4, dtype=np.int32),
      'none': np.zeros((3, 0), np.float32),
      'levels': np.array(['left', 'größer']),
    }
    extra = {'config': {'epochs': 1}, 'names': ['a']}
    checkpoints.save(path, fitted, extra=extra, arrays=arrays)
    back, facts, stored = checkpoints.load(path)
    jax.tree.map(np.testing.assert_array_equal, back.params, fitted.params)
    self.assertEqual(back.history, fitted.history)
    self.assertEqual(back.parameters, fitted.parameters)
    self.assertEqual(facts, extra)
    self.assertEqual(set(stored), set(arrays))
    for name, value in arrays.items():
      np.testing.assert_array_equal(stored[name], value)
      self.assertEqual(stored[name].dtype.kind, value.dtype.kind)
    predictions = [
      neural.predict_fleet(
        model_config=CONFIG,
        task=cohort.task,
        data=tiny.fleet_data(cohort),
        fitted=[model],
        sources=[0],
        rows=[np.arange(96)],
        parallel=parallel_config.ParallelConfig(devices=devices),
      )[0]
      for model, devices in ((fitted, 1), (back, 8), (back, 3))
    ]
    for other in predictions[1:]:
      np.testing.assert_allclose(predictions[0], other, atol=1e-5)

  def test_a_missing_or_partial_checkpoint_is_one_line(self):
    folder = tempfile.mkdtemp()
    for path in (os.path.join(folder, 'nowhere'), folder):
      with self.assertRaisesRegex(errors.UserError, 'No saved model at'):
        checkpoints.load(path)


if __name__ == '__main__':
  absltest.main()
