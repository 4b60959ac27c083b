"""Tests of experiments.studies.calibration.plan."""

from absl.testing import absltest, parameterized

from experiments.studies.calibration import cells, findings, plan
from fusion_jax.core import errors


class PlanTest(parameterized.TestCase):
  @parameterized.parameters(
    ('', {'scores': 2000, 'end_to_end': 500}),
    ('20', {'scores': 20, 'end_to_end': 20}),
    ('end_to_end:5', {'scores': 2000, 'end_to_end': 5}),
    ('20, end_to_end:5', {'scores': 20, 'end_to_end': 5}),
    ('naive:7', {'scores': 2000, 'end_to_end': 500}),
  )
  def test_runs(self, text, expected):
    self.assertEqual(plan.parse_runs(text, ('scores', 'end_to_end')), expected)

  @parameterized.parameters(
    ('few', "got 'few'"),
    ('0', "got '0'"),
    ('scores:-1', "got 'scores:-1'"),
    ('naiv:3', "Did you mean 'naive'"),
  )
  def test_bad_runs(self, text, message):
    with self.assertRaisesRegex(errors.UserError, message):
      plan.parse_runs(text, ('scores',))

  def test_grid(self):
    grid = plan.grid(findings.PARTS)
    self.assertLen({c.name for c in grid}, len(grid))
    self.assertEqual(
      [c.part for c in grid],
      sorted((c.part for c in grid), key=findings.PARTS.index),
    )
    null = [c for c in grid if c.part == 'scores']
    patients = {-(-c.n // c.per_patient) for c in null}
    self.assertContainsSubset({20, 100, 300, 1000, 5000}, patients)
    self.assertEqual({c.per_patient for c in null}, {1, 5})
    self.assertEqual({c.folds for c in null}, {1, 5})
    self.assertEqual({c.seeds for c in null}, {1, 3})
    self.assertEqual(
      {c.singles for c in null}, {cells.TIED, cells.UNEQUAL, cells.FOUR_TIED}
    )
    # Gains of exactly the margin judge "equivalent".
    self.assertEqual({c.gain for c in null}, {0.0, 0.02, -0.02})

  def test_only_trained_models_share_data(self):
    factors = {c.part: c.factor for c in plan.grid(findings.PARTS)}
    self.assertGreater(factors.pop('end_to_end'), 1)
    self.assertEqual(set(factors.values()), {1.0})

  def test_largest(self):
    sizes = [c.n for c in plan.grid(('scores',), 300)]
    self.assertEqual(max(sizes), 300)


if __name__ == '__main__':
  absltest.main()
