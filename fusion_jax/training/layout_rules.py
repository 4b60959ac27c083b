"""Rules that layouts of networks of convolutions have in common.

A batch normalisation that adds another epsilon to a variance than ours gets the
difference added to its stored variances, so that features are the same. While
such an encoder is trained and not frozen, the batch's own variances are used,
and kept, without it.
"""

import functools

import numpy as np

from fusion_jax.encoders import batch_norm
from fusion_jax.training import pretrained

Rules = tuple[pretrained.Rule, ...]
# What PyTorch's batch normalisation adds.
EPSILON = 1e-5
# Counts of batches, which nothing here needs.
COUNTS = r'.*num_batches_tracked'


def convolution(path: str, name: str, *, bias: bool = False) -> Rules:
  """Of a convolution at `path`, whose arrays begin with `name`."""
  r = pretrained.Rule
  found = (r(f'{path}/kernel', f'{name}.weight', pretrained.convolution),)
  if bias:
    found += (r(f'{path}/bias', f'{name}.bias', pretrained.same),)
  return found


def linear(path: str, name: str) -> Rules:
  """Of a linear layer, or of a convolution of side 1 that is one here."""
  r = pretrained.Rule
  return (
    r(f'{path}/kernel', f'{name}.weight', pretrained.linear),
    r(f'{path}/bias', f'{name}.bias', pretrained.same),
  )


def layer_norm(path: str, name: str) -> Rules:
  """Of a layer normalisation."""
  r, same = pretrained.Rule, pretrained.same
  return (
    r(f'{path}/scale', f'{name}.weight', same),
    r(f'{path}/bias', f'{name}.bias', same),
  )


def norm(path: str, name: str, *, epsilon: float = EPSILON) -> Rules:
  """Of a batch normalisation that adds `epsilon` to variances."""
  r, same = pretrained.Rule, pretrained.same
  more = epsilon - batch_norm.BatchNorm.epsilon
  return (
    *layer_norm(path, name),
    r(f'{path}/mean', f'{name}.running_mean', same),
    r(
      f'{path}/var', f'{name}.running_var', functools.partial(_more, more=more)
    ),
  )


def _more(
  array: np.ndarray, shape: tuple[int, ...], *, more: float
) -> np.ndarray:
  return pretrained.same(array, shape) + np.float32(more)


def unit(
  path: str,
  number: int,
  convolution_name: str,
  norm_name: str,
  *,
  epsilon: float = EPSILON,
) -> Rules:
  """Of a convolution and its batch normalisation (`convnet.units`).

  Args:
    path: what the paths of both begin with.
    number: of the unit there.
    convolution_name: what the convolution's arrays begin with.
    norm_name: what those of the normalisation begin with.
    epsilon: that it adds.
  """
  return (
    *convolution(f'{path}Conv_{number}', convolution_name),
    *norm(f'{path}BatchNorm_{number}', norm_name, epsilon=epsilon),
  )
