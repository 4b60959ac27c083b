"""Tests of experiments.calibration.plan."""

from absl.testing import absltest, parameterized

from experiments.calibration import plan
from fusion_jax.core import errors


class PlanTest(parameterized.TestCase):
  @parameterized.parameters(
    ('', {'scores': 1000, 'end_to_end': 300}),
    ('20', {'scores': 20, 'end_to_end': 20}),
    ('end_to_end:5', {'scores': 1000, 'end_to_end': 5}),
    ('20, end_to_end:5', {'scores': 20, 'end_to_end': 5}),
    ('naive:7', {'scores': 1000, 'end_to_end': 300}),
  )
  def test_runs(self, text, expected):
    parts = ('scores', 'end_to_end')
    self.assertEqual(plan.parse_runs(text, parts), expected)

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
    cells = plan.grid(('scores', 'end_to_end', 'power', 'naive'))
    self.assertLen({c.name for c in cells}, len(cells))
    null = {(c.k, c.n, c.per_patient) for c in cells if c.part == 'scores'}
    for k in (1, 7, 15):
      for n in (100, 5000):
        for per_patient in (1, 5):
          self.assertIn((k, n, per_patient), null)
    weak = {c.k for c in cells if c.ehr == plan.WEAK_EHR}
    self.assertEqual(weak, {1, 7, 15})
    self.assertEqual(
      null,
      {(c.k, c.n, c.per_patient) for c in cells if c.part == 'naive'},
    )
    small = plan.grid(('scores',), 250)
    self.assertEqual({c.n for c in small}, {100, 250})


if __name__ == '__main__':
  absltest.main()
