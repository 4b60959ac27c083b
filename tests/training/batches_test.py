"""Tests of batches gathered on the device."""

import dataclasses

import jax
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.data import preprocess, synthetic
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
    stats = own.parts[types.IMAGE].constants
    pixels = tiny.images(cohort)[rows].astype(np.float32) / 255
    np.testing.assert_allclose(
      batch.inputs[types.IMAGE]['pixels'],
      (pixels - stats['mean']) / stats['std'],
      rtol=1e-4,
      atol=1e-5,
    )
    for name, own_column in own.parts[types.EHR].derived.items():
      column = batch.inputs[types.EHR][name]
      np.testing.assert_array_equal(column, own_column[rows])

  def test_a_member_sees_its_own_source(self):
    cohort = tiny.cohort()
    own = tiny.source(cohort)
    part = own.parts[types.EHR]
    part = dataclasses.replace(
      part, derived=jax.tree.map(lambda x: x + 1, part.derived)
    )
    other = dataclasses.replace(
      own, parts={**own.parts, types.EHR: part}, label_mean=0.5
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
    vector, features = (
      batches.gather(
        batches.make_resident(
          batches.FleetData(
            cohort,
            (
              tiny.source(cohort, image_part=batches.Part(kind, vector=values)),
            ),
          )
        ),
        0,
        _plan([4, 5]),
      )
      for kind in (batches.VECTOR, batches.FEATURES)
    )
    np.testing.assert_array_equal(
      vector.inputs[types.IMAGE]['vector'], values[4:6]
    )
    self.assertNotIn(types.IMAGE, features.inputs)
    np.testing.assert_array_equal(
      features.features[types.IMAGE].pooled, values[4:6]
    )

  def test_a_study_is_shown_the_data_that_its_modality_says(self):
    cohort = tiny.cohort()
    order = np.arange(len(cohort))[::-1]
    moved = cohort.with_modalities(
      {m: cohort.modalities[m].take(order) for m in (types.IMAGE, types.EHR)},
      digest='moved',
    )
    source = tiny.source(cohort)
    plain, other = (
      batches.gather(
        batches.make_resident(batches.FleetData(x, (source,))), 0, _plan(rows)
      )
      for x, rows in ((cohort, order[[3, 5]]), (moved, [3, 5]))
    )
    jax.tree.map(np.testing.assert_array_equal, plain.inputs, other.inputs)
    np.testing.assert_array_equal(
      other.labels, np.nan_to_num(cohort.labels[[3, 5]])
    )

  def test_every_kind_is_fed(self):
    cohort = synthetic.make_five(n=30, size=16, seed=0)
    fitted = preprocess.Preprocessor().fit(cohort, np.arange(20))
    parts = {
      m: batches.Part(
        x.kind,
        derived=fitted.derived(cohort, m),
        constants=fitted.kind(m).constants(fitted.fits[m]),
      )
      for m, x in cohort.modalities.items()
    }
    source = batches.Source(parts)
    resident = batches.make_resident(
      batches.FleetData(cohort, (source, source))
    )
    batch = jax.jit(batches.gather)(resident, 1, _plan([4, 5, 29]))
    self.assertEqual(set(batch.inputs), set(cohort.modalities))
    for inputs in batch.inputs.values():
      for x in inputs.values():
        self.assertEqual(x.shape[0], 3)


if __name__ == '__main__':
  absltest.main()
