"""Trained models: fed in two ways, together and alone, saved and restored."""

import dataclasses
import itertools
import pathlib

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.fusion import protocol as fusion_protocol
from fusion_jax.parallel import config as parallel_config
from fusion_jax.training import checkpoints, neural, protocol
from fusion_jax.training import config as training_config
from tests.conformance import checks, samples

CONFIG = training_config.TrainingConfig(
  epochs=2,
  least_steps=0,
  least_patience=0,
  batch_size=6,
  # Rates that are high amplify the last bit.
  learning_rate=1e-4,
)
RESIDENT = parallel_config.ParallelConfig(devices=1)
STREAM = dataclasses.replace(RESIDENT, feed='stream')
# By itself each takes a few seconds to compile.
ALL = {samples.MODALITY[kind]: samples.default(kind) for kind in samples.KINDS}
CHEAP = {m: ALL[m] for m in map(samples.MODALITY.get, samples.CHEAP)}
ROWS = np.arange(samples.N)
# Training methods of one model.
_AT_ONCE = 4


def _pairs(encoders):
  """Encoders two by two, of different kinds, so that programs are fewer."""
  half = -(-len(encoders) // 2)
  for one, other in itertools.zip_longest(encoders[:half], encoders[half:]):
    if other and one[0] != other[0]:
      yield dict((one, other))
    else:
      yield from ({kind: text} for kind, text in filter(None, (one, other)))


def _everything(chosen):
  """Models of all parts, each in one of them: (model, methods).

  But for those of methods that `_several` has.
  """
  for pair in _pairs(samples.encoders()):
    yield samples.config({samples.MODALITY[k]: x for k, x in pair.items()}), ()
  for text in samples.every(fusion_protocol.COMBINERS):
    yield samples.config(chosen, combiner=text), ()
  for text in samples.every(fusion_protocol.EXCHANGES):
    yield samples.config(chosen, exchanges=((0, text),)), ()
  known = {x for few in _several() for x in few}
  for text in samples.every(protocol.METHODS):
    if text in known:
      continue
    yield samples.config(chosen, combiner=samples.combiner_of(text)), (text,)


def _several():
  """Methods for any combiner, a few at a time: programs of all are large."""
  names = [x for x in protocol.METHODS.names() if not samples.combiner_of(x)]
  turns = -(-len(names) // _AT_ONCE)
  for k in range(turns):
    yield tuple(samples.specs(protocol.METHODS, x)[0] for x in names[k::turns])


class TrainedTest(parameterized.TestCase):
  @parameterized.parameters(*[(x,) for x in _several()][:1])
  @pytest.mark.slow
  def test_one_of_several_parts(self, methods):
    self._check_several(methods)

  @parameterized.parameters(*[(x,) for x in _several()][1:])
  @pytest.mark.slow
  def test_another_of_several_parts(self, methods):
    self._check_several(methods)

  def _check_several(self, methods):
    exchanges = samples.every(fusion_protocol.EXCHANGES)[:1]
    self._check(
      samples.config(
        CHEAP,
        combiner=samples.every(fusion_protocol.COMBINERS)[-1],
        exchanges=tuple((0, x) for x in exchanges),
      ),
      methods,
    )

  @parameterized.parameters(*_everything(CHEAP))
  @pytest.mark.slow
  def test_every_part(self, model, methods):
    self._check(model, methods)

  @pytest.mark.slow
  def test_all_kinds_at_once(self):
    self._check(samples.config(ALL), ())

  def _check(self, model, methods):
    config = dataclasses.replace(CONFIG, methods=methods)
    members = [
      neural.Member(ROWS[:12], ROWS[12:18], seed=0),
      neural.Member(ROWS[2:16], ROWS[16:22], seed=1),
    ]

    def fit(members, parallel=RESIDENT):
      return neural.fit_fleet(
        model_config=model,
        task=samples.cohort().task,
        data=samples.fleet_data(),
        members=members,
        config=config,
        parallel=parallel,
      ).fitted

    def predict(fitted, parallel=RESIDENT):
      return neural.predict_fleet(
        model_config=model,
        task=samples.cohort().task,
        data=samples.fleet_data(),
        fitted=[fitted],
        sources=[0],
        rows=[ROWS],
        parallel=parallel,
      )[0]

    both = fit(members)
    for x in both:
      self.assertEqual(x.failure, '')
    with self.subTest('a member is as if it were alone'):
      (alone,) = fit(members[1:])
      self.assertLess(checks.gap(alone.variables, both[1].variables), 1e-6)
      np.testing.assert_allclose(alone.history, both[1].history, rtol=1e-5)
    with self.subTest('fed from the host'):
      for one, other in zip(fit(members, STREAM), both, strict=True):
        self.assertLess(checks.gap(one.variables, other.variables), 1e-6)
      checks.assert_close(predict(both[0], STREAM), predict(both[0]))
    with self.subTest('saved and restored'):
      path = pathlib.Path(self.create_tempdir().full_path) / 'model'
      checkpoints.save(path, both[0], extra={}, arrays={})
      back, _, _ = checkpoints.load(path)
      checks.assert_same(back.variables, both[0].variables)
      np.testing.assert_array_equal(predict(back), predict(both[0]))
    with self.subTest('methods are of training alone'):
      found = checks.Model(model, batch=samples.whole_batch())
      logits, _ = found.module.apply(both[0].variables, found.batch)
      np.testing.assert_allclose(predict(both[0]), logits, atol=checks.CLOSE)


if __name__ == '__main__':
  absltest.main()
