"""Nothing of a test study reaches what is fitted, or another study."""

import dataclasses

import hypothesis
import jax
import numpy as np
from absl.testing import absltest, parameterized
from hypothesis import strategies as st

from fusion_jax.core import types
from fusion_jax.data import kind as kinds
from fusion_jax.data import preprocess
from fusion_jax.training import batches
from tests.conformance import checks, samples
from tests.data import spoiled

# Of columns that are within 5 to 10 standard deviations, projected in float32.
ROUNDING = 1e-5


def _fit(cohort, train):
  return preprocess.Preprocessor().fit(cohort, train)


def _inputs(cohort, fit, modality):
  """What models get of the studies that are no test studies."""
  part = batches.Part(
    fit.kinds[modality],
    derived=fit.derived(cohort, modality),
    constants=fit.kind(modality).constants(fit.fits[modality]),
  )
  data = batches.FleetData(cohort, (batches.Source({modality: part}),))
  plan = batches.RowPlan(
    rows=np.arange(samples.N), weight=np.ones(samples.N, np.float32)
  )
  return batches.gather(batches.make_resident(data), 0, plan).inputs[modality]


def _differ(one, two):
  """Whether any of two arrays or trees of them differs, NaN being NaN."""
  same = jax.tree.map(
    lambda a, b: (
      np.asarray(a).shape == np.asarray(b).shape
      and np.asarray(a).tobytes() == np.asarray(b).tobytes()
    ),
    one,
    two,
  )
  return not all(jax.tree.leaves(same))


class LeakageTest(parameterized.TestCase):
  @parameterized.parameters(kinds.KINDS.names())
  def test_other_data_of_test_studies_change_nothing_else(self, kind):
    modality, cohort = samples.MODALITY[kind], samples.cohort()

    @hypothesis.settings(max_examples=12, deadline=None, database=None)
    @hypothesis.given(
      st.sets(st.integers(0, samples.N - 1), min_size=3, max_size=12),
      st.integers(0, 2**31),
    )
    def check(tested, seed):
      tested = np.array(sorted(tested))
      train = np.setdiff1d(np.arange(samples.N), tested)
      other = spoiled.changed(cohort, modality, tested, seed=seed)
      one, two = _fit(cohort, train), _fit(other, train)
      reduced = samples.MODALITIES
      a, b = one.to_arrays(reduced), two.to_arrays(reduced)
      self.assertEqual(a.keys(), b.keys())
      self.assertFalse(_differ(a, b))
      here, there = (
        {
          'inputs': jax.tree.map(np.asarray, _inputs(c, fit, modality)),
          **{
            learner: fit.columns(c, modality, learner).x
            for learner in (kinds.LINEAR, kinds.TREES)
          },
        }
        for c, fit in ((cohort, one), (other, two))
      )
      for name in here:
        x, y = (
          jax.tree.map(lambda v: v[train], z[name]) for z in (here, there)
        )
        if name == 'inputs':
          self.assertFalse(_differ(x, y))
        else:
          # A product of matrices rounds a row by how many are beside it.
          np.testing.assert_allclose(x, y, atol=ROUNDING, err_msg=name)
        # The comparison would notice, of studies that have the modality.
        if cohort.present[modality][tested].any():
          self.assertTrue(_differ(here[name], there[name]), name)

    check()

  @parameterized.parameters(kinds.KINDS.names())
  def test_a_leak_on_purpose_is_noticed(self, kind):
    modality, cohort = samples.MODALITY[kind], samples.cohort()
    at = np.arange(16, samples.N)
    everyone = np.arange(samples.N)
    other = spoiled.changed(cohort, modality, at)
    one, two = (
      _fit(c, everyone).to_arrays((modality,)) for c in (cohort, other)
    )
    self.assertTrue(one.keys() != two.keys() or _differ(one, two))

  @parameterized.parameters(list(types.TASK_KINDS))
  def test_labels_of_test_studies_change_nothing(self, kind):
    cohort = samples.cohort(kind)
    labels = cohort.labels.copy()
    labels[16:] = np.nan
    other = dataclasses.replace(cohort, labels=labels)
    one, two = (_fit(c, samples.TRAIN).to_arrays() for c in (cohort, other))
    self.assertFalse(_differ(one, two))

  @parameterized.parameters(kinds.KINDS.names())
  def test_predictions_of_others_are_the_same(self, kind):
    modality = samples.MODALITY[kind]
    model = checks.Model(samples.config({modality: samples.default(kind)}))
    at = np.arange(16, samples.N)
    other = spoiled.changed(samples.cohort(), modality, at)
    batch, fit = model.batch, samples.fitted()
    present = np.asarray(other.present[modality])
    changed = batch.replace(
      inputs={**batch.inputs, modality: _inputs(other, fit, modality)},
      present={**batch.present, modality: batch.present[modality] & present},
    )
    one, two = model.look(), model.look(changed)
    np.testing.assert_array_equal(one['logits'][:16], two['logits'][:16])
    self.assertGreater(checks.gap(one['logits'], two['logits']), 0.0)


if __name__ == '__main__':
  absltest.main()
