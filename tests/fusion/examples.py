"""Features of a few studies, and runs of combiners on them in the open."""

import jax
import jax.numpy as jnp
import numpy as np

from fusion_jax.core import types
from fusion_jax.fusion import protocol

# Transformers that compile in seconds; other combiners are as they are.
SMALL = {
  'bottleneck': 'bottleneck(width=8,heads=2)',
  'cross_attention': 'cross_attention(width=8,heads=2)',
  'masked_transformer': 'masked_transformer(width=8,heads=2,depth=1)',
  'perceiver': 'perceiver(width=8,heads=2,depth=1)',
}
B = 4
# Studies with all modalities, with the first, with the others, with none.
PRESENT = ([True, True, False, False], [True, False, True, False])


def features(b=B, tokens=1, **widths):
  """By modality, random features of `tokens` tokens, zero where absent."""
  found, present = {}, {}
  for k, (m, c) in enumerate(widths.items()):
    one, two = jax.random.split(jax.random.key(k))
    present[m] = jnp.array(PRESENT[min(k, 1)])
    here = present[m][:, None]
    pooled = jnp.where(here, jax.random.normal(one, (b, c)), 0)
    found[m] = types.Features.of_vector(pooled)
    if tokens > 1:
      x = jax.random.normal(two, (b, tokens, c))
      found[m] = types.Features(
        pooled=pooled,
        tokens=jnp.where(here[..., None], x, 0),
        token_mask=here & (jnp.arange(tokens) < tokens - k % 2),
      )
  return found, present


def run(spec, found, present, *, outputs=2, scale=0.5):
  """Parameters in NumPy, logits and out of a combiner that has learnt."""
  combiner = protocol.COMBINERS.build(spec, num_outputs=outputs)
  variables = combiner.init(jax.random.key(1), found, present, train=False)
  # Biases and the like start at 0, where they would not be tested.
  leaves, tree = jax.tree.flatten(variables)
  variables = tree.unflatten(
    scale * jax.random.normal(jax.random.key(k), x.shape)
    for k, x in enumerate(leaves)
  )
  logits, out = combiner.apply(variables, found, present, train=False)
  params = jax.tree.map(np.asarray, variables['params'])
  return params, np.asarray(logits), jax.tree.map(np.asarray, out)


def dense(layer, x):
  """An affine map in NumPy."""
  return x @ layer['kernel'] + layer.get('bias', 0)


def relu(x):
  return np.maximum(x, 0)


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def pooled(found):
  return {m: np.asarray(x.pooled) for m, x in found.items()}


def flags(present):
  """(b, m) presence in sorted order."""
  return np.stack([np.asarray(present[m], float) for m in sorted(present)], 1)
