"""Tests of fusion_jax.evaluation.conditions."""

from absl.testing import absltest

from fusion_jax.evaluation import conditions

SIDES = {'image': ('xray', 'ct'), 'ehr': ('labs',)}


class ConditionsTest(absltest.TestCase):
  def test_two_modalities_take_what_their_sides_take(self):
    self.assertCountEqual(
      conditions.of_shapley(
        ('image', 'ehr'), {'image': ('image',), 'ehr': ('ehr',)}
      ),
      conditions.ABSENT,
    )
    own = {'image': ('scan',), 'ehr': ('notes',)}
    self.assertCountEqual(
      conditions.of_shapley(('scan', 'notes'), own), conditions.ABSENT
    )

  def test_every_set_is_withheld_once(self):
    found = conditions.of_shapley(('xray', 'ct', 'labs'), SIDES)
    self.assertCountEqual(
      found,
      [
        'xray_absent',
        'ct_absent',
        'xray+ct_absent',
        'ehr_absent',
        'xray+labs_absent',
        'ct+labs_absent',
      ],
    )
    # An arm that does not see the whole side.
    self.assertCountEqual(
      conditions.of_shapley(('ct', 'labs'), SIDES), ['ct_absent', 'ehr_absent']
    )

  def test_what_a_condition_withholds(self):
    self.assertEqual(conditions.withheld_by('xray+ct_absent'), ['xray', 'ct'])
    self.assertEqual(conditions.withheld_by('a_b_absent'), ['a_b'])
    for name in ('ehr_permuted', 'emap', 'intact', 'absent'):
      self.assertEmpty(conditions.withheld_by(name))


if __name__ == '__main__':
  absltest.main()
