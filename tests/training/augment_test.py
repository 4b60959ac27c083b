import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.training import augment
from fusion_jax.training import config as training_config


def _images(b=6):
  return jax.random.normal(jax.random.key(0), (b, 2, 8, 8, 1))


def _augment(images, key=1, free=True, position=None, **changes):
  return augment.augment(
    jax.random.key(key),
    images,
    jnp.arange(len(images)) if position is None else position,
    config=training_config.TrainingConfig(**changes),
    orientation_free=free,
  )


class AugmentTest(parameterized.TestCase):
  def test_flips_and_turns_keep_every_pixel(self):
    images = _images()
    changed = _augment(images, crop=0.0, brightness=0.0)
    flat = [np.sort(x.reshape(6, -1), axis=1) for x in (images, changed)]
    np.testing.assert_array_equal(*flat)
    self.assertGreater(float(abs(images - changed).max()), 0)

  def test_a_fixed_orientation_is_kept(self):
    images = _images()
    changed = _augment(images, free=False, crop=0.0, brightness=0.0)
    np.testing.assert_array_equal(images, changed)

  def test_crop_shifts_by_at_most_its_share(self):
    column = jnp.broadcast_to(jnp.arange(16.0), (64, 1, 16, 16))[..., None]
    changed = _augment(column, crop=0.125, flip=False, brightness=0.0)
    middle = np.asarray(changed[:, 0, 8, 8, 0]) - 8.0
    self.assertEqual(set(middle), {-2.0, -1.0, 0.0, 1.0, 2.0})

  def test_brightness_is_bounded(self):
    zero, one = jnp.zeros((64, 1, 4, 4, 1)), jnp.ones((64, 1, 4, 4, 1))
    for images, low, high in ((zero, -0.1, 0.1), (one, 0.8, 1.2)):
      changed = _augment(images, crop=0.0, flip=False, brightness=0.1)
      self.assertGreaterEqual(float(changed.min()), low)
      self.assertLessEqual(float(changed.max()), high)
      self.assertGreater(float(changed.std()), 0.01)

  def test_a_study_is_changed_alike_in_any_shard(self):
    images = _images()
    whole = _augment(images)
    part = _augment(images[3:], position=jnp.arange(3, 6))
    np.testing.assert_array_equal(whole[3:], part)
    self.assertGreater(float(abs(whole - _augment(images, key=2)).max()), 0)


if __name__ == '__main__':
  absltest.main()
