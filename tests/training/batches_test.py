"""Tests of batches gathered on the device."""

import dataclasses

import jax
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.training import batches
from tests import tiny


def _plan(rows):
  return batches.RowPlan(
    rows=np.asarray(rows, np.int32),
    weight=np.ones(len(rows), np.float32),
  )


class BatchesTest(parameterized.TestCase):
  @parameterized.parameters(*types.TASK_KINDS)
  def test_rows_are_those_of_the_plan(self, kind):
    cohort = tiny.cohort(kind=kind, absent=True)
    data = tiny.fleet_data(cohort)
    rows = np.array([7, 0, 7, 3])
    batch = batches.gather(batches.make_resident(data), 0, _plan(rows))
    for modality, present in cohort.present.items():
      np.testing.assert_array_equal(batch.present[modality], present[rows])
    known = ~np.isnan(cohort.labels[rows])
    np.testing.assert_array_equal(batch.label_mask, known)
    own = data.sources[0]
    labels = np.where(known, cohort.labels[rows], 0.0)
    np.testing.assert_allclose(
      batch.labels, (labels - own.label_mean) / own.label_std, rtol=1e-5
    )
    stats = own.image_stats
    pixels = cohort.images[rows].astype(np.float32) / 255
    np.testing.assert_allclose(
      batch.inputs[types.IMAGE]['pixels'],
      (pixels - stats['mean']) / stats['std'],
      rtol=1e-4,
      atol=1e-5,
    )
    for name, column in batch.inputs[types.EHR].items():
      np.testing.assert_array_equal(column, own.ehr[name][rows])

  def test_a_member_sees_its_own_source(self):
    cohort = tiny.cohort()
    own = tiny.source(cohort)
    other = dataclasses.replace(
      own, ehr=jax.tree.map(lambda x: x + 1, own.ehr), label_mean=0.5
    )
    resident = batches.make_resident(batches.FleetData(cohort, (own, other)))
    first, second = (
      batches.gather(resident, source, _plan([1, 2])) for source in (0, 1)
    )
    np.testing.assert_allclose(first.labels - second.labels, 0.5)
    np.testing.assert_array_equal(
      second.inputs[types.EHR]['numeric'],
      first.inputs[types.EHR]['numeric'] + 1,
    )

  def test_vectors_and_features_take_the_place_of_pixels(self):
    cohort = tiny.cohort()
    values = np.arange(2.0 * len(cohort)).reshape(-1, 2)
    source = tiny.source(cohort, image_stats=None)
    vector, features = (
      batches.gather(
        batches.make_resident(
          batches.FleetData(
            cohort, (dataclasses.replace(source, **{name: values}),)
          )
        ),
        0,
        _plan([4, 5]),
      )
      for name in ('image_vector', 'image_features')
    )
    np.testing.assert_array_equal(
      vector.inputs[types.IMAGE]['vector'], values[4:6]
    )
    self.assertNotIn(types.IMAGE, features.inputs)
    np.testing.assert_array_equal(
      features.features[types.IMAGE].pooled, values[4:6]
    )


if __name__ == '__main__':
  absltest.main()
