"""Tests of fusion_jax.training.untrained."""

import jax
import numpy as np
import safetensors.numpy
from absl.testing import absltest

from fusion_jax.core import errors
from fusion_jax.training import config as training_config
from fusion_jax.training import untrained
from tests import tiny
from tests.training.layouts import vit_test


class CreateTest(absltest.TestCase):
  def create(self, pool):
    path = self.create_tempdir().full_path + '/w.safetensors'
    arrays = vit_test.arrays('vit')
    safetensors.numpy.save_file(arrays, path)
    cohort = tiny.cohort(images=2)
    spec = (
      f'vit(width={vit_test.WIDTH},depth={vit_test.DEPTH},'
      f'heads={vit_test.HEADS},patch={vit_test.PATCH},pool={pool})'
    )
    fitted = untrained.create(
      model_config=tiny.model_config('image', image=spec, combiner='additive'),
      task=cohort.task,
      data=tiny.fleet_data(cohort),
      config=training_config.TrainingConfig(init=(f'image=vit:{path}',)),
    )
    return arrays, fitted

  def test_is_as_published_and_the_same_each_time(self):
    arrays, fitted = self.create('mean')
    np.testing.assert_array_equal(
      fitted.params['encoders_image']['last']['scale'],
      arrays['layernorm.weight'],
    )
    self.assertEqual((fitted.epochs, fitted.history), (0, ()))
    _, again = self.create('mean')
    jax.tree.map(np.testing.assert_array_equal, fitted.params, again.params)

  def test_what_has_to_be_learnt_is_an_error(self):
    with self.assertRaisesRegex(errors.UserError, "'pool' of the encoder"):
      self.create('attention')


if __name__ == '__main__':
  absltest.main()
