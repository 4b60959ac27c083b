"""Random changes of training images, drawn study by study.

Every random number is drawn from a key and the study's position in the batch,
so the same batch is augmented alike however it is sharded.
"""

import jax
import jax.numpy as jnp

from fusion_jax.training import config as training_config

# Random numbers drawn for an image: two mirrors, a quarter turn, two shifts, a
# gain and an offset. One draw of all compiles several times faster than seven.
_DRAWS = 7


def _one(draws, image, *, turn, shift, brightness):
  """Augments one (h, w, c) image by (_DRAWS,) numbers from [0, 1)."""
  mirror, flip, quarter, top, left, gain, offset = draws
  if turn:
    image = jnp.where(mirror < 0.5, image[:, ::-1], image)
    image = jnp.where(flip < 0.5, image[::-1], image)
    if image.shape[0] == image.shape[1]:
      image = jnp.where(quarter < 0.5, image.transpose(1, 0, 2), image)
  if shift:
    h, w, c = image.shape
    padded = jnp.pad(
      image, ((shift, shift), (shift, shift), (0, 0)), mode='edge'
    )
    start = [jnp.int32(x * (2 * shift + 1)) for x in (top, left)]
    image = jax.lax.dynamic_slice(padded, (*start, 0), (h, w, c))
  if brightness:
    gain, offset = ((2 * x - 1) * brightness for x in (gain, offset))
    image = image * (1.0 + gain) + offset
  return image


def augment(
  key: jax.Array,
  pixels: jax.Array,
  position: jax.Array,
  *,
  config: training_config.TrainingConfig,
  orientation_free: bool,
) -> jax.Array:
  """Changes standardised (b, i, h, w, c) pixels at random.

  Args:
    key: of the training step.
    pixels: with mean 0 and standard deviation 1 over the training part.
    position: (b,) place of each study in the batch.
    config: which changes, and how large.
    orientation_free: whether mirroring and turning keep an image's meaning.
  """
  b, i, h, w, _ = pixels.shape
  shift = round(config.crop * min(h, w))
  turn = config.flip and orientation_free

  def study(position, images):
    draws = jax.random.uniform(jax.random.fold_in(key, position), (i, _DRAWS))
    return jax.vmap(
      lambda d, x: _one(
        d, x, turn=turn, shift=shift, brightness=config.brightness
      )
    )(draws, images)

  return jax.vmap(study)(position, pixels)
