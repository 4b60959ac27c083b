"""Random changes of training images, drawn study by study.

Every random number is drawn from a key and the study's row in its cohort, so
that a study is changed alike in whatever batch and shard it is.
"""

import zlib
from collections.abc import Collection

import jax
import jax.numpy as jnp

from fusion_jax.core import types
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
  row: jax.Array,
  *,
  config: training_config.TrainingConfig,
  orientation_free: bool,
) -> jax.Array:
  """Changes standardised (b, i, h, w, c) pixels at random.

  Args:
    key: of the training step.
    pixels: with mean 0 and standard deviation 1 over the training part.
    row: (b,) number of each study in its cohort.
    config: which changes, and how large.
    orientation_free: whether mirroring and turning keep an image's meaning.
  """
  b, i, h, w, _ = pixels.shape
  shift = round(config.crop * min(h, w))
  turn = config.flip and orientation_free

  def study(row, images):
    draws = jax.random.uniform(jax.random.fold_in(key, row), (i, _DRAWS))
    return jax.vmap(
      lambda d, x: _one(
        d, x, turn=turn, shift=shift, brightness=config.brightness
      )
    )(draws, images)

  return jax.vmap(study)(row, pixels)


def of_batches(
  config: training_config.TrainingConfig, *, free: Collection[str]
):
  """(key, batch) -> batch that changes all images; None if none are changed.

  Args:
    config: which changes, and how large.
    free: modalities of which mirroring and turning keep the meaning.
  """
  if not config.augment:
    return None

  def change(key: jax.Array, batch: types.Batch) -> types.Batch:
    inputs = dict(batch.inputs)
    for name, values in inputs.items():
      if 'pixels' in values:
        # By the name, so that another modality beside it changes nothing.
        own = jax.random.fold_in(key, zlib.crc32(name.encode()))
        pixels = augment(
          own,
          values['pixels'],
          batch.row,
          config=config,
          orientation_free=name in free,
        )
        inputs[name] = {**values, 'pixels': pixels}
    return batch.replace(inputs=inputs)

  return change
