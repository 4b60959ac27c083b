import numpy as np
from absl.testing import absltest, parameterized
from sklearn import linear_model

from fusion_jax.core import links, types
from fusion_jax.training import elastic_net

TASKS = {
  types.BINARY: types.Task(types.BINARY, ('y',)),
  types.MULTICLASS: types.Task(types.MULTICLASS, ('a', 'b', 'c', 'd')),
  types.REGRESSION: types.Task(types.REGRESSION, ('y',)),
  types.SURVIVAL: types.Task(types.SURVIVAL, ('t', 'e')),
}
KINDS = tuple(TASKS)


def example(kind, n=150, p=12, seed=0, ties=False):
  """(task, standardised x, labels); class d never occurs."""
  rng = np.random.default_rng(seed)
  x = rng.normal(size=(n, p))
  x[:, 1] = x[:, 0] + 0.3 * x[:, 1]
  x = (x - x.mean(axis=0)) / x.std(axis=0)
  signal = x[:, 0] - x[:, 2] + 0.5 * x[:, 3]
  noise = rng.logistic(size=n)
  if kind == types.BINARY:
    y = signal + noise > 0.3
  elif kind == types.MULTICLASS:
    y = np.digitize(signal + noise, [-1, 1])
  elif kind == types.REGRESSION:
    y = signal + noise
  else:
    time = rng.exponential(size=n) * np.exp(-signal)
    time = np.ceil(5 * time) if ties else time
    return TASKS[kind], x, np.stack([time, rng.random(n) < 0.7], axis=1) * 1.0
  return TASKS[kind], x, np.asarray(y, np.float64)[:, None]


def path(task, x, labels, weight=None, l1_ratio=0.5, valid=None):
  """The path; validation is training unless given, so it runs far."""
  problem = elastic_net.Problem(task, x, labels, weight, l1_ratio)
  x_valid, labels_valid = valid or (x, labels)
  return problem, elastic_net.fit_path(
    problem, x_valid=x_valid, labels_valid=labels_valid, weight_valid=None
  )


class ElasticNetTest(parameterized.TestCase):
  @parameterized.product(kind=KINDS, l1_ratio=(0.0, 0.5, 1.0))
  def test_solutions_meet_the_optimality_conditions(self, kind, l1_ratio):
    task, x, labels = example(kind)
    problem, solutions = path(task, x, labels, l1_ratio=l1_ratio)
    self.assertLen(solutions, elastic_net.PENALTIES)
    for solution in solutions[::6]:
      b = solution.coefficients
      slopes = problem.slopes(b, solution.intercept)[:, :3]
      b = b[:, :3]
      slopes = slopes + solution.penalty * (1 - l1_ratio) * b
      bound = solution.penalty * l1_ratio
      scale = 0.02 * links.mean_loss(task, np.zeros((150, b.shape[1])), labels)
      if kind == types.MULTICLASS:
        scale = 0.02
      np.testing.assert_array_less(np.abs(slopes), bound + scale)
      moving = b != 0
      np.testing.assert_allclose(
        slopes[moving], -bound * np.sign(b[moving]), atol=scale
      )

  def test_starts_where_every_coefficient_is_zero(self):
    for kind in KINDS:
      task, x, labels = example(kind)
      problem, solutions = path(task, x, labels)
      self.assertFalse(solutions[0].coefficients.any())
      self.assertTrue(solutions[2].coefficients.any())
      losses = [
        problem.loss(x @ s.coefficients + s.intercept) for s in solutions
      ]
      self.assertLess(np.max(np.diff(losses)), 1e-4 * abs(losses[0]))

  @parameterized.parameters(types.BINARY, types.MULTICLASS)
  def test_objective_equals_scikit_learns_logistic(self, kind):
    task, x, labels = example(kind)
    weight = np.random.default_rng(1).uniform(0.5, 2, len(x))
    weight /= weight.mean()
    problem, solutions = path(task, x, labels, weight)
    for solution in solutions[5:50:15]:
      reference = linear_model.LogisticRegression(
        solver='saga',
        l1_ratio=0.5,
        C=1 / (solution.penalty * len(x)),
        tol=1e-7,
        max_iter=5000,
        random_state=0,
      ).fit(x, labels[:, 0], sample_weight=weight)
      b, b0 = reference.coef_.T, reference.intercept_
      ours, k = solution.coefficients, b.shape[1]
      logits = x @ ours + solution.intercept
      value = problem.objective(logits, ours, solution.penalty)
      if kind == types.MULTICLASS:
        # Class d never occurs: its coefficients are 0, its constant small.
        self.assertFalse(ours[:, 3].any())
        logits = logits.copy()
        logits[:, 3] = -50
        value = problem.objective(logits, ours, solution.penalty)
        b = np.concatenate([b, np.zeros((len(b), 1))], axis=1)
        b0 = np.append(b0, -50)
      best = problem.objective(x @ b + b0, b, solution.penalty)
      self.assertAlmostEqual(value, best, delta=5e-5)
      ours, b = ours[:, :k], b[:, :k]
      if kind == types.MULTICLASS:
        # What all classes share changes no probability, and the objective
        # hardly.
        ours = ours - ours.mean(axis=1, keepdims=True)
        b = b - b.mean(axis=1, keepdims=True)
      np.testing.assert_allclose(ours, b, atol=0.03)

  def test_coefficients_equal_scikit_learns_elastic_net(self):
    task, x, labels = example(types.REGRESSION)
    _, solutions = path(task, x, labels)
    for solution in solutions[5:50:15]:
      # Its loss is half of the mean squared error.
      reference = linear_model.ElasticNet(
        alpha=solution.penalty / 2, l1_ratio=0.5, tol=1e-10, max_iter=100000
      ).fit(x, labels[:, 0])
      np.testing.assert_allclose(
        solution.coefficients[:, 0], reference.coef_, atol=2e-3
      )
      np.testing.assert_allclose(
        solution.intercept[0], reference.intercept_, atol=1e-6
      )

  @parameterized.parameters(False, True)
  def test_coefficients_equal_scikit_survivals_coxnet(self, ties):
    try:
      from sksurv import linear_model as survival
      from sksurv import util
    except ImportError:
      self.skipTest('scikit-survival is not installed')
    task, x, labels = example(types.SURVIVAL, ties=ties)
    problem, solutions = path(task, x, labels)
    chosen = solutions[5:50:15]
    # Its likelihood is per study, ours per event.
    share = labels[:, 1].mean()
    reference = survival.CoxnetSurvivalAnalysis(
      l1_ratio=0.5, alphas=[s.penalty * share for s in chosen], tol=1e-12
    ).fit(x, util.Surv.from_arrays(labels[:, 1] > 0, labels[:, 0]))
    for solution, b in zip(chosen, reference.coef_.T, strict=True):
      best = problem.objective((x @ b)[:, None], b, solution.penalty)
      value = problem.objective(
        x @ solution.coefficients, solution.coefficients, solution.penalty
      )
      self.assertAlmostEqual(value, best, delta=2e-4)
      np.testing.assert_allclose(solution.coefficients[:, 0], b, atol=0.03)

  @parameterized.parameters(*KINDS)
  def test_leaves_the_path_when_validation_gets_worse(self, kind):
    task, x, labels = example(kind, n=80, p=40)
    other = example(kind, n=80, p=40, seed=1)[1:]
    _, solutions = path(task, x, labels, valid=other)
    losses = [s.valid_loss for s in solutions]
    self.assertLess(len(losses), elastic_net.PENALTIES)
    self.assertEqual(
      len(losses) - 1 - int(np.argmin(losses)), elastic_net.PATIENCE
    )

  @parameterized.parameters(*KINDS)
  def test_more_columns_than_rows(self, kind):
    task, x, labels = example(kind, n=40, p=90)
    _, solutions = path(task, x, labels)
    self.assertTrue(np.isfinite(solutions[-1].coefficients).all())
    self.assertTrue(all(np.isfinite(s.valid_loss) for s in solutions))

  def test_separable_classes_end_the_path(self):
    x = np.linspace(-1, 1, 40)[:, None]
    labels = (x > 0).astype(np.float64)
    _, solutions = path(TASKS[types.BINARY], x, labels, l1_ratio=1.0)
    self.assertTrue(np.isfinite(solutions[-1].coefficients).all())
    self.assertLess(solutions[-1].valid_loss, 0.1)

  def test_no_columns_gives_the_constant(self):
    for kind in KINDS:
      task, x, labels = example(kind)
      _, solutions = path(task, x[:, :0], labels)
      self.assertLen(solutions, 1)
      constant = links.constant_logits(task, labels)
      np.testing.assert_allclose(
        links.scores_from_logits(task, solutions[0].intercept[None]),
        links.scores_from_logits(task, constant[None]),
        atol=0.005,
      )


if __name__ == '__main__':
  absltest.main()
