"""What every registered kind of modality must do."""

import jax
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import arrays, errors
from fusion_jax.data import config, five, kind, ragged, synthetic

CONFIG = config.PreprocessConfig(
  pixel_components=4, pixel_size=8, volume_size=6, series_codes=8
)
N = 40
TRAIN = np.arange(25)


def shown(kind_name):
  """A modality of that kind, absent in some studies, and its cohort."""
  cohort = synthetic.make_five(n=N, size=16, seed=0)
  (modality,) = cohort.of_kind(kind_name).values()
  return modality.without(np.arange(N) % 7 == 3)


def rows_of(values, rows):
  return {
    k: x.rows(rows) if isinstance(x, ragged.Ragged) else x[rows]
    for k, x in values.items()
  }


def inputs(k, fitted, modality, rows):
  data = modality.data
  values = {**k.held(data), **k.derived(fitted, data)}
  return jax.jit(k.inputs)(
    k.constants(fitted), rows_of(values, modality.rows[rows])
  )


class ConformanceTest(parameterized.TestCase):
  def test_all_five_are_there(self):
    kinds = {x for x, _ in five.KINDS.values()}
    self.assertEqual(set(kind.KINDS.names()), kinds)
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'image'"):
      kind.get('imag')

  @parameterized.parameters(*kind.KINDS.names())
  def test_other_rows_change_nothing_fitted(self, name):
    k, modality = kind.get(name), shown(name)
    rng = np.random.default_rng(0)
    rest = np.setdiff1d(np.arange(N), TRAIN)
    data = k.joined(
      [
        k.noise(modality, TRAIN, TRAIN, rng),
        k.noise(modality, rest, TRAIN, rng),
      ]
    )
    other = k.joined(
      [
        k.noise(modality, TRAIN, TRAIN, np.random.default_rng(0)),
        k.noise(modality, rest, TRAIN, np.random.default_rng(9)),
      ]
    )
    self.assertNotEqual(data.digest(), other.digest())
    found = []
    for x in (data, other):
      mine = type(modality).of(name, modality.side, x)
      fits = [k.fit(mine, TRAIN, CONFIG), k.fit_reduction(mine, TRAIN, CONFIG)]
      found.append([arrays.to_arrays(f) for f in fits if f is not None])
    for a, b in zip(*found, strict=True):
      for key, x in a.items():
        np.testing.assert_array_equal(x, b[key], key)

  @parameterized.parameters(*kind.KINDS.names())
  def test_what_is_fitted_is_saved_and_read(self, name):
    k, modality = kind.get(name), shown(name)
    for cls, fit in (
      (k.fitted, k.fit(modality, TRAIN, CONFIG)),
      (k.reduction, k.fit_reduction(modality, TRAIN, CONFIG)),
    ):
      self.assertEqual(cls is None, fit is None)
      if fit is not None:
        made = arrays.to_arrays(fit, 'a/')
        self.assertFalse(any(x.dtype == object for x in made.values()))
        again = arrays.to_arrays(arrays.from_arrays(cls, made, 'a/'), 'a/')
        for key, x in made.items():
          np.testing.assert_array_equal(x, again[key])

  @parameterized.parameters(*kind.KINDS.names())
  def test_columns_and_inputs_follow_the_rows(self, name):
    k, modality = kind.get(name), shown(name)
    fitted = k.fit(modality, TRAIN, CONFIG)
    reduction = k.fit_reduction(modality, TRAIN, CONFIG)
    order = np.random.default_rng(1).permutation(N)
    moved = modality.take(order)
    for learner in (kind.LINEAR, kind.TREES):
      a = k.columns(fitted, reduction, modality, learner)
      b = k.columns(fitted, reduction, moved, learner)
      self.assertEqual(a.x.shape, (N, len(a.names)))
      self.assertLen(a.is_categorical, len(a.names))
      np.testing.assert_allclose(b.x, a.x[order], atol=1e-5)
      self.assertFalse(np.isinf(a.x).any())
      if learner == kind.LINEAR:
        self.assertFalse(np.isnan(a.x).any())
    a = inputs(k, fitted, modality, order)
    b = inputs(k, fitted, moved, np.arange(N))
    jax.tree.map(np.testing.assert_array_equal, a, b)
    for x in a.values():
      self.assertTrue(np.isfinite(x).all())

  @parameterized.parameters(*kind.KINDS.names())
  def test_what_an_absent_study_holds_tells_nothing(self, name):
    k, modality = kind.get(name), shown(name)
    fitted = k.fit(modality, TRAIN, CONFIG)
    reduction = k.fit_reduction(modality, TRAIN, CONFIG)
    gone = np.flatnonzero(~modality.present)
    # They show the data of another study, and yet nothing.
    rows = np.arange(N)
    rows[gone] = gone[::-1]
    other = modality.take(rows)
    np.testing.assert_array_equal(other.present, modality.present)
    for learner in (kind.LINEAR, kind.TREES):
      np.testing.assert_array_equal(
        k.columns(fitted, reduction, modality, learner).x,
        k.columns(fitted, reduction, other, learner).x,
      )
    for facts in ('missing', 'acquisition', 'brightness'):
      a, b = (getattr(k, facts)(x) for x in (modality, other))
      for key, x in a.items():
        np.testing.assert_array_equal(x, b[key], f'{facts}: {key}')
    again = k.fit(other, TRAIN, CONFIG)
    for key, x in arrays.to_arrays(fitted).items():
      np.testing.assert_array_equal(x, arrays.to_arrays(again)[key])

  @parameterized.parameters(*kind.KINDS.names())
  def test_noise_has_the_form_of_what_it_replaces(self, name):
    k, modality = kind.get(name), shown(name)
    rows = np.arange(25, N)
    data = k.noise(modality, rows, TRAIN, np.random.default_rng(0))
    data.check(name, len(rows))
    self.assertIs(type(data), k.data)
    other = k.noise(modality, rows, TRAIN, np.random.default_rng(1))
    self.assertNotEqual(data.digest(), other.digest())
    again = k.noise(modality, rows, TRAIN, np.random.default_rng(0))
    self.assertEqual(data.digest(), again.digest())

  @parameterized.parameters(*kind.KINDS.names())
  def test_every_field_is_hashed(self, name):
    k, modality = kind.get(name), shown(name)
    a = modality.data
    b = k.joined([a, a])
    self.assertLen(b, 2 * len(a))
    self.assertNotEqual(a.digest(), b.digest())
    self.assertEqual(a.digest(), k.joined([a]).digest())

  @parameterized.parameters(*kind.KINDS.names())
  def test_a_person_is_told_what_there_is(self, name):
    self.assertTrue(kind.get(name).summary(shown(name)))


if __name__ == '__main__':
  absltest.main()
