"""What a table encoder gets of a few studies."""

import jax.numpy as jnp
import numpy as np

LEVELS = 4


def make(numeric: int = 2, categorical: int = 2, b: int = 5) -> dict:
  """The first study has no number."""
  rng = np.random.default_rng(0)
  observed = jnp.ones((b, numeric), jnp.float32).at[0].set(0.0)
  pieces = rng.uniform(size=(b, numeric, 3)).astype(np.float32)
  return {
    'numeric': jnp.array(rng.normal(size=(b, numeric)), jnp.float32),
    'observed': observed,
    'pieces': pieces * np.asarray(observed)[..., None],
    'categorical': jnp.array(
      rng.integers(0, LEVELS, (b, categorical)), jnp.int32
    ),
  }
