from absl.testing import absltest, parameterized

from experiments.studies.zoo import grounds, quick, subjects
from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import roster
from fusion_jax.core import errors

GROUND = grounds.make(grounds.Setting(n=40), {grounds.SYNERGY: [grounds.WHOLE]})


class SubjectsTest(parameterized.TestCase):
  def test_every_registered_part_is_a_row(self):
    keys = [x.key for x in subjects.every()]
    self.assertContainsSubset(
      {'combiner:concat', 'exchange:film', 'method:ogm_ge', 'rule:mean'}, keys
    )
    self.assertLen({*keys}, len(keys))

  def test_places_of_a_claim(self):
    self.assertEqual(subjects.places({}), ())
    self.assertEqual(subjects.places({'missing': True}), subjects.WHERE)
    self.assertEqual(
      subjects.places({'missing': ('both', 'training')}), ('training', 'both')
    )
    with self.assertRaisesRegex(ValueError, 'bth'):
      subjects.places({'missing': ('bth',)})

  def test_rows_that_are_named(self):
    self.assertEqual(
      [x.key for x in subjects.chosen(['rule:mean'])], ['rule:mean']
    )
    kinds = {x.kind for x in subjects.chosen(['exchange'])}
    self.assertEqual(kinds, {'exchange'})
    with self.assertRaisesRegex(errors.UserError, "mean 'rule:mean'"):
      subjects.chosen(['rule:meen'])

  @parameterized.product(
    kind=subjects.KINDS[1:],
    small=(False, True),
  )
  def test_arms_can_be_run(self, kind, small):
    setting = quick.SETTING if small else grounds.Setting()
    encoders = dict(setting.encoders)
    for subject in subjects.chosen([kind]):
      arm = subjects.arm(subject, GROUND.cohort, encoders, small=small)
      singles = {
        m: subjects.arm(
          subjects.Subject(subjects.SINGLE, m), GROUND.cohort, encoders
        )
        for m in GROUND.cohort.modalities
      }
      roster.check({**singles, 'asked': arm})
      late = kind == subjects.RULE
      self.assertEqual(
        arm.strategy, arm_lib.LATE if late else arm_lib.JOINT, subject
      )

  def test_an_exchange_has_interactions_to_itself(self):
    (subject,) = subjects.chosen(['exchange:film'])
    arm = subjects.arm(subject, GROUND.cohort, dict(grounds.Setting().encoders))
    self.assertEqual(arm.combiner, 'additive')
    self.assertEqual(arm.exchanges, {0: 'film'})


if __name__ == '__main__':
  absltest.main()
