"""Tests of experiments.studies.table2.missing."""

from absl.testing import absltest

from experiments.studies.table2 import missing


class ExpectedTest(absltest.TestCase):
  def test_only_joint_fusion_is_specialised_by_training(self):
    expected = {
      s: [
        missing.expected(s, t) for t in (missing.COMPLETE, missing.WITH_MISSING)
      ]
      for s in ('early', 'joint', 'late')
    }
    self.assertEqual(
      expected,
      {'early': ['no', 'no'], 'joint': ['no', 'yes'], 'late': ['yes', 'yes']},
    )


if __name__ == '__main__':
  absltest.main()
