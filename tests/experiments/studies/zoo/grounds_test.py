import numpy as np
from absl.testing import absltest

from experiments.studies.zoo import grounds
from fusion_jax.data import synthetic

SETTING = grounds.Setting(n=300, n_five=60)
HALF = grounds.Gap('image', 0.5, grounds.INFORMATIVE)
GONE = grounds.Gap('image', 1.0)


class GroundTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.ground = grounds.make(
      SETTING,
      {
        grounds.SYNERGY: [grounds.WHOLE],
        grounds.COMPLEMENTARY: [grounds.WHOLE, HALF, GONE],
      },
    )

  def test_each_place_shows_the_studies_of_its_world(self):
    for world, gap in self.ground.rows:
      rows = self.ground.rows[world, gap]
      own = synthetic.make(world, n=300, size=16, seed=0)
      shown = self.ground.cohort.subset(rows)
      np.testing.assert_array_equal(shown.labels, own.labels)
      for name, x in own.modalities.items():
        here = shown.modalities[name]
        field = 'images' if name == 'image' else 'numeric'
        np.testing.assert_array_equal(
          here.given(getattr(here.data, field)), getattr(x.data, field)
        )

  def test_gaps_take_what_they_say(self):
    world = grounds.COMPLEMENTARY
    for gap, count in ((grounds.WHOLE, 0), (HALF, 150), (GONE, 300)):
      lost = self.ground.lost[world, gap]
      self.assertEqual(lost.sum(), count)
      shown = self.ground.cohort.subset(self.ground.rows[world, gap])
      np.testing.assert_array_equal(~shown.present['image'], lost)
      self.assertTrue(shown.present['ehr'].all())

  def test_patients_are_in_one_part(self):
    for world, parts in self.ground.parts.items():
      patients = [
        {*self.ground.cohort.patient[self.ground.rows[world, grounds.WHOLE][x]]}
        for x in parts
      ]
      self.assertEmpty(patients[0] & patients[1])
      self.assertEmpty((patients[0] | patients[1]) & patients[2])
      self.assertEqual(sum(map(len, parts)), 300)

  def test_what_is_fitted_follows_from_training_rows_of_the_place(self):
    world = grounds.COMPLEMENTARY
    place = self.ground.place(world, HALF)
    np.testing.assert_array_equal(
      place.split.train,
      self.ground.rows[world, HALF][self.ground.parts[world][0]],
    )
    whole = self.ground.place(world, grounds.WHOLE)
    # The image's moments are of the studies that have one.
    self.assertFalse(
      np.array_equal(
        place.fitted.fits['image'].mean, whole.fitted.fits['image'].mean
      )
    )

  def test_five_modalities(self):
    ground = grounds.make(SETTING, {grounds.FIVE: [grounds.WHOLE]})
    self.assertLen(ground.cohort.modalities, 5)
    self.assertLen(ground.cohort, 60)


if __name__ == '__main__':
  absltest.main()
