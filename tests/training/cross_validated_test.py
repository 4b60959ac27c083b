import numpy as np
from absl.testing import absltest, parameterized
from sklearn import linear_model, metrics

from fusion_jax.core import errors, links, types
from fusion_jax.training import cross_validated
from tests.training import classical_test

TASKS = classical_test.TASKS


def elastic_net(kind, x, y, fold, **more):
  return cross_validated.fit_elastic_net(
    task=TASKS[kind], x=x, labels=y, weight=None, fold=fold, **more
  )


def trees(kind, x, y, fold, **more):
  return cross_validated.fit_trees(
    task=TASKS[kind],
    x=x,
    is_categorical=np.zeros(x.shape[1], bool),
    labels=y,
    weight=None,
    fold=fold,
    **more,
  )


FITS = {'elastic_net': elastic_net, 'trees': trees}


class AllTasksTest(parameterized.TestCase):
  @parameterized.product(kind=types.TASK_KINDS, name=tuple(FITS))
  def test_learns_and_predicts_what_it_has_not_seen(self, kind, name):
    x, y = classical_test.rows(kind, n=240)
    fold = np.arange(240) % 5
    tuned = FITS[name](kind, x, y, fold)
    task = TASKS[kind]
    self.assertEqual(tuned.out_of_fold.shape, (240, task.num_outputs))
    self.assertTrue(np.isfinite(tuned.out_of_fold).all())
    constant = np.tile(links.constant_logits(task, y), (240, 1))
    null = links.mean_loss(task, constant, y)
    self.assertLess(links.mean_loss(task, tuned.out_of_fold, y), 0.95 * null)
    # The final model has seen all rows: it fits them better.
    self.assertLess(
      links.mean_loss(task, tuned.model.logits(x), y),
      links.mean_loss(task, tuned.out_of_fold, y),
    )

  @parameterized.product(name=tuple(FITS))
  def test_out_of_fold_logits_do_not_know_labels_of_noise(self, name):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 30))
    y = rng.integers(0, 2, size=(150, 1)).astype(float)
    tuned = FITS[name](types.BINARY, x, y, np.arange(150) % 5)
    auroc = metrics.roc_auc_score(y[:, 0], tuned.out_of_fold[:, 0])
    self.assertLess(auroc, 0.62)

  @parameterized.product(name=tuple(FITS))
  def test_a_fold_with_all_events_is_never_held_out(self, name):
    x, _ = classical_test.rows(types.BINARY, n=60)
    fold = np.arange(60) % 5
    y = (fold == 2).astype(float)[:, None]
    with self.assertRaisesRegex(errors.UserError, 'too few studies'):
      # Without fold 2 there is one class; with it, fold by fold, both.
      FITS[name](types.BINARY, x, y * (fold == 2)[:, None], fold * 0 + 2)
    tuned = FITS[name](types.BINARY, x, y, fold)
    held = tuned.out_of_fold[fold == 2]
    np.testing.assert_array_equal(held, np.full_like(held, held[0, 0]))

  @parameterized.product(name=tuple(FITS))
  def test_one_class_is_an_error_and_of_one_label_a_note(self, name):
    x, y = classical_test.rows(types.MULTILABEL, n=60)
    y[:, 1] = 0.0
    fold = np.arange(60) % 3
    tuned = FITS[name](types.MULTILABEL, x, y, fold)
    self.assertLen(np.unique(tuned.out_of_fold[:, 1]), 1)
    self.assertIn('Its prediction is constant.', tuned.model.notes[0])
    with self.assertRaisesRegex(errors.UserError, 'one class only'):
      FITS[name](types.BINARY, x, y[:, 1:], fold)


class ElasticNetTest(absltest.TestCase):
  def test_chooses_what_scikit_learn_chooses(self):
    rng = np.random.default_rng(3)
    x = rng.normal(size=(100, 8))
    x = (x - x.mean(0)) / x.std(0)
    y = x[:, 0] - 0.5 * x[:, 1] + rng.normal(size=100)
    y = (y - y.mean()) / y.std()
    fold = np.arange(100) % 5
    tuned = elastic_net(types.REGRESSION, x, y[:, None], fold)
    penalties = tuned.model.penalties
    # Half of ours: scikit-learn halves the squared error.
    start = np.abs(2 * x.T @ y / 100).max() / 0.5
    ours = np.geomspace(start, start * 1e-4, 60)
    theirs = linear_model.ElasticNetCV(
      l1_ratio=0.5,
      alphas=ours / 2,
      cv=[
        (np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(5)
      ],
      tol=1e-8,
      max_iter=100000,
    ).fit(x, y)
    self.assertAlmostEqual(float(penalties[0]), 2 * theirs.alpha_, places=8)
    np.testing.assert_allclose(
      tuned.model.coefficients[:, 0], theirs.coef_, atol=2e-3
    )

  def test_out_of_fold_is_the_fit_without_the_fold(self):
    x, y = classical_test.rows(types.BINARY, n=120)
    y = np.nan_to_num(y)
    x = (x - x.mean(0)) / x.std(0)
    fold = np.arange(120) % 4
    tuned = elastic_net(types.BINARY, x, y, fold, l1_ratio=0.0)
    penalty = float(tuned.model.penalties[0])
    for k in range(4):
      kept = fold != k
      reference = linear_model.LogisticRegression(
        C=1 / (penalty * kept.sum()), tol=1e-10, max_iter=10000
      ).fit(x[kept], y[kept, 0])
      np.testing.assert_allclose(
        tuned.out_of_fold[~kept, 0],
        reference.decision_function(x[~kept]),
        atol=2e-2,
      )

  def test_columns_that_only_add_noise_are_left_out(self):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 60))
    y = (x[:, 0] + x[:, 1] + rng.logistic(size=80) > 0).astype(float)[:, None]
    few, all_columns = np.arange(60) < 2, np.ones(60, bool)
    tuned = elastic_net(
      types.BINARY,
      x,
      y,
      np.arange(80) % 5,
      candidates=[all_columns, few],
      l1_ratio=0.0,
    )
    self.assertTrue(tuned.model.coefficients[:2].all())
    self.assertFalse(tuned.model.coefficients[2:].any())


class TreesTest(absltest.TestCase):
  def test_noise_gets_no_round(self):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 5))
    y = rng.integers(0, 2, size=(200, 1)).astype(float)
    tuned = trees(types.BINARY, x, y, np.arange(200) % 5)
    self.assertLess(tuned.model.cost['rounds'], 10)


if __name__ == '__main__':
  absltest.main()
