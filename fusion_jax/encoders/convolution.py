"""A convolution whose gradients keep XLA's fast path inside loops.

XLA's CPU backend brings convolutions into the channels-last form of its fast
kernels only outside loops, and the gradients that JAX derives are not in that
form: inside `lax.scan` they run several times slower (jax-ml/jax#12868). Here
both gradients are written as channels-last convolutions of transposed arrays,
which costs nothing on other backends.
"""

import functools

import jax
import jax.numpy as jnp

LAYOUT = ('NHWC', 'HWIO', 'NHWC')


def _conv(x, kernel, strides, padding, **dilations):
  return jax.lax.conv_general_dilated(
    x, kernel, strides, padding, dimension_numbers=LAYOUT, **dilations
  )


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def convolve(x, kernel, strides, padding):
  """Convolves (b, h, w, c) with a (kh, kw, c, c') kernel.

  Args:
    x: (b, h, w, c) float array.
    kernel: (kh, kw, c, c') float array.
    strides: two ints.
    padding: two (before, after) pairs.
  """
  return _conv(x, kernel, strides, padding)


def _forward(x, kernel, strides, padding):
  return _conv(x, kernel, strides, padding), (x, kernel)


def _backward(strides, padding, saved, g):
  x, kernel = saved
  reach = [(n - 1) * s + 1 for n, s in zip(g.shape[1:3], strides, strict=True)]
  sizes = list(zip(x.shape[1:3], kernel.shape[:2], reach, padding, strict=True))
  around = [(k - 1 - p[0], n + p[0] - r) for n, k, r, p in sizes]
  flipped = jnp.flip(kernel, (0, 1)).transpose(0, 1, 3, 2)  # (kh, kw, c', c)
  dx = _conv(g, flipped, (1, 1), around, lhs_dilation=strides)
  within = [(p[0], k - n - p[0] + r - 1) for n, k, r, p in sizes]
  dk = _conv(
    x.transpose(3, 1, 2, 0),  # (c, h, w, b)
    g.transpose(1, 2, 0, 3),  # (h', w', b, c')
    (1, 1),
    within,
    rhs_dilation=strides,
  )
  return dx, dk.transpose(1, 2, 0, 3)  # (kh, kw, c, c')


convolve.defvjp(_forward, _backward)


def conv_general_dilated(
  lhs,
  rhs,
  window_strides,
  padding,
  *,
  lhs_dilation=None,
  rhs_dilation=None,
  dimension_numbers=None,
  feature_group_count=1,
  precision=None,
):
  """`jax.lax.conv_general_dilated` for `flax.linen.Conv` in two dimensions.

  Anything but a plain channels-last convolution goes to JAX's own.
  """
  dilations = (*(lhs_dilation or ()), *(rhs_dilation or ()))
  plain = feature_group_count == 1 and all(d == 1 for d in dilations)
  if lhs.ndim != 4 or not plain:
    return jax.lax.conv_general_dilated(
      lhs,
      rhs,
      window_strides,
      padding,
      lhs_dilation=lhs_dilation,
      rhs_dilation=rhs_dilation,
      dimension_numbers=dimension_numbers,
      feature_group_count=feature_group_count,
      precision=precision,
    )
  if isinstance(padding, str):
    padding = jax.lax.padtype_to_pads(
      lhs.shape[1:3], rhs.shape[:2], window_strides, padding
    )
  padding = tuple((int(a), int(b)) for a, b in padding)
  return convolve(lhs, rhs, tuple(window_strides), padding)
