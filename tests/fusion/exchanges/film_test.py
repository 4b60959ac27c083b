import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.fusion import protocol

B = 4


def _hidden():
  keys = jax.random.split(jax.random.key(0), 3)
  return {
    'image': types.Hidden(
      jax.random.normal(keys[0], (B, 2, 3, 3, 5)),
      jnp.array([[True, False]] * B),
    ),
    'labs': types.Hidden.of_vector(jax.random.normal(keys[1], (B, 4))),
    'note': types.Hidden.of_vector(jax.random.normal(keys[2], (B, 2))),
  }


PRESENT = {
  'image': jnp.ones(B, bool),
  'labs': jnp.array([True, True, False, False]),
  'note': jnp.array([True, False, True, False]),
}


def _run(spec, hidden, *, trained=True, present=PRESENT):
  film = protocol.EXCHANGES.build(spec)
  params = film.init(jax.random.key(0), _hidden(), PRESENT, train=False)
  if trained:
    params = jax.tree.map(
      lambda x: jax.random.normal(jax.random.key(x.size), x.shape), params
    )
  return film.apply(params, hidden, present, train=False), params


class FiLMTest(absltest.TestCase):
  def test_changes_nothing_at_first(self):
    found, _ = _run('film', _hidden(), trained=False)
    jax.tree.map(np.testing.assert_array_equal, found, _hidden())

  def test_scales_and_shifts_by_what_is_present(self):
    hidden = _hidden()
    found, params = _run('film', hidden)
    params = params['params']
    expected = 0
    for other in ('labs', 'note'):
      layer = params[f'{other}_to_image']
      made = hidden[other].x @ layer['kernel'] + layer['bias']
      expected += np.where(PRESENT[other][:, None], made, 0)
    scale, shift = (x[:, None, None, None] for x in np.split(expected, 2, 1))
    np.testing.assert_allclose(
      found['image'].x,
      hidden['image'].x * (1 + scale) + shift,
      rtol=1e-4,
      atol=1e-5,
    )
    # The last study has its image alone.
    np.testing.assert_array_equal(found['image'].x[3], hidden['image'].x[3])
    np.testing.assert_array_equal(found['image'].mask, hidden['image'].mask)

  def test_masked_images_condition_nothing(self):
    hidden = _hidden()
    image = hidden['image']
    spoiled = {
      **hidden,
      'image': image.replace(x=image.x.at[:, 1].set(jnp.nan)),
    }
    for name in ('labs', 'note'):
      np.testing.assert_array_equal(
        _run('film', hidden)[0][name].x, _run('film', spoiled)[0][name].x
      )

  def test_onto_some(self):
    hidden = _hidden()
    found, params = _run('film(onto=(image,))', hidden)
    self.assertEqual(set(params['params']), {'labs_to_image', 'note_to_image'})
    np.testing.assert_array_equal(found['labs'].x, hidden['labs'].x)
    self.assertGreater(
      float(abs(found['image'].x - hidden['image'].x).max()), 0
    )


if __name__ == '__main__':
  absltest.main()
