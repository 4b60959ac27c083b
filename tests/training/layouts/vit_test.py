"""Tests of the layouts of vision transformers."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from fusion_jax.core import errors
from fusion_jax.encoders import protocol
from fusion_jax.training import pretrained

WIDTH, HEADS, DEPTH, PATCH, SIDE = 8, 2, 2, 4, 12
TOKENS = 1 + (SIDE // PATCH) ** 2
NAMES = {
  'vit': {
    'norms': ('layernorm_before', 'layernorm_after'),
    'mlp': ('intermediate.dense', 'output.dense'),
  },
  'dinov2': {'norms': ('norm1', 'norm2'), 'mlp': ('mlp.fc1', 'mlp.fc2')},
}


def arrays(family, channels=3):
  """Random weights under the names of Hugging Face."""
  rng = np.random.default_rng(0)
  out = {}

  def draw(name, *shape):
    out[name] = rng.normal(size=shape).astype(np.float32) / 3

  def layer(name, rows, columns):
    draw(f'{name}.weight', rows, columns)
    draw(f'{name}.bias', rows)

  def norm(name):
    draw(f'{name}.weight', WIDTH)
    draw(f'{name}.bias', WIDTH)

  draw('embeddings.cls_token', 1, 1, WIDTH)
  draw('embeddings.position_embeddings', 1, TOKENS, WIDTH)
  projection = 'embeddings.patch_embeddings.projection'
  draw(f'{projection}.weight', WIDTH, channels, PATCH, PATCH)
  draw(f'{projection}.bias', WIDTH)
  for k in range(DEPTH):
    here = f'encoder.layer.{k}'
    for x in ('query', 'key', 'value'):
      layer(f'{here}.attention.attention.{x}', WIDTH, WIDTH)
    layer(f'{here}.attention.output.dense', WIDTH, WIDTH)
    for x in NAMES[family]['norms']:
      norm(f'{here}.{x}')
    first, second = NAMES[family]['mlp']
    layer(f'{here}.{first}', 4 * WIDTH, WIDTH)
    layer(f'{here}.{second}', WIDTH, 4 * WIDTH)
    if family == 'dinov2':
      draw(f'{here}.layer_scale1.lambda1', WIDTH)
      draw(f'{here}.layer_scale2.lambda1', WIDTH)
  norm('layernorm')
  return out


def forward(family, w, pixels):
  """The class token of (c, h, w) pixels, step by step in NumPy."""

  def linear(name, x):
    return x @ w[f'{name}.weight'].T + w[f'{name}.bias']

  def norm(name, x):
    mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    x = (x - mean) / np.sqrt(var + 1e-6)
    return x * w[f'{name}.weight'] + w[f'{name}.bias']

  kernel = w['embeddings.patch_embeddings.projection.weight']
  patches = []
  for row in range(0, SIDE, PATCH):
    for column in range(0, SIDE, PATCH):
      patch = pixels[:, row : row + PATCH, column : column + PATCH]
      patches.append((kernel * patch).sum((1, 2, 3)))
  bias = w['embeddings.patch_embeddings.projection.bias']
  x = np.concatenate([w['embeddings.cls_token'][0], np.stack(patches) + bias])
  x = x + w['embeddings.position_embeddings'][0]
  for k in range(DEPTH):
    here = f'encoder.layer.{k}'
    before, after = (f'{here}.{n}' for n in NAMES[family]['norms'])
    y = norm(before, x)
    q, key, v = (
      linear(f'{here}.attention.attention.{n}', y)
      .reshape(TOKENS, HEADS, WIDTH // HEADS)
      .transpose(1, 0, 2)
      for n in ('query', 'key', 'value')
    )
    weights = q @ key.transpose(0, 2, 1) / np.sqrt(WIDTH // HEADS)
    y = special.softmax(weights, axis=-1) @ v
    y = y.transpose(1, 0, 2).reshape(TOKENS, WIDTH)
    y = linear(f'{here}.attention.output.dense', y)
    x = x + y * w.get(f'{here}.layer_scale1.lambda1', 1.0)
    first, second = (f'{here}.{n}' for n in NAMES[family]['mlp'])
    y = linear(first, norm(after, x))
    y = y * special.ndtr(y)  # GELU.
    y = linear(second, y)
    x = x + y * w.get(f'{here}.layer_scale2.lambda1', 1.0)
  return norm('layernorm', x)[0]


def encode(encoder, inputs):
  hidden = encoder.stem(inputs, train=False)
  for stage in encoder.stages:
    hidden = stage(hidden, train=False)
  return encoder.readout(hidden, train=False)


def loaded(family, w, inputs, spec=''):
  spec = spec or f'vit(width={WIDTH},depth={DEPTH},heads={HEADS},patch={PATCH})'
  encoder = protocol.encoders('image').build(spec)
  shapes = jax.eval_shape(
    lambda key: encoder.init(key, inputs, method=encode), jax.random.key(0)
  )
  weights = pretrained.Weights('f', pretrained.LAYOUTS.build(family), w)
  variables = pretrained.initial(weights, shapes)
  return encoder.apply(variables, inputs, method=encode)


def images(channels=3, side=SIDE):
  pixels = np.random.default_rng(1).normal(size=(2, 1, side, side, channels))
  return {
    'pixels': jnp.asarray(pixels, jnp.float32),
    'mask': jnp.ones((2, 1), bool),
  }


class LayoutTest(parameterized.TestCase):
  @parameterized.parameters('vit', 'dinov2')
  def test_features_are_those_of_the_equations(self, family):
    w, inputs = arrays(family), images()
    found = loaded(family, w, inputs).pooled
    for k in range(2):
      pixels = np.asarray(inputs['pixels'][k, 0]).transpose(2, 0, 1)
      np.testing.assert_allclose(
        found[k], forward(family, w, pixels), atol=1e-4
      )

  @parameterized.parameters('vit', 'dinov2')
  def test_features_are_those_of_transformers(self, family):
    """Where the reference is installed; it needs PyTorch."""
    try:
      import torch
      import transformers
    except ImportError:
      self.skipTest('transformers and torch are not installed')
    kind = {'vit': 'ViT', 'dinov2': 'Dinov2'}[family]
    config = getattr(transformers, f'{kind}Config')(
      hidden_size=WIDTH,
      num_hidden_layers=DEPTH,
      num_attention_heads=HEADS,
      image_size=SIDE,
      patch_size=PATCH,
      layer_norm_eps=1e-6,
      **({'intermediate_size': 4 * WIDTH} if family == 'vit' else {}),
    )
    torch.manual_seed(0)
    model = getattr(transformers, f'{kind}Model')(config).eval()
    inputs = images()
    pixels = np.asarray(inputs['pixels'][:, 0]).transpose(0, 3, 1, 2)
    with torch.no_grad():
      for p in model.parameters():
        p.normal_().div_(3)
      reference = model(torch.tensor(pixels.copy())).last_hidden_state[:, 0]
    # Names in memory differ from version to version; those of files do not.
    folder = self.create_tempdir().full_path
    model.save_pretrained(folder)
    w = pretrained.read(
      pretrained.Source(family, f'{folder}/model.safetensors')
    )
    found = loaded(family, w.arrays, inputs).pooled
    np.testing.assert_allclose(found, reference.numpy(), atol=1e-4)

  @parameterized.parameters(1, 4)
  def test_a_grey_image_is_the_same_in_any_number_of_channels(self, channels):
    w = arrays('vit')
    grey = images(1)
    three, other = (
      {**grey, 'pixels': jnp.repeat(grey['pixels'], c, axis=-1)}
      for c in (3, channels)
    )
    np.testing.assert_allclose(
      loaded('vit', w, three).pooled, loaded('vit', w, other).pooled, atol=1e-4
    )

  def test_positions_are_interpolated(self):
    w = arrays('vit')
    # What varies along one axis alone still does so.
    w['embeddings.position_embeddings'][:] = 1.0
    found = loaded('vit', w, images(side=16))
    self.assertEqual(found.tokens.shape, (2, 16, WIDTH))
    self.assertTrue(np.isfinite(found.pooled).all())

  def test_what_does_not_fit_is_named(self):
    w = arrays('vit')
    cases = (
      ({'encoder.layer.9.output.dense.weight': w['layernorm.bias']}, None),
      (
        {'embeddings.cls_token': np.zeros((1, 1, 3), np.float32)},
        'another shape.*cls_token',
      ),
    )
    for change, message in cases:
      with self.assertRaisesRegex(
        errors.UserError, message or 'no parameter.*layer.9'
      ):
        loaded('vit', {**w, **change}, images())
    lost = {k: x for k, x in w.items() if k != 'layernorm.weight'}
    with self.assertRaisesRegex(errors.UserError, 'no array.*layernorm.weight'):
      loaded('vit', lost, images())
    heads = {'classifier.weight': np.zeros((2, WIDTH), np.float32)}
    loaded('vit', {**w, **heads}, images())


if __name__ == '__main__':
  absltest.main()
