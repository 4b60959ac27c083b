"""Tests of GRU-D against its equations, step by step in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from tests.encoders import encoding
from tests.encoders.series import rows

WIDTH = 3
PART = f'gru_d(width={WIDTH})'


def _sigmoid(x):
  return 1 / (1 + np.exp(-x))


def _written_out(params, inputs, study):
  """The states of one study, a dict of what was last seen at a time."""
  p = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
  here = np.flatnonzero(inputs['mask'][study])
  get = {k: np.asarray(v)[study][here] for k, v in inputs.items()}
  times = sorted(set(get['time'].tolist()))
  h, states = np.zeros(WIDTH), []
  last = np.zeros(rows.CODES)
  seen = np.full(rows.CODES, times[0] if times else 0.0)
  for s in times:
    delta = s - seen
    m, x, v = np.zeros(rows.CODES), np.zeros(rows.CODES), {}
    for i in np.flatnonzero(get['time'] == s):
      m[get['code'][i]] = 1
      if get['valued'][i]:
        v.setdefault(get['code'][i], []).append(get['value'][i])
    decay = p['input_decay']['rate'] * delta + p['input_decay']['bias']
    x = np.exp(-np.maximum(0, decay)) * last
    for code, numbers in v.items():
      x[code] = last[code] = np.mean(numbers)
    full = delta @ p['state_decay']['kernel'] + p['state_decay']['bias']
    h = np.exp(-np.maximum(0, full)) * h
    given = np.concatenate([x, m]) @ p['inputs']['kernel'] + p['inputs']['bias']
    gates = h @ p['cell']['gates']['kernel'] + given[: 2 * WIDTH]
    z, r = _sigmoid(gates[:WIDTH]), _sigmoid(gates[WIDTH:])
    inner = (r * h) @ p['cell']['candidate']['kernel'] + given[2 * WIDTH :]
    h = (1 - z) * h + z * np.tanh(inner)
    states.append(h)
    seen[m > 0] = s
  return np.array(states).reshape(-1, WIDTH)


class GRUDTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.inputs = rows.make()
    self.encode = encoding.Encoded('series', PART, self.inputs)

  def test_is_what_the_equations_say(self):
    found = self.encode(self.inputs)
    for study in range(rows.B):
      states = _written_out(self.encode.params, self.inputs, study)
      n = len(states)
      self.assertEqual(int(found.token_mask[study].sum()), n)
      np.testing.assert_allclose(found.tokens[study, :n], states, atol=1e-5)
      end = states[-1] if n else np.zeros(WIDTH)
      np.testing.assert_allclose(found.pooled[study], end, atol=1e-5)
    # Two rows of the first study are one step.
    self.assertEqual(int(found.token_mask[0].sum()), 4)

  def test_only_the_time_between_measurements_counts(self):
    shifted = {**self.inputs, 'time': self.inputs['time'] - 1.0}
    slower = {**self.inputs, 'time': self.inputs['time'] * 4}
    one, two, three = map(self.encode, (self.inputs, shifted, slower))
    np.testing.assert_allclose(one.pooled, two.pooled, atol=1e-5)
    self.assertGreater(float(abs(one.pooled - three.pooled).max()), 1e-3)

  def test_the_numbers_of_codes_are_names(self):
    order = np.array([0, 3, 1, 4, 2])
    back = np.argsort(order)
    params = jax.tree.map(lambda x: x, self.encode.params)
    params['input_decay'] = jax.tree.map(
      lambda x: x[back], params['input_decay']
    )
    state, given = params['state_decay'], params['inputs']
    params['state_decay'] = {**state, 'kernel': state['kernel'][back]}
    both = np.concatenate([back, rows.CODES + back])
    params['inputs'] = {**given, 'kernel': given['kernel'][both]}
    renamed = {**self.inputs, 'code': jnp.asarray(order)[self.inputs['code']]}
    np.testing.assert_allclose(
      self.encode(renamed, {'params': params}).pooled,
      self.encode(self.inputs).pooled,
      atol=1e-5,
    )

  def test_the_order_of_rows_of_one_time_is_nothing(self):
    order = np.array([0, 1, 2, 4, 3, 5, 6])
    moved = {k: x[:1, order] for k, x in self.inputs.items()}
    np.testing.assert_allclose(
      self.encode(moved).pooled, self.encode(self.inputs).pooled[:1], atol=1e-6
    )

  def test_gradients_reach_all(self):
    encoding.assert_reaches_all(self.encode.gradients(self.inputs))


if __name__ == '__main__':
  absltest.main()
