import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.training import protocol
from tests import tiny

N = 4000


def _dropped(rate, present, row=None, modalities=('a', 'b', 'c')):
  (method,) = protocol.create_methods(
    (f'modality_dropout(rate={rate})',),
    task=tiny.task_of(types.BINARY),
    modalities=modalities,
  )
  n = len(next(iter(present.values())))
  batch = types.Batch(
    inputs={},
    present=present,
    labels=jnp.zeros((n, 1)),
    label_mask=jnp.ones((n, 1), bool),
    weight=jnp.ones(n),
    row=jnp.arange(n) if row is None else row,
  )
  return method.batch(jax.random.key(0), batch).present


class ModalityDropoutTest(absltest.TestCase):
  def test_says_how_likely_it_takes_what(self):
    rng = np.random.default_rng(0)
    present = rng.random((N, 3)) < np.array([0.9, 0.5, 0.7])
    (method,) = protocol.create_methods(
      ('modality_dropout(rate=0.6)',),
      task=tiny.task_of(types.BINARY),
      modalities=('c', 'a', 'b'),
    )
    takes = method.takes(present)
    here = {m: jnp.asarray(present[:, k]) for k, m in enumerate('abc')}
    kept = _dropped(0.6, here)
    for s in (1, 2, 3):
      of = present.sum(1) == s
      for k, m in enumerate('abc'):
        rows = of & present[:, k]
        self.assertAlmostEqual(
          takes[rows, k].mean(),
          1 - np.asarray(kept[m])[rows].mean(),
          delta=0.06,
        )
    np.testing.assert_array_equal(takes[~present], 0)

  def test_takes_its_share_and_never_all(self):
    everyone = {m: jnp.ones(N, bool) for m in 'abc'}
    kept = _dropped(0.3, everyone)
    for m in 'abc':
      # One of three is kept where all would go, in .027 of the studies.
      self.assertAlmostEqual(float(kept[m].mean()), 0.709, delta=0.03)
    self.assertTrue((kept['a'] | kept['b'] | kept['c']).all())
    # Independently of each other.
    both = float((kept['a'] & kept['b']).mean())
    self.assertAlmostEqual(both, 0.49, delta=0.03)

  def test_all_but_one_at_rate_one_and_nothing_at_zero(self):
    everyone = {m: jnp.ones(N, bool) for m in 'abc'}
    kept = np.stack(list(_dropped(1.0, everyone).values()))
    np.testing.assert_array_equal(kept.sum(0), 1)
    for m, x in _dropped(0.0, everyone).items():
      np.testing.assert_array_equal(x, everyone[m])

  def test_what_is_absent_stays_so(self):
    present = {'a': jnp.arange(N) % 3 > 0, 'b': jnp.arange(N) % 4 > 0}
    kept = _dropped(0.5, present, modalities=('a', 'b'))
    for m in 'ab':
      self.assertFalse((kept[m] & ~present[m]).any())
    some = present['a'] | present['b']
    np.testing.assert_array_equal(kept['a'] | kept['b'], some)

  def test_modalities_of_other_models_do_not_count(self):
    present = {m: jnp.ones(N, bool) for m in 'ab'}
    kept = _dropped(1.0, present, modalities=('a',))
    self.assertTrue(kept['a'].all())
    self.assertTrue(kept['b'].all())

  def test_a_study_loses_the_same_beside_any_other(self):
    present = {m: jnp.ones(N, bool) for m in 'abc'}
    whole = _dropped(0.5, present)
    order = jnp.arange(N)[::-1][:7]
    part = _dropped(0.5, {m: x[:7] for m, x in present.items()}, row=order)
    for m in 'abc':
      np.testing.assert_array_equal(whole[m][order], part[m])

  def test_impossible_rates(self):
    with self.assertRaisesRegex(errors.UserError, 'from 0 to 1'):
      _dropped(1.5, {})


if __name__ == '__main__':
  absltest.main()
