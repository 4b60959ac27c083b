"""AdamW whose rate and decay are data, so that trials share one program."""

import jax
import jax.numpy as jnp
import optax

from fusion_jax.training import config as training_config


def _decayed(params):
  return jax.tree.map(lambda x: x.ndim > 1, params)


def create_optimizer(
  *, config: training_config.TrainingConfig
) -> optax.GradientTransformation:
  """AdamW (Loshchilov and Hutter 2019) after clipping by the global norm.

  Its state holds `hyperparams` 'learning_rate' and 'weight_decay', which
  `with_hyperparameters` sets; biases and normalisation are not decayed.
  """

  def make(learning_rate, weight_decay):
    return optax.chain(
      optax.clip_by_global_norm(config.clip_norm),
      optax.adamw(learning_rate, weight_decay=weight_decay, mask=_decayed),
    )

  return optax.inject_hyperparams(make)(
    learning_rate=config.learning_rate, weight_decay=config.weight_decay
  )


def with_hyperparameters(opt_state, *, learning_rate, weight_decay):
  """`opt_state` with both hyperparameters replaced."""
  hyperparams = {
    **opt_state.hyperparams,
    'learning_rate': jnp.asarray(learning_rate, jnp.float32),
    'weight_decay': jnp.asarray(weight_decay, jnp.float32),
  }
  return opt_state._replace(hyperparams=hyperparams)


def schedule(step, total, *, warmup: float):
  """Factor on the learning rate: linear rise, then a cosine down to 0."""
  total = jnp.maximum(total, 1).astype(jnp.float32)
  rise = jnp.maximum(warmup * total, 1.0)
  up = (step + 1.0) / rise
  down = jnp.clip((step - rise) / jnp.maximum(total - rise, 1.0), 0.0, 1.0)
  return jnp.minimum(up, 0.5 * (1.0 + jnp.cos(jnp.pi * down)))
