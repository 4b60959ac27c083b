"""Models under published names: random arrays, layers in NumPy, references."""

import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.encoders import protocol
from fusion_jax.training import pretrained
from tests.encoders import encoding
from tests.encoders import reference as ref


class Arrays(dict):
  """Random arrays by name, drawn in the order in which they are asked for."""

  def __init__(self):
    super().__init__()
    self._rng = np.random.default_rng(0)

  def draw(self, name, *shape):
    # Of about unit outputs, so that deep sums keep their digits.
    fan = int(np.prod(shape[1:])) or 1
    x = self._rng.normal(size=shape) / np.sqrt(fan)
    self[name] = x.astype(np.float32)

  def layer(self, name, *shape):
    """Weight and bias."""
    self.draw(f'{name}.weight', *shape)
    self.draw(f'{name}.bias', shape[0])

  def conv(self, name, *shape):
    self.draw(f'{name}.weight', *shape)

  def norm(self, name, c):
    """Batch normalisation; variances so small that an epsilon shows."""
    for part in ('weight', 'bias', 'running_mean'):
      self.draw(f'{name}.{part}', c)
    var = self._rng.uniform(0.05, 1.0, c)
    self[f'{name}.running_var'] = var.astype(np.float32)
    self[f'{name}.num_batches_tracked'] = np.array(7)


def conv(w, name, x, stride=1):
  """(h, w, c) with a kernel as PyTorch has it, padded alike on all sides."""
  kernel = w[f'{name}.weight'].transpose(2, 3, 1, 0)
  return ref.conv(x, kernel, stride, w.get(f'{name}.bias', 0.0))


def patches(w, name, x, side):
  """Likewise, without padding, in steps of the kernel's side."""
  kernel = w[f'{name}.weight']
  found = [
    [
      np.einsum(
        'hwi,oihw->o', x[i : i + side, j : j + side], kernel, optimize=True
      )
      for j in range(0, x.shape[1], side)
    ]
    for i in range(0, x.shape[0], side)
  ]
  return np.array(found) + w[f'{name}.bias']


def same_conv(w, name, x, stride=1):
  """Likewise, padded as TensorFlow does."""
  kernel = w[f'{name}.weight']
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


def batch_norm(w, name, x, epsilon=1e-5):
  mean, var = w[f'{name}.running_mean'], w[f'{name}.running_var']
  x = (x - mean) / np.sqrt(var + epsilon)
  return x * w[f'{name}.weight'] + w[f'{name}.bias']


def layer_norm(w, name, x):
  return ref.layer_norm(
    x, {'scale': w[f'{name}.weight'], 'bias': w[f'{name}.bias']}
  )


def linear(w, name, x):
  return x @ w[f'{name}.weight'].reshape(-1, x.shape[-1]).T + w[f'{name}.bias']


def max_pool(x):
  """Maxima over windows of 3 in steps of 2."""
  padded = np.pad(x, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
  h, w = ((n + 1) // 2 for n in x.shape[:2])
  rows = [
    [padded[2 * i : 2 * i + 3, 2 * j : 2 * j + 3].max((0, 1)) for j in range(w)]
    for i in range(h)
  ]
  return np.array(rows)


def images(side, seed=1):
  pixels = np.random.default_rng(seed).normal(size=(2, 1, side, side, 3))
  return {
    'pixels': jnp.asarray(pixels, jnp.float32),
    'mask': jnp.ones((2, 1), bool),
  }


def features(layout, w, part, inputs):
  """(b, c) of an encoder that starts from arrays or from what was read."""
  encoder = protocol.encoders('image').build(part, **encoding.GIVEN)

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


def check_features(test, layout, w, part, forward, inputs):
  """Holds features to those of `forward`, step by step for one image."""
  found = features(layout, w, part, inputs)
  for k in range(2):
    pixels = np.asarray(inputs['pixels'][k, 0])
    np.testing.assert_allclose(found[k], forward(pixels), atol=1e-4, rtol=1e-4)
  test.assertGreater(np.abs(found[0] - found[1]).max(), 1e-2)


def check_transformers(test, kind, part, side, **config):
  """Holds features to those of a model of Hugging Face, where it is installed.

  Args:
    test: skipped where it is not.
    kind: the model's class without `Model`; its layout has that name.
    part: spec of the encoder.
    side: of images.
    **config: of the model.
  """
  try:
    import torch
    import transformers
  except ImportError:
    test.skipTest('transformers and torch are not installed')
  torch.manual_seed(0)
  model = getattr(transformers, f'{kind}Model')(
    getattr(transformers, f'{kind}Config')(**config)
  ).eval()
  inputs = images(side)
  pixels = np.asarray(inputs['pixels'][:, 0]).transpose(0, 3, 1, 2)
  with torch.no_grad():
    for x in model.parameters():
      x.normal_().div_(np.sqrt(max(1, int(np.prod(x.shape[1:])))))
    for name, x in model.named_buffers():
      if name.endswith('running_var'):
        x.uniform_(0.05, 1.0)
      elif name.endswith('running_mean'):
        x.normal_()
    expected = model(torch.tensor(pixels.copy())).pooler_output.numpy()
  # Names in memory differ from version to version; those of files do not.
  folder = test.create_tempdir().full_path
  model.save_pretrained(folder)
  layout = kind.lower()
  w = pretrained.read(pretrained.Source(layout, f'{folder}/model.safetensors'))
  found = features(layout, w, part, inputs)
  expected = expected.reshape(found.shape)
  np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)
  test.assertGreater(np.abs(expected).max(), 1e-2)
