"""Numbers of parameters, as published, of encoders at their usual size."""

import jax.numpy as jnp

from tests.encoders import encoding


def of_images(part: str, *, classes: int = 1000) -> int:
  """Parameters of an encoder of 224-pixel images and its linear head."""
  inputs = {
    'pixels': jnp.ones((1, 1, 224, 224, 3)),
    'mask': jnp.ones((1, 1), bool),
  }
  return _with_head('image', part, inputs, classes)


def of_clips(part: str, *, classes: int = 400) -> int:
  """Likewise of clips of 16 frames of 112 pixels."""
  inputs = {
    'voxels': jnp.ones((1, 16, 112, 112, 3)),
    'mask': jnp.ones(1, bool),
  }
  return _with_head('volume', part, inputs, classes)


def _with_head(kind, part, inputs, classes):
  features, variables = encoding.shapes(kind, part, inputs)
  head = (features.pooled.shape[-1] + 1) * classes
  return encoding.count(variables['params']) + head
