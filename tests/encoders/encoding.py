"""Encoders run from end to end, for their tests."""

from typing import Any

import jax
import numpy as np

from fusion_jax.encoders import protocol

# Encoders whose defaults take long to compile, in small: for tests that run
# over all that are registered.
SMALL = {
  'image': {
    'cnn': 'cnn(widths=(4,8))',
    'convnext': 'convnext(blocks=(1,1),widths=(4,8))',
    'deep_resnet': 'deep_resnet(blocks=(1,1),width=4)',
    'densenet': 'densenet(blocks=(2,2),growth=4)',
    'efficientnet': (
      'efficientnet(widths=(8,8,12),blocks=(1,1,2),first=8,last=16)'
    ),
    'resnet': 'resnet(widths=(4,))',
    'vit': 'vit(width=8,depth=1,heads=2,patch=4)',
  },
  'volume': {
    'cnn': 'cnn(widths=(4,8))',
    'deep_resnet': 'deep_resnet(blocks=(1,1),width=4)',
    'resnet': 'resnet(widths=(4,8))',
    'slices': 'slices(encoder=resnet(widths=(4,),pool=attention))',
    'vit': 'vit(width=8,depth=1,heads=2,patch=4,slices=2)',
  },
  'table': {
    'ft_transformer': 'ft_transformer(width=8,depth=1,heads=2)',
    'mlp': 'mlp(width=8)',
    'resnet': 'resnet(width=8)',
  },
  'vector': {'mlp': 'mlp(width=8)', 'tokens': 'tokens(number=2,width=8)'},
}
# Programs that run once or twice are not worth optimising.
_QUICK = {
  'xla_backend_optimization_level': 0,
  'xla_llvm_disable_expensive_passes': True,
}
GIVEN = {'levels': 4, 'num_codes': 5, 'axis_name': None}


def run(encoder, inputs, *, train: bool = False):
  """Stem, stages and readout."""
  hidden = encoder.stem(inputs, train=train)
  for stage in encoder.stages:
    hidden = stage(hidden, train=train)
  return encoder.readout(hidden, train=train)


def small(kind: str, name: str) -> str:
  """A registered encoder, of few parameters."""
  return SMALL.get(kind, {}).get(name, name)


def build(kind: str, part: str):
  return protocol.encoders(kind).build(part, **GIVEN)


def shapes(kind: str, part: str, inputs: Any) -> Any:
  """Shapes of an encoder's features and variables; nothing is computed."""
  encoder = build(kind, part)
  return jax.eval_shape(
    lambda key: encoder.init_with_output(key, inputs, method=run),
    jax.random.key(0),
  )


def count(variables: Any) -> int:
  """Numbers in a tree of arrays or shapes."""
  return sum(int(np.prod(x.shape)) for x in jax.tree.leaves(variables))


class Encoded:
  """An encoder with drawn parameters.

  Attributes:
    variables: they.
  """

  def __init__(self, kind: str, part: str, inputs: Any):
    self.encoder = build(kind, part)
    _, shapes_ = shapes(kind, part, inputs)
    rng = np.random.default_rng(0)

    def drawn(x):
      size = np.sqrt(max(np.prod(x.shape[:-1]), 4))
      return (rng.normal(size=x.shape) / size).astype(x.dtype)

    self.variables = jax.tree.map(drawn, shapes_)
    self._run = jax.jit(
      lambda v, x: self.encoder.apply(v, x, method=run), compiler_options=_QUICK
    )

  @property
  def params(self) -> Any:
    return self.variables['params']

  def __call__(self, inputs, variables=None):
    return self._run(self.variables if variables is None else variables, inputs)

  def gradients(self, inputs) -> Any:
    """Of a sum over all features."""

    def total(variables):
      found = self.encoder.apply(variables, inputs, method=run)
      return (found.pooled**2).sum() + (found.tokens**2).sum()

    return jax.jit(jax.grad(total), compiler_options=_QUICK)(self.variables)


def total(tree: Any) -> float:
  """The sum of all numbers of a tree; NaN if one is."""
  return float(sum(np.asarray(x, float).sum() for x in jax.tree.leaves(tree)))


def assert_reaches_all(gradients: Any) -> None:
  """Finite everywhere, and some gradient for each parameter."""
  for path, x in jax.tree_util.tree_leaves_with_path(gradients):
    assert np.isfinite(x).all(), path
    assert abs(x).max() > 0, path
