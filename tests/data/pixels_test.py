import dataclasses
import pathlib

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import linear_model, metrics

from fusion_jax.core import errors, types
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import config as config_lib
from fusion_jax.data import pixels, preprocess, reader, synthetic

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / 'shared' / 'data'


def pictures(images, mask=None, labels=None):
  n = len(images)
  return cohort_lib.Cohort(
    name='pictures',
    task=types.Task(types.BINARY, ('y',)),
    digest='',
    study=np.array([f's{i}' for i in range(n)]),
    patient=np.array([f'p{i}' for i in range(n)]),
    labels=np.zeros((n, 1)) if labels is None else labels,
    images=images,
    image_mask=np.ones(images.shape[:2], bool) if mask is None else mask,
  )


def noise(*shape, dtype=np.uint8, seed=0):
  high = np.iinfo(dtype).max + 1
  return np.random.default_rng(seed).integers(0, high, shape).astype(dtype)


def fit(cohort, rows=None, *, size=8, components=4, bins=4):
  rows = np.arange(len(cohort)) if rows is None else rows
  return pixels.fit(cohort, rows, size=size, components=components, bins=bins)


class ImageStatsTest(parameterized.TestCase):
  @parameterized.parameters(np.uint8, np.uint16)
  def test_equals_numpy_over_existing_images(self, dtype):
    x = noise(5, 2, 6, 7, 3, dtype=dtype)
    mask = np.array([[1, 1], [1, 0], [0, 0], [1, 1], [1, 0]], bool)
    stats = pixels.image_stats(pictures(x, mask), np.array([0, 1, 2]))
    rows = x[:3][mask[:3]] / np.iinfo(dtype).max
    np.testing.assert_allclose(stats['mean'], rows.mean((0, 1, 2)), rtol=1e-6)
    np.testing.assert_allclose(stats['std'], rows.std((0, 1, 2)), rtol=1e-6)

  def test_blank_or_absent_images(self):
    x = np.zeros((2, 1, 4, 4, 1), np.uint8)
    for mask in (np.ones((2, 1), bool), np.zeros((2, 1), bool)):
      stats = pixels.image_stats(pictures(x, mask), np.arange(2))
      np.testing.assert_array_equal(stats['mean'], [0])
      np.testing.assert_array_equal(stats['std'], [1])


class ReduceTest(parameterized.TestCase):
  def test_whole_factor_is_the_block_mean(self):
    x = noise(3, 8, 12, 2)
    blocks = x.reshape(3, 4, 2, 4, 3, 2).mean(axis=(2, 4)) / 255
    np.testing.assert_allclose(pixels.reduce(x, 4), blocks, rtol=1e-5)

  @parameterized.parameters((5, 9), (3, 3), (16, 4))
  def test_any_shape_keeps_the_mean(self, h, w):
    x = noise(2, h, w, 1)
    out = pixels.reduce(x, 4)
    self.assertEqual(out.shape, (2, 4, 4, 1))
    np.testing.assert_allclose(
      out.mean((1, 2)), x.mean((1, 2)) / 255, rtol=1e-5
    )


class TransformTest(parameterized.TestCase):
  @parameterized.parameters((1, 8 * 0 + 4 + 4), (3, 4 + 3 * 4 + 64))
  def test_standardised_on_training_studies(self, c, q):
    cohort = pictures(noise(40, 1, 8, 8, c))
    rows = np.arange(25)
    fitted = fit(cohort, rows)
    out = pixels.transform(fitted, cohort)
    self.assertEqual(out.shape, (40, q))
    self.assertLessEqual(abs(out).max(), pixels.CLIP)
    components = out[rows, :4]
    np.testing.assert_allclose(components.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(components.std(0), 1, atol=1e-5)

  def test_components_are_those_of_an_exact_decomposition(self):
    rng = np.random.default_rng(0)
    axes = rng.standard_normal((2, 64))
    x = 128 + rng.standard_normal((60, 2)) * [20, 8] @ axes
    x = np.clip(np.rint(x), 0, 255).astype(np.uint8).reshape(60, 1, 8, 8, 1)
    fitted = fit(pictures(x), components=2)
    flat = x.reshape(60, 64) / 255
    exact = np.linalg.svd(flat - flat.mean(0), full_matrices=False)[2][:2]
    np.testing.assert_allclose(
      abs(fitted.components @ exact.T), np.eye(2), atol=0.02
    )

  def test_several_images_are_averaged_and_absent_ones_are_zero(self):
    x = noise(6, 2, 8, 8, 1)
    mask = np.ones((6, 2), bool)
    mask[4, 1] = mask[5] = False
    cohort = pictures(x, mask)
    fitted = fit(cohort)
    # Undo the scaling, which is the same for all.
    raw = pixels.transform(fitted, cohort) * fitted.std + fitted.mean
    alone = [
      pixels.transform(fitted, pictures(x[:, i : i + 1])) * fitted.std
      + fitted.mean
      for i in (0, 1)
    ]
    np.testing.assert_allclose(raw[0], (alone[0][0] + alone[1][0]) / 2)
    np.testing.assert_allclose(raw[4], alone[0][4])
    np.testing.assert_array_equal(pixels.transform(fitted, cohort)[5], 0)

  def test_garbage_in_absent_images_changes_nothing(self):
    mask = np.random.default_rng(1).random((12, 2)) < 0.6
    x, y = noise(12, 2, 8, 8, 3), noise(12, 2, 8, 8, 3, seed=9)
    y[mask] = x[mask]
    a, b = pictures(x, mask), pictures(y, mask)
    np.testing.assert_array_equal(
      pixels.transform(fit(a), a), pixels.transform(fit(b), b)
    )

  @parameterized.named_parameters(
    ('fewer_images_than_components', noise(3, 1, 8, 8, 1)),
    ('one_image', noise(1, 1, 8, 8, 3)),
    ('identical', np.full((5, 1, 8, 8, 1), 7, np.uint8)),
    ('deep', noise(5, 1, 8, 8, 1, dtype=np.uint16) // 40),
    ('one_pixel', noise(5, 1, 1, 1, 1)),
  )
  def test_odd_images_give_finite_features(self, images):
    cohort = pictures(images)
    fitted = fit(cohort)
    new = pictures(noise(7, 1, *images.shape[2:], dtype=images.dtype))
    for x in (cohort, new):
      self.assertTrue(np.isfinite(pixels.transform(fitted, x)).all())

  def test_chunks_do_not_show(self):
    cohort = pictures(noise(1100, 1, 4, 4, 1))
    fitted = fit(cohort, np.arange(20))
    whole = pixels.transform(fitted, cohort)
    part = pixels.transform(fitted, cohort.subset(np.arange(500, 560)))
    np.testing.assert_allclose(whole[500:560], part, atol=1e-6)

  def test_other_channels(self):
    fitted = fit(pictures(noise(5, 1, 8, 8, 3)))
    with self.assertRaisesRegex(errors.UserError, '1 channels'):
      pixels.transform(fitted, pictures(noise(5, 1, 8, 8, 1)))

  def test_a_cohort_without_images(self):
    fitted = fit(pictures(noise(5, 1, 8, 8, 1)))
    bare = dataclasses.replace(
      pictures(noise(2, 1, 8, 8, 1)), images=None, image_mask=None
    )
    np.testing.assert_array_equal(pixels.transform(fitted, bare), 0)


class RecipeTest(parameterized.TestCase):
  """A plain logistic regression on these features learns something."""

  def auroc(self, cohort, fold, tested=(0, 1), penalty=0.01):
    labels, scores = cohort.labels[:, 0], []
    for i in tested:
      train, test = fold != i, fold == i
      fitted = preprocess.Preprocessor().fit(cohort, np.flatnonzero(train))
      x = fitted.pixels(cohort)
      model = linear_model.LogisticRegression(C=penalty, max_iter=2000)
      model.fit(x[train], labels[train])
      score = model.decision_function(x[test])
      scores.append(metrics.roc_auc_score(labels[test], score))
    return np.mean(scores)

  def test_generated(self):
    cohort = synthetic.make('image_only', n=500, size=32, seed=0)
    self.assertGreater(self.auroc(cohort, np.arange(500) % 2), 0.7)

  @parameterized.parameters(('pad_ufes20_lesions', 0.73), ('ham10000_64', 0.81))
  def test_public(self, name, least):
    if not (SHARED / name).is_dir():
      self.skipTest(f'{SHARED / name} is not here')
    config = config_lib.CohortConfig(
      name=name,
      data_root=str(SHARED / name),
      cache_dir=self.create_tempdir().full_path,
    )
    cohort = reader.open_cohort(config)
    found = self.auroc(cohort, cohort.fold, tested=(0,))
    self.assertGreater(found, least)


if __name__ == '__main__':
  absltest.main()
