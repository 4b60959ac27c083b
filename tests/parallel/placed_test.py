import gc
import time

import jax
import numpy as np
from absl.testing import absltest

from fusion_jax.parallel import placed

ONE, TWO = jax.local_devices()[:2]


def _array(value, size=40_000):
  return np.full(size, value, np.float32)


class PlacedTest(absltest.TestCase):
  def test_the_same_array_is_placed_once(self):
    kept = placed.Placed(most_bytes=1 << 30)
    x = _array(1)
    first = kept.put(x, ONE)
    self.assertIs(kept.put(x, ONE), first)
    # Views of one memory are one array, other parts of it are not.
    self.assertIs(kept.put(x[:], ONE), first)
    part = kept.put(x[:20_000], ONE)
    self.assertEqual(part.shape, (20_000,))
    # Elsewhere, and equal but another.
    self.assertEqual(kept.put(x, TWO).device, TWO)
    self.assertIsNot(kept.put(_array(1), ONE), first)

  def test_goes_with_the_host_array(self):
    kept = placed.Placed(most_bytes=1 << 30)
    x = _array(1)
    kept.put(x, ONE)
    kept.put(x[10_000:], TWO)
    self.assertLen(kept, 2)
    del x
    # A copy that is under way holds its source a moment longer.
    for _ in range(100):
      gc.collect()
      if not len(kept):
        break
      time.sleep(0.05)
    self.assertLen(kept, 0)

  def test_another_array_at_the_same_address_is_another(self):
    kept = placed.Placed(most_bytes=1 << 30)
    for value in range(20):
      x = _array(value)
      self.assertEqual(float(kept.put(x, ONE)[0]), value)
      del x

  def test_the_oldest_goes_first(self):
    kept = placed.Placed(most_bytes=350_000)  # Two of 160,000.
    a, b, c = (_array(k) for k in range(3))
    first, second = kept.put(a, ONE), kept.put(b, ONE)
    self.assertIs(kept.put(a, ONE), first)
    kept.put(c, ONE)
    self.assertLen(kept, 2)
    self.assertIs(kept.put(a, ONE), first)
    self.assertIsNot(kept.put(b, ONE), second)

  def test_one_that_is_too_large_is_kept_alone(self):
    kept = placed.Placed(most_bytes=10)
    x = _array(1)
    self.assertIs(kept.put(x, ONE), kept.put(x, ONE))
    self.assertLen(kept, 1)

  def test_small_ones_are_not_kept(self):
    kept = placed.Placed(most_bytes=1 << 30)
    x = np.arange(3.0)
    np.testing.assert_array_equal(kept.put(x, ONE), x)
    self.assertLen(kept, 0)


if __name__ == '__main__':
  absltest.main()
