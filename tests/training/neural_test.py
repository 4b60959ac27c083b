import dataclasses
import gc
import time

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.parallel import config as parallel_config
from fusion_jax.parallel import strategy as strategies
from fusion_jax.training import batches, checkpoints, neural
from fusion_jax.training import config as training_config
from tests import tiny

JOINT = tiny.model_config()
IMAGE = tiny.model_config(types.IMAGE, combiner='additive')
EHR = tiny.model_config(types.EHR, combiner='additive')
CONFIG = training_config.TrainingConfig(
  epochs=3, least_steps=0, least_patience=0, batch_size=16
)
ONE_DEVICE = parallel_config.ParallelConfig(devices=1)


def _members(count, n=96):
  members = []
  for seed in range(count):
    order = np.random.default_rng(seed).permutation(n)
    # Sizes differ, so that members take different numbers of steps.
    cut = n // 2 + 8 * seed
    members.append(neural.Member(order[:cut], order[cut : cut + 20], seed=seed))
  return members


def _fit(cohort, members, *, model=JOINT, config=CONFIG, parallel=ONE_DEVICE):
  return neural.fit_fleet(
    model_config=model,
    task=cohort.task,
    data=tiny.fleet_data(cohort),
    members=members,
    config=config,
    parallel=parallel,
  ).fitted


def _assert_same(one, two, **tolerance):
  compare = (
    np.testing.assert_allclose if tolerance else (np.testing.assert_array_equal)
  )
  jax.tree.map(lambda a, b: compare(a, b, **tolerance), one.params, two.params)


def _assert_close(one, two, rtol=1e-6):
  """Whether parameters agree to a share of their norm."""
  gap = jax.tree.map(np.subtract, one.params, two.params)
  norms = [
    np.sqrt(sum((x**2).sum() for x in jax.tree.leaves(tree)))
    for tree in (gap, one.params)
  ]
  assert norms[0] < rtol * norms[1], norms


class FleetTest(parameterized.TestCase):
  @pytest.mark.slow
  def test_same_seed_same_parameters_bit_for_bit(self):
    cohort = tiny.cohort()
    one, two = (_fit(cohort, _members(1))[0] for _ in range(2))
    _assert_same(one, two)
    self.assertEqual(one.history, two.history)
    other = _fit(cohort, [dataclasses.replace(_members(1)[0], seed=9)])[0]
    self.assertNotEqual(one.history, other.history)

  @pytest.mark.slow
  def test_mapped_members_equal_individually_trained_ones(self):
    cohort = tiny.cohort()
    members = _members(3)
    together = _fit(cohort, members, model=EHR)
    for k, member in enumerate(members):
      alone = _fit(cohort, [member], model=EHR)[0]
      # A loop over one member is unrolled and compiled apart: not to the bit.
      _assert_close(together[k], alone)
      np.testing.assert_allclose(together[k].history, alone.history, rtol=1e-5)
    pair = _fit(cohort, members[1:], model=EHR)
    _assert_same(together[1], pair[0])

  @pytest.mark.slow
  def test_how_each_modality_learns_is_kept_where_asked_for(self):
    cohort = tiny.cohort(absent=True)
    (plain,) = _fit(cohort, _members(1))
    self.assertEqual(plain.watched, {})
    config = dataclasses.replace(CONFIG, watch=True)
    (found,) = _fit(cohort, _members(1), config=config)
    np.testing.assert_allclose(found.history, plain.history, rtol=1e-4)
    self.assertEqual(set(found.watched), {types.IMAGE, types.EHR})
    for rows in found.watched.values():
      self.assertLen(rows, len(found.history))
      self.assertTrue(np.isfinite(rows).all())
      self.assertGreater(np.min(rows), 0)
    everyone = tiny.cohort()
    (record,) = _fit(everyone, _members(1), model=EHR, config=config)
    # Of one modality that all studies have it is the loss itself.
    np.testing.assert_allclose(
      [x for x, _ in record.watched[types.EHR]],
      [x for _, x in record.history],
      rtol=1e-5,
    )
    path = self.create_tempdir().full_path
    checkpoints.save(f'{path}/model', found, extra={}, arrays={})
    self.assertEqual(
      checkpoints.load(f'{path}/model')[0].watched, found.watched
    )

  @parameterized.product(strategy=('jit', 'pmap'), shard=('data', 'members'))
  @pytest.mark.slow
  def test_eight_devices_train_the_same_fleet(self, strategy, shard):
    cohort = tiny.cohort()
    # Shards draw dropout apart under pmap; the image model has none.
    one = _fit(cohort, _members(2), model=IMAGE)
    eight = _fit(
      cohort,
      _members(2),
      model=IMAGE,
      parallel=parallel_config.ParallelConfig(strategy=strategy, shard=shard),
    )
    for a, b in zip(one, eight, strict=True):
      np.testing.assert_allclose(a.history, b.history, rtol=2e-3)

  @parameterized.parameters('resident', 'stream')
  @pytest.mark.slow
  def test_parameters_that_are_cut_train_alike(self, feed):
    cohort = tiny.cohort()
    config = dataclasses.replace(CONFIG, learning_rate=1e-4)
    model = tiny.model_config(
      types.EHR, ehr='mlp(dropout=0)', combiner='additive'
    )
    one, cut = (
      _fit(cohort, _members(2), model=model, config=config, parallel=parallel)
      for parallel in (
        ONE_DEVICE,
        parallel_config.ParallelConfig(devices=4, fsdp=2, feed=feed),
      )
    )
    for a, b in zip(one, cut, strict=True):
      _assert_close(a, b, rtol=1e-5)

  def test_vmapped_members_equal_mapped_ones(self):
    cohort = tiny.cohort()
    mapped = _fit(cohort, _members(2), model=EHR)
    batched = _fit(
      cohort,
      _members(2),
      model=EHR,
      parallel=parallel_config.ParallelConfig(devices=1, fleet='vmap'),
    )
    for a, b in zip(mapped, batched, strict=True):
      np.testing.assert_allclose(a.history, b.history, rtol=1e-4)

  @parameterized.parameters(1, 4)
  @pytest.mark.slow
  def test_stopped_members_leave_the_devices(self, devices):
    cohort = tiny.cohort()
    config = dataclasses.replace(CONFIG, epochs=12, patience=2)
    members = [
      # Those that learn nothing stop after two epochs.
      dataclasses.replace(m, learning_rate=None if k % 4 == 2 else 0.0)
      for k, m in enumerate(_members(6))
    ]

    def fit(fleet, **options):
      return neural.fit_fleet(
        model_config=EHR,
        task=cohort.task,
        data=tiny.fleet_data(cohort),
        members=members,
        config=config,
        parallel=parallel_config.ParallelConfig(fleet=fleet, **options),
      )

    mapped = fit('map', devices=1)
    batched = fit('vmap', devices=devices, shard='members')
    self.assertEqual(mapped.sizes, (6,))
    self.assertEqual(batched.sizes, {1: (6, 1), 4: (8, 4)}[devices])
    for one, other in zip(mapped.fitted, batched.fitted, strict=True):
      self.assertEqual(len(one.history), len(other.history))
      self.assertEqual(one.best_epoch, other.best_epoch)
      _assert_close(one, other, rtol=1e-4)
    self.assertLen(mapped.fitted[0].history, 3)
    self.assertGreater(len(mapped.fitted[2].history), 4)

  def test_a_cohort_is_put_on_the_device_once(self):
    cohort = tiny.cohort(size=32)
    data = tiny.fleet_data(cohort)
    kept = strategies._PLACED
    before = set(kept._kept)
    placed = []
    for _ in range(2):
      fitted = neural.fit_fleet(
        model_config=EHR,
        task=cohort.task,
        data=data,
        members=_members(1),
        config=CONFIG,
        parallel=ONE_DEVICE,
      ).fitted
      (key,) = set(kept._kept) - before
      placed.append(kept._kept[key])
    self.assertIs(*placed)
    self.assertEqual(placed[0].shape, tiny.images(cohort).shape)
    self.assertLen(fitted, 1)
    del cohort, data
    # A copy that is under way holds its source a moment longer.
    for _ in range(100):
      gc.collect()
      if key not in kept._kept:
        break
      time.sleep(0.05)
    self.assertNotIn(key, kept._kept)

  def test_test_rows_change_nothing(self):
    cohort = tiny.cohort()
    member = _members(1)[0]
    outside = np.setdiff1d(
      np.arange(len(cohort)), np.concatenate([member.train, member.valid])
    )
    changed = {
      'images': tiny.images(cohort).copy(),
      'numeric': tiny.numeric(cohort).copy(),
      'labels': cohort.labels.copy(),
    }
    changed['images'][outside] = 255
    changed['numeric'][outside] = 1e6
    changed['labels'][outside] = 1 - changed['labels'][outside]
    spoiled = tiny.changed(cohort, **changed)
    _assert_same(_fit(cohort, [member])[0], _fit(spoiled, [member])[0])

  @parameterized.parameters((IMAGE, 'numeric', 5.0), (EHR, 'images', 255))
  @pytest.mark.slow
  def test_late_sides_are_blind_to_each_other(self, model, field, value):
    cohort = tiny.cohort()
    spoiled = tiny.changed(
      cohort, **{field: np.full_like(tiny.field(cohort, field), value)}
    )
    member = _members(1)
    _assert_same(
      _fit(cohort, member, model=model)[0],
      _fit(spoiled, member, model=model)[0],
    )

  def test_small_parts_get_a_least_number_of_steps(self):
    cohort = tiny.cohort()
    config = dataclasses.replace(CONFIG, least_steps=24, least_patience=24)
    small, large = (
      dataclasses.replace(m, train=m.train[:size])
      for m, size in zip(_members(2), (32, 48), strict=True)
    )
    alone = _fit(cohort, [small], config=config, model=EHR)[0]
    beside, other = _fit(cohort, [small, large], config=config, model=EHR)
    self.assertLen(alone.history, 12)  # of 2 steps each
    self.assertLen(other.history, 8)  # of 3
    _assert_close(alone, beside)

  def test_stops_by_validation_and_keeps_the_best(self):
    cohort = tiny.cohort()
    config = dataclasses.replace(
      CONFIG, epochs=40, patience=3, learning_rate=0.02
    )
    fitted = _fit(cohort, _members(1), model=EHR, config=config)[0]
    losses = [valid for _, valid in fitted.history]
    self.assertLess(len(losses), 40)
    self.assertEqual(int(np.argmin(losses)) + 1, fitted.best_epoch)
    self.assertLen(losses, fitted.best_epoch + 3)
    self.assertAlmostEqual(min(losses), fitted.valid_loss, places=6)

  def test_a_member_whose_loss_is_nan_stops_and_the_others_go_on(self):
    cohort = tiny.cohort()
    good = tiny.source(cohort)
    table = good.parts[types.EHR]
    numeric = np.full_like(table.derived['numeric'], np.nan)
    spoiled = {'numeric': numeric, 'observed': np.ones_like(numeric)}
    table = dataclasses.replace(table, derived={**table.derived, **spoiled})
    bad = batches.Source({**good.parts, types.EHR: table})
    members = _members(2)
    members[1] = dataclasses.replace(members[1], source=1)
    result = neural.fit_fleet(
      model_config=EHR,
      task=cohort.task,
      data=batches.FleetData(cohort, (good, bad)),
      members=members,
      config=CONFIG,
      parallel=ONE_DEVICE,
    ).fitted
    self.assertEqual(result[0].failure, '')
    self.assertLen(result[0].history, 3)
    self.assertEqual(result[1].failure, 'loss is not finite at epoch 1, step 1')
    _assert_same(result[0], _fit(cohort, members[:1], model=EHR)[0], atol=1e-5)


class PredictTest(parameterized.TestCase):
  def _predict(self, cohort, fitted, rows, parallel=ONE_DEVICE, model=JOINT):
    return neural.predict_fleet(
      model_config=model,
      task=cohort.task,
      data=tiny.fleet_data(cohort),
      fitted=fitted,
      sources=[0] * len(fitted),
      rows=rows,
      parallel=parallel,
    )

  @pytest.mark.slow
  def test_padded_evaluation_equals_unpadded(self):
    cohort = tiny.cohort(130, absent=True)
    fitted = _fit(cohort, _members(2, n=130))
    long, short = np.arange(130), np.array([7, 3, 99])
    together = self._predict(cohort, fitted, [long, short])
    self.assertEqual([len(x) for x in together], [130, 3])
    np.testing.assert_allclose(
      self._predict(cohort, fitted, [short, short])[0],
      together[0][short],
      atol=1e-5,
    )

  @parameterized.product(strategy=('jit', 'pmap'), shard=('data', 'members'))
  @pytest.mark.slow
  def test_eight_devices_predict_the_same(self, strategy, shard):
    cohort = tiny.cohort()
    fitted = _fit(cohort, _members(2), model=IMAGE)
    rows = [np.arange(50), np.arange(20, 96)]
    one = self._predict(cohort, fitted, rows, model=IMAGE)
    eight = self._predict(
      cohort,
      fitted,
      rows,
      parallel_config.ParallelConfig(strategy=strategy, shard=shard),
      model=IMAGE,
    )
    for a, b in zip(one, eight, strict=True):
      np.testing.assert_allclose(a, b, atol=1e-5)

  def test_features_of_the_encoder(self):
    cohort = tiny.cohort()
    fitted = _fit(cohort, _members(1), model=IMAGE)
    (features,) = neural.encode_fleet(
      model_config=IMAGE,
      task=cohort.task,
      data=tiny.fleet_data(cohort),
      fitted=fitted,
      sources=[0],
      rows=[np.arange(96)],
      parallel=ONE_DEVICE,
      modality=types.IMAGE,
    )
    (logits,) = self._predict(cohort, fitted, [np.arange(96)], model=IMAGE)
    head = fitted[0].params['combiner']['head']
    np.testing.assert_allclose(
      features @ head['kernel'] + head['bias'], logits, atol=1e-4
    )

  def test_regression_is_in_the_labels_unit(self):
    cohort = tiny.cohort(kind=types.REGRESSION)
    source = tiny.source(cohort, label_mean=50.0, label_std=10.0)
    data = batches.FleetData(cohort, (source,))
    config = dataclasses.replace(CONFIG, epochs=20, learning_rate=0.01)
    fitted = neural.fit_fleet(
      model_config=EHR,
      task=cohort.task,
      data=data,
      members=_members(1),
      config=config,
      parallel=ONE_DEVICE,
    ).fitted
    (values,) = neural.predict_fleet(
      model_config=EHR,
      task=cohort.task,
      data=data,
      fitted=fitted,
      sources=[0],
      rows=[np.arange(96)],
      parallel=ONE_DEVICE,
    )
    self.assertBetween(values.mean(), 40.0, 60.0)
    self.assertGreater(
      np.corrcoef(values[:, 0], cohort.labels[:, 0])[0, 1], 0.4
    )

  def test_the_median_training_log_hazard_is_zero(self):
    cohort = tiny.cohort(kind=types.SURVIVAL)
    member = _members(1)[0]
    fitted = _fit(cohort, [member], model=EHR)
    (risk,) = self._predict(cohort, fitted, [member.train], model=EHR)
    self.assertAlmostEqual(float(np.median(risk)), 0.0, places=5)
    self.assertGreater(float(risk.std()), 0.0)

  @parameterized.parameters(*types.TASK_KINDS)
  @pytest.mark.slow
  def test_every_task_trains(self, kind):
    cohort = tiny.cohort(kind=kind, absent=True)
    source = tiny.source(cohort)
    if kind == types.REGRESSION:
      source = tiny.source(cohort, label_mean=50.0, label_std=10.0)
    fitted = neural.fit_fleet(
      model_config=JOINT,
      task=cohort.task,
      data=batches.FleetData(cohort, (source,)),
      members=_members(1),
      config=dataclasses.replace(CONFIG, epochs=12, learning_rate=5e-3),
      parallel=ONE_DEVICE,
    ).fitted[0]
    self.assertEqual(fitted.failure, '')
    losses = np.array(fitted.history)
    self.assertLess(losses[-1, 0], losses[0, 0])


if __name__ == '__main__':
  absltest.main()
