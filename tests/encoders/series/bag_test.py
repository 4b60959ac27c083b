"""Tests of the bag of codes."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.encoders.series import bag
from tests.encoders import encoding
from tests.encoders.series import rows


class BagTest(absltest.TestCase):
  def test_counts_and_means(self):
    inputs = {
      'code': jnp.array([[1, 2, 2, 2]]),
      'value': jnp.array([[9.0, 1.0, 2.0, 7.0]]),
      'valued': jnp.array([[0.0, 1.0, 1.0, 0.0]]),
      'mask': jnp.array([[True] * 4]),
    }
    counts, means, known = np.split(bag.bag(inputs, 3), 3, axis=1)
    np.testing.assert_allclose(counts, np.log1p([[0, 1, 3]]), atol=1e-6)
    np.testing.assert_allclose(means, [[0, 0, 1.5]], atol=1e-6)
    np.testing.assert_array_equal(known, [[0, 0, 1]])

  def test_neither_order_nor_time_tells_anything(self):
    inputs = rows.make()
    encode = encoding.Encoded('series', 'bag(width=4)', inputs)
    order = np.array([3, 0, 5, 6, 1, 4, 2])
    moved = {k: x[:, order] for k, x in inputs.items()}
    moved['time'] = moved['time'] * 3
    np.testing.assert_allclose(
      encode(inputs).pooled, encode(moved).pooled, atol=1e-6
    )
    encoding.assert_reaches_all(encode.gradients(inputs))

  def test_the_numbers_of_codes_are_names(self):
    inputs = rows.make()
    encode = encoding.Encoded('series', 'bag(width=4)', inputs)
    order = np.array([0, 3, 1, 4, 2])
    back = np.argsort(order)
    params = jax.tree.map(lambda x: x, encode.params)
    kernel = params['first']['Dense_0']['kernel'].reshape(3, rows.CODES, 4)
    params['first']['Dense_0']['kernel'] = kernel[:, back].reshape(-1, 4)
    renamed = {**inputs, 'code': jnp.asarray(order)[inputs['code']]}
    np.testing.assert_allclose(
      encode(renamed, {'params': params}).pooled,
      encode(inputs).pooled,
      atol=1e-6,
    )


if __name__ == '__main__':
  absltest.main()
