"""Tests of how published weights are read."""

import dataclasses
import pathlib

import jax
import numpy as np
import safetensors.numpy
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import config as training_config
from fusion_jax.training import neural, pretrained
from tests import tiny
from tests.training.layouts import vit_test


class ReadTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'w.safetensors'

  def source(self, layout='vit'):
    return pretrained.Source(layout, str(self.path))

  def test_a_file_with_the_prefix_of_a_classifier(self):
    w = vit_test.arrays('vit')
    content = {f'vit.{k}': x for k, x in w.items()}
    safetensors.numpy.save_file(content, self.path)
    found = pretrained.read(self.source())
    self.assertCountEqual(found.arrays, w)
    mean, std = self.source().scale(1)
    np.testing.assert_allclose((mean, std), [[0.5], [0.5]])
    mean, _ = self.source('dinov2').scale(3)
    np.testing.assert_allclose(mean, [0.485, 0.456, 0.406], rtol=1e-6)

  def test_the_family_is_checked_by_its_names(self):
    safetensors.numpy.save_file(vit_test.arrays('dinov2'), self.path)
    with self.assertRaisesRegex(errors.UserError, "they are of 'dinov2'"):
      pretrained.read(self.source())
    self.assertTrue(pretrained.read(self.source('dinov2')).arrays)
    safetensors.numpy.save_file({'x': np.zeros(3)}, self.path)
    with self.assertRaisesRegex(errors.UserError, "not of the layout 'vit'"):
      pretrained.read(self.source())

  def test_bad_files_are_one_line(self):
    with self.assertRaisesRegex(errors.UserError, 'there is no file'):
      pretrained.read(self.source())
    for content in (b'', b'{}', b'\xff' * 64, (2**62).to_bytes(8, 'little')):
      self.path.write_bytes(content)
      with self.assertRaisesRegex(errors.UserError, 'cannot be read') as caught:
        pretrained.read(self.source())
      self.assertNotIn('\n', str(caught.exception))

  @parameterized.parameters('image', 'image=vit', 'image=vit:', '=vit:x')
  def test_what_is_no_source(self, text):
    with self.assertRaisesRegex(errors.UserError, 'no source of weights'):
      pretrained.parse([text])

  def test_one_source_for_each_modality(self):
    texts = ['a=vit:x/y.safetensors', 'b=dinov2:C:/z']
    a, b = pretrained.parse(texts).values()
    self.assertEqual((a.path, b.path), ('x/y.safetensors', 'C:/z'))
    with self.assertRaisesRegex(errors.UserError, 'one for each'):
      pretrained.parse([texts[0], texts[0]])
    with self.assertRaisesRegex(errors.UserError, "mean 'vit'"):
      pretrained.parse(['a=vitt:x'])

  def test_the_encoder_has_to_be_that_of_the_layout(self):
    texts = ['a=vit:x', 'b=vit:y']
    found = pretrained.of_encoders(texts, {'a': 'vit'})
    self.assertEqual(list(found), ['a'])
    with self.assertRaisesRegex(errors.UserError, "vit; 'b' has resnet"):
      pretrained.of_encoders(texts, {'b': 'resnet'})


class PoolTest(parameterized.TestCase):
  def test_what_pools_images_is_learnt_and_the_rest_is_loaded(self):
    path = self.create_tempdir().full_path + '/w.safetensors'
    w = vit_test.arrays('vit')
    safetensors.numpy.save_file(w, path)
    cohort = tiny.cohort(images=2)
    spec = (
      f'vit(width={vit_test.WIDTH},depth={vit_test.DEPTH},'
      f'heads={vit_test.HEADS},patch={vit_test.PATCH},pool=attention)'
    )
    given = {
      'model_config': tiny.model_config(
        'image', image=spec, combiner='additive'
      ),
      'task': cohort.task,
      'data': tiny.fleet_data(cohort),
    }
    config = training_config.TrainingConfig(
      epochs=1, least_steps=1, average=0, init=(f'image=vit:{path}',)
    )
    with self.assertRaisesRegex(errors.UserError, "'pool' of the encoder"):
      neural.untrained(**given, config=config)
    (fitted,) = neural.fit_fleet(
      **given,
      members=[neural.Member(np.arange(64), np.arange(64, 96), seed=0)],
      config=dataclasses.replace(config, groups=('encoders_image/(?!pool):0',)),
      parallel=parallel_config.ParallelConfig(devices=1),
    ).fitted
    encoder = fitted.params['encoders_image']
    np.testing.assert_array_equal(
      encoder['last']['scale'], w['layernorm.weight']
    )
    self.assertGreater(np.abs(encoder['pool']['score']['kernel']).max(), 0)


class TrainingTest(parameterized.TestCase):
  @parameterized.parameters('resident', 'stream')
  def test_training_starts_from_them(self, feed):
    path = self.create_tempdir().full_path + '/w.safetensors'
    w = vit_test.arrays('vit')
    safetensors.numpy.save_file(w, path)
    cohort = tiny.cohort()
    spec = (
      f'vit(width={vit_test.WIDTH},depth={vit_test.DEPTH},'
      f'heads={vit_test.HEADS},patch={vit_test.PATCH})'
    )
    fitted = neural.fit_fleet(
      model_config=tiny.model_config(image=spec),
      task=cohort.task,
      data=tiny.fleet_data(cohort),
      members=[
        neural.Member(np.arange(64), np.arange(64, 96), seed=s) for s in (0, 1)
      ],
      config=training_config.TrainingConfig(
        epochs=1,
        least_steps=1,
        init=(f'image=vit:{path}',),
        groups=('encoders_image:0',),
      ),
      parallel=parallel_config.ParallelConfig(feed=feed, devices=1),
    ).fitted
    one, other = (x.params for x in fitted)
    expected = pretrained.initial(
      pretrained.read(pretrained.Source('vit', path)),
      {'params': one['encoders_image']},
    )['params']
    for params in (one, other):
      jax.tree.map(
        np.testing.assert_array_equal, params['encoders_image'], expected
      )
    # What has no weights starts as each seed has it.
    kernel = [x['combiner']['head']['kernel'] for x in (one, other)]
    self.assertGreater(np.abs(kernel[0] - kernel[1]).max(), 1e-3)


class KernelsTest(absltest.TestCase):
  def test_a_grey_image_gives_what_it_gave_in_colour(self):
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(5, 3, 2, 2))
    x = rng.normal(size=(2, 2, 1))
    colour = np.einsum('hwi,oihw->o', np.repeat(x, 3, -1), kernel)
    for channels in (1, 4):
      found = pretrained.convolution(kernel, (2, 2, channels, 5))
      grey = np.einsum('hwi,hwio->o', np.repeat(x, channels, -1), found)
      np.testing.assert_allclose(grey, colour)
    np.testing.assert_array_equal(
      pretrained.convolution(kernel, (2, 2, 3, 5)), kernel.transpose(2, 3, 1, 0)
    )


if __name__ == '__main__':
  absltest.main()
