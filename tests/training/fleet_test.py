import jax
import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.fusion import model as models
from fusion_jax.training import batches, fleet, optimizers, tasks
from fusion_jax.training import config as training_config
from tests import tiny

CONFIG = training_config.TrainingConfig(
  epochs=4, least_steps=0, least_patience=0, batch_size=8, patience=2
)


def _plan(rows):
  rows = np.asarray(rows, np.int32)[None]  # (1, s, b)
  return batches.RowPlan(
    rows=rows,
    weight=np.ones(rows.shape, np.float32),
  )


class ProgramsTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    cohort = tiny.cohort(64)
    self.programs = fleet.Programs(
      model=models.create_model(
        tiny.model_config(types.EHR, combiner='additive'), cohort.task
      ),
      task=cohort.task,
      optimizer=optimizers.create_optimizer(),
      config=CONFIG,
      methods=(),
      augment=None,
      map_members=jax.vmap,
      collective=tasks.LOCAL,
    )
    self.resident = batches.make_resident(tiny.fleet_data(cohort))
    self.train_plan = _plan(np.arange(32).reshape(4, 8))
    self.valid_plan = _plan(np.arange(32, 48).reshape(2, 8))

  def segment(self, start, count):
    return fleet.Segment(self.resident, np.int32(start), np.int32(count))

  def train(self, states, plan=None, *, start=0, count=4):
    return jax.jit(self.programs.train)(
      states, self.segment(start, count), plan or self.train_plan
    )[0]

  def epoch(self, states):
    states = self.train(states)
    found = jax.jit(self.programs.evaluate)(
      states.applied, self.segment(0, 2), self.valid_plan
    )
    return jax.jit(self.programs.judge)(states, (), (self.valid_plan, found))

  def start(self, steps, learning_rate=0.01):
    members = {
      'seed': np.array([0], np.uint32),
      'source': np.array([0], np.int32),
      'steps': np.array([steps], np.int32),
      'epochs': np.array([CONFIG.epochs], np.int32),
      'patience': np.array([CONFIG.patience], np.int32),
      'learning_rate': np.array([learning_rate], np.float32),
      'weight_decay': np.array([0.0], np.float32),
    }
    return jax.jit(self.programs.initialise)(
      members, self.segment(0, 1), self.train_plan
    )

  def test_steps_beyond_a_members_own_are_skipped(self):
    short = self.train(self.start(2))
    self.assertEqual(int(short.train.step[0]), 2)
    garbage = self.train_plan.replace(rows=self.train_plan.rows.copy())
    garbage.rows[:, 2:] = 63
    other = self.train(self.start(2), garbage)
    jax.tree.map(
      np.testing.assert_array_equal, short.train.params, other.train.params
    )

  def test_segments_are_an_epoch_however_it_is_cut(self):
    whole = self.train(self.start(4))
    parts, rows = self.start(4), np.asarray(self.train_plan.rows)
    for start, count in ((0, 3), (3, 1)):
      plan = _plan(np.roll(rows[0], -start, axis=0))
      parts = self.train(parts, plan, start=start, count=count)
    self.assertEqual(int(parts.train.step[0]), 4)
    for one, two in (
      (whole.train.params, parts.train.params),
      (whole.sums, parts.sums),
    ):
      jax.tree.map(np.testing.assert_array_equal, one, two)

  def test_stops_after_patience_and_then_rests(self):
    # No epoch is better than the first.
    state = self.start(4, learning_rate=0.0)
    state, (_, first) = self.epoch(state)
    for number in (2, 3):
      self.assertFalse(bool(state.stopped[0]), number)
      state, (_, again) = self.epoch(state)
      np.testing.assert_array_equal(first, again)
    self.assertTrue(bool(state.stopped[0]))
    rested, losses = self.epoch(state)
    self.assertTrue(np.isnan(np.asarray(losses)).all())
    self.assertEqual(int(rested.train.step[0]), 12)
    self.assertEqual(int(rested.epoch[0]), 3)
    self.assertEqual(int(rested.best_epoch[0]), 1)

  def test_the_average_follows_the_parameters(self):
    state, _ = self.epoch(self.start(4))
    first = self.start(4)

    def distance(a, b):
      gaps = jax.tree.map(lambda x, y: float(abs(x - y).max()), a, b)
      return max(jax.tree.leaves(gaps))

    moved = distance(state.train.params, first.train.params)
    behind = distance(state.train.params, state.train.average['params'])
    self.assertGreater(behind, 0.0)
    self.assertLess(behind, moved)


if __name__ == '__main__':
  absltest.main()
