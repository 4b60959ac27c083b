import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.training import augment
from fusion_jax.training import config as training_config


def _images(b=6):
  return jax.random.normal(jax.random.key(0), (b, 2, 8, 8, 1))


def _augment(images, key=1, free=True, row=None, **changes):
  return augment.augment(
    jax.random.key(key),
    images,
    jnp.arange(len(images)) if row is None else row,
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
    part = _augment(images[3:], row=jnp.arange(3, 6))
    np.testing.assert_array_equal(whole[3:], part)
    self.assertGreater(float(abs(whole - _augment(images, key=2)).max()), 0)

  def test_images_of_a_batch_are_changed_and_nothing_else(self):
    images, n = _images(), 6
    batch = types.Batch(
      inputs={
        'cxr': {'pixels': images, 'mask': jnp.ones((n, 2), bool)},
        'fundus': {'pixels': images},
        'labs': {'numeric': jnp.ones((n, 3))},
      },
      present={},
      labels=jnp.zeros((n, 1)),
      label_mask=jnp.ones((n, 1), bool),
      weight=jnp.ones(n),
      row=jnp.array([5, 2, 9, 0, 1, 3]),
    )
    config = training_config.TrainingConfig()
    change = augment.of_batches(config, free=['cxr', 'fundus'])
    changed = change(jax.random.key(1), batch).inputs
    # Two modalities of a study are changed apart.
    gap = abs(changed['cxr']['pixels'] - changed['fundus']['pixels'])
    self.assertGreater(float(gap.max()), 0)
    for name, key in (('cxr', 'mask'), ('labs', 'numeric')):
      np.testing.assert_array_equal(changed[name][key], batch.inputs[name][key])
    # In another place, beside others.
    turned = change(
      jax.random.key(1), jax.tree.map(lambda x: x[3:][::-1], batch)
    )
    np.testing.assert_array_equal(
      changed['cxr']['pixels'][3:][::-1], turned.inputs['cxr']['pixels']
    )
    self.assertIsNone(
      augment.of_batches(training_config.TrainingConfig(augment=False), free=())
    )


if __name__ == '__main__':
  absltest.main()
