"""Tests of how published weights are read."""

import pathlib

import numpy as np
import safetensors.numpy
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.training import pretrained
from tests.training.layouts import vit_test


class ReadTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'w.safetensors'

  def test_a_file_with_the_prefix_of_a_classifier(self):
    w = vit_test.arrays('vit')
    safetensors.numpy.save_file(
      {f'vit.{k}': x for k, x in w.items()}, self.path
    )
    found = pretrained.read('safetensors', str(self.path))
    self.assertCountEqual(found.arrays, w)
    self.assertEqual(found.layout.mean, (0.5, 0.5, 0.5))
    mean, std = found.scale(1)
    np.testing.assert_allclose((mean, std), [[0.5], [0.5]])

  def test_the_family_is_told_by_its_names(self):
    safetensors.numpy.save_file(vit_test.arrays('dinov2'), self.path)
    mean, std = pretrained.read('safetensors', str(self.path)).scale(3)
    np.testing.assert_allclose(mean, [0.485, 0.456, 0.406], rtol=1e-6)
    self.assertEqual(std.dtype, np.float32)

  def test_bad_files_are_one_line(self):
    with self.assertRaisesRegex(errors.UserError, 'there is no file'):
      pretrained.read('safetensors', str(self.path))
    for content in (b'', b'{}', b'\xff' * 64, (2**62).to_bytes(8, 'little')):
      self.path.write_bytes(content)
      with self.assertRaisesRegex(errors.UserError, 'cannot be read') as caught:
        pretrained.read('safetensors', str(self.path))
      self.assertNotIn('\n', str(caught.exception))
    safetensors.numpy.save_file({'x': np.zeros(3)}, self.path)
    with self.assertRaisesRegex(errors.UserError, 'no known layout.*vit'):
      pretrained.read('safetensors', str(self.path))

  @parameterized.parameters(
    'image',
    'image=PATH',
    'image=numpy:x',
    'image=safetensors:',
    '=safetensors:x',
  )
  def test_what_is_no_source(self, text):
    with self.assertRaisesRegex(errors.UserError, 'no source of weights'):
      pretrained.parse([text])

  def test_one_source_for_each_modality(self):
    texts = ['a=safetensors:x/y.safetensors', 'b=torch:C:/z']
    self.assertEqual(
      pretrained.parse(texts),
      {'a': ('safetensors', 'x/y.safetensors'), 'b': ('torch', 'C:/z')},
    )
    with self.assertRaisesRegex(errors.UserError, 'one for each'):
      pretrained.parse([texts[0], texts[0]])


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
