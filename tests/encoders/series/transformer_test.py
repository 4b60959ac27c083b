import jax
import numpy as np
from absl.testing import absltest

from fusion_jax.encoders import protocol

B, T = 3, 6


def rows(seed=0):
  rng = np.random.default_rng(seed)
  mask = np.array([[0, 0, 1, 1, 1, 1], [1] * 6, [0] * 6], bool)
  return {
    'time': -rng.uniform(0.01, 2, (B, T)).astype(np.float32),
    'code': rng.integers(1, 5, (B, T)).astype(np.int32),
    'value': rng.normal(size=(B, T)).astype(np.float32),
    'valued': (rng.random((B, T)) < 0.8).astype(np.float32),
    'mask': mask,
  }


class TransformerTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.encoder = protocol.encoders('series').build(
      'transformer(width=16,heads=2)', num_codes=5
    )

    def run(encoder, inputs):
      hidden = encoder.stem(inputs, train=False)
      for stage in encoder.stages:
        hidden = stage(hidden, train=False)
      return encoder.readout(hidden, train=False)

    self.run_ = run
    self.params = self.encoder.init(jax.random.key(0), rows(), method=run)

  def encode(self, inputs):
    return self.encoder.apply(self.params, inputs, method=self.run_)

  def test_padding_tells_nothing(self):
    inputs = rows()
    other = rows(seed=1)
    for name, x in other.items():
      if name != 'mask':
        other[name] = np.where(inputs['mask'], inputs[name], x)
    a, b = self.encode(inputs), self.encode(other)
    np.testing.assert_allclose(a.pooled, b.pooled, atol=1e-5)
    # A study without any row is a finite nothing.
    np.testing.assert_array_equal(a.pooled[2], 0)

  def test_the_order_of_rows_tells_nothing_and_time_does(self):
    inputs = rows()
    order = np.array([3, 0, 5, 1, 4, 2])
    moved = {k: x[:, order] for k, x in inputs.items()}
    a, b = self.encode(inputs).pooled, self.encode(moved).pooled
    np.testing.assert_allclose(a, b, atol=1e-5)
    later = {**inputs, 'time': inputs['time'] / 4}
    self.assertGreater(
      float(abs(self.encode(later).pooled - a)[:2].max()), 1e-3
    )

  def test_an_event_without_a_value_ignores_the_number(self):
    inputs = rows()
    inputs['valued'] = np.zeros((B, T), np.float32)
    other = {**inputs, 'value': inputs['value'] + 5}
    np.testing.assert_array_equal(
      self.encode(inputs).pooled, self.encode(other).pooled
    )


if __name__ == '__main__':
  absltest.main()
