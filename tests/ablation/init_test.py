"""Tests of arms whose encoders start from published weights."""

import pathlib
import shutil

import numpy as np
import safetensors.numpy
from absl.testing import absltest

from fusion_jax.ablation import config as config_lib
from fusion_jax.core import errors
from tests.ablation import config_test, plan_test
from tests.training.layouts import vit_test

VIT = (
  f'vit(width={vit_test.WIDTH},depth={vit_test.DEPTH},heads={vit_test.HEADS},'
  f'patch={vit_test.PATCH})'
)


class InitTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'w.safetensors'
    self.weights = vit_test.arrays('vit')
    safetensors.numpy.save_file(self.weights, self.path)

  def arm(self, encoder=VIT, modality='image', path=None):
    source = f'{modality}=vit:{path or self.path}'
    return f'--arm=own=joint(image={encoder},init=("{source}",))'

  def keys(self, arm):
    made = plan_test.make(arm, listed=['own', 'joint'])
    return [{n.key for n in made.nodes[x]} for x in ('own', 'joint')]

  def test_the_content_of_the_file_counts_and_not_its_place(self):
    own, joint = self.keys(self.arm())
    moved = self.path.with_name('moved.safetensors')
    shutil.copy(self.path, moved)
    self.assertEqual(self.keys(self.arm(path=moved)), [own, joint])
    other = self.weights['layernorm.bias'] + np.float32(1)
    safetensors.numpy.save_file(
      {**self.weights, 'layernorm.bias': other}, self.path
    )
    changed, same = self.keys(self.arm())
    self.assertNoCommonElements(changed, own)
    self.assertEqual(same, joint)

  def test_what_cannot_be_is_said_before_anything_is_trained(self):
    with self.assertRaisesRegex(errors.UserError, "'image' has resnet"):
      self.keys(self.arm('resnet'))
    with self.assertRaisesRegex(errors.UserError, 'there is no file'):
      self.keys(self.arm(path='none.safetensors'))
    with self.assertRaisesRegex(errors.UserError, "Unknown modality 'imag'"):
      config_lib.check(config_test.config(self.arm(modality='imag')))


if __name__ == '__main__':
  absltest.main()
