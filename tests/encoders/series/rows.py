"""Rows of three studies in order of time, one of them without any."""

import jax.numpy as jnp
import numpy as np

B, T, CODES = 3, 7, 5
MASK = np.array([[0, 0, 1, 1, 1, 1, 1], [1] * 7, [0] * 7], bool)


def make() -> dict:
  """Rows by name; two of the first study are of one time."""
  rng = np.random.default_rng(0)
  time = np.sort(-rng.uniform(0.05, 2, (B, T)), axis=1).astype(np.float32)
  time[0, 4] = time[0, 3]
  code = rng.integers(1, CODES, (B, T)).astype(np.int32)
  code[0, 3:5] = 2, 3
  rows = {
    'time': time,
    'code': code,
    'value': rng.normal(size=(B, T)).astype(np.float32),
    'valued': (rng.random((B, T)) < 0.7).astype(np.float32),
  }
  found = {k: jnp.asarray(v * MASK, v.dtype) for k, v in rows.items()}
  return {**found, 'mask': MASK}


# What padding may hold, by name.
_GARBAGE = {'time': -3.0, 'code': 4, 'value': 3.0, 'valued': 1.0, 'mask': False}


def padded(rows: dict, before: int, after: int) -> dict:
  """With padding that holds something, on both sides of each study."""
  around = ((0, 0), (before, after))
  return {
    name: jnp.pad(jnp.asarray(x), around, constant_values=_GARBAGE[name])
    for name, x in rows.items()
  }


def spoiled(rows: dict) -> dict:
  """Something else in the padding that is there."""
  return {
    name: jnp.where(rows['mask'], x, jnp.array(_GARBAGE[name], x.dtype))
    for name, x in rows.items()
  }
