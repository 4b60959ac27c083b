import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import render


def _render(z, *, polarity=False, size=24, seed=0):
  n = len(z)
  return render.render(
    z=np.asarray(z, float),
    patient=np.arange(n),
    site=np.arange(n) % 3,
    size=size,
    polarity=polarity,
    rng=np.random.default_rng(seed),
  )


class RenderTest(parameterized.TestCase):
  @parameterized.parameters(8, 17, 32)
  def test_shape_and_range(self, size):
    images = _render(np.zeros(5), size=size)
    self.assertEqual(images.shape, (5, size, size, 1))
    self.assertEqual(images.dtype, np.uint8)
    self.assertGreater(images.std(), 5)

  def test_only_the_lesion_depends_on_the_latent(self):
    low, high = _render(np.full(40, -2.0)), _render(np.full(40, 2.0))
    changed = (abs(low.astype(int) - high) > 12)[..., 0]
    self.assertTrue(changed.any((1, 2)).all())
    border = np.ones((24, 24), bool)
    border[2:-2, 2:-2] = False
    self.assertFalse(changed[:, border].any())

  def test_lesions_grow_brighter_and_larger_with_the_latent(self):
    z = np.linspace(-2.4, 2.4, 9)
    contrast, radius = render.attributes(z, polarity=False)
    self.assertTrue((np.diff(contrast) > 0).all())
    self.assertTrue((np.diff(radius) > 0).all())

  def test_polarity_shows_the_sign_alone(self):
    images = [_render(np.full(30, z), polarity=True) for z in (0.1, 2.0, -1.0)]
    np.testing.assert_array_equal(images[0], images[1])
    self.assertGreater(images[0].mean(), images[2].mean())


if __name__ == '__main__':
  absltest.main()
