"""Tests of what models get of a modality."""

import numpy as np
from absl.testing import absltest

from fusion_jax.ablation import arm, families, learner, views
from fusion_jax.data import kind
from fusion_jax.encoders import protocol
from fusion_jax.training import batches
from tests import tiny
from tests.ablation import learner_test

KNOWN = families.review(families.USUAL)


class ViewsTest(absltest.TestCase):
  def test_every_input_of_a_network_has_an_encoder_and_a_reader(self):
    for name, x in KNOWN.items():
      for modality, given in x.inputs.items():
        if given.view != views.LOGITS:
          known = protocol.encoders(views.encoder_kind(given))
          self.assertTrue(known.names(), (name, modality))

  def test_vectors(self):
    cohort = tiny.cohort()
    features = (np.ones((len(cohort), 3), np.float32),)
    seen = learner_test.job(cohort, features={'image': features}).inputs
    self.assertIsInstance(seen, learner.Inputs)
    given = arm.Input('image', of='extractor', view=views.FEATURES)
    found = views.vectors('image', given, seen, 0, kind.LINEAR)
    self.assertEqual(found.dtype, np.float64)
    self.assertEqual(found.shape, (len(cohort), 3))
    part = views.of_network('image', given, seen, 0)
    self.assertEqual(part.kind, batches.FEATURES)
    np.testing.assert_array_equal(part.vector, features[0])
    reduced = arm.Input('image', view=views.REDUCED)
    found = views.vectors('image', reduced, seen, 0, kind.LINEAR)
    columns = seen.fitted.columns(cohort, 'image', kind.LINEAR)
    np.testing.assert_array_equal(found, columns.x)
    self.assertEqual(
      views.of_network('image', reduced, seen, 0).kind, batches.VECTOR
    )

  def test_what_builders_are_given(self):
    seen = learner_test.job(tiny.cohort()).inputs
    levels = seen.fitted.config.max_levels
    table = KNOWN['joint'].inputs['ehr']
    self.assertEqual(views.given('ehr', table, seen), (('levels', levels),))
    image = KNOWN['joint'].inputs['image']
    self.assertEqual(views.given('image', image, seen), ())


if __name__ == '__main__':
  absltest.main()
