"""Layers of networks of convolutions, written out in NumPy for one image."""

import numpy as np
from scipy import special


def conv(x, kernel, stride=1, bias=0.0):
  """(h, w, c) with a (k, k, c / groups, c') kernel and symmetric padding."""
  k, _, each, out = kernel.shape
  groups = x.shape[-1] // each
  padded = np.pad(x, ((k // 2, k // 2), (k // 2, k // 2), (0, 0)))
  h, w = ((n + 2 * (k // 2) - k) // stride + 1 for n in x.shape[:2])
  found = np.zeros((h, w, out))
  for i in range(h):
    for j in range(w):
      seen = padded[i * stride : i * stride + k, j * stride : j * stride + k]
      for o in range(out):
        g = o // (out // groups)
        part = seen[..., g * each : (g + 1) * each]
        found[i, j, o] = (part * kernel[..., o]).sum()
  return found + bias


def group_norm(x, params):
  """(h, w, c) by the largest number of groups, at most 8 of at least 4."""
  c = x.shape[-1]
  groups = max([g for g in range(1, 9) if c % g == 0 and 4 * g <= c] or [1])
  y = x.reshape(*x.shape[:2], groups, -1)
  mean = y.mean((0, 1, 3), keepdims=True)
  std = np.sqrt(y.var((0, 1, 3), keepdims=True) + 1e-6)
  return ((y - mean) / std).reshape(x.shape) * params['scale'] + params['bias']


def layer_norm(x, params):
  """(..., c) by place."""
  mean, var = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
  return (x - mean) / np.sqrt(var + 1e-6) * params['scale'] + params['bias']


def dense(x, params):
  return x @ params['kernel'] + params['bias']


def relu(x):
  return np.maximum(x, 0)


def sigmoid(x):
  return special.expit(x)


def swish(x):
  return x * sigmoid(x)
