"""Every registered encoder, alone in a model."""

import dataclasses
import inspect

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.encoders import protocol
from fusion_jax.fusion import model as models
from tests.conformance import checks, samples

ENCODERS = samples.encoders()
PARAMS = 'params'


def _config(kind, text, **options):
  return samples.config({samples.MODALITY[kind]: text}, **options)


def _keeps(kind, text):
  """Whether an encoder has variables beside its parameters."""
  shapes = checks.shapes(_config(kind, text))
  return set(shapes) > {PARAMS}


KEEPING = [x for x in ENCODERS if _keeps(*x)]
# As they are trained, dropout included; and the statistics of each form.
HALVES = list(
  dict.fromkeys(
    [
      (kind, samples.specs(protocol.encoders(kind), name, exact=False)[0])
      for kind in samples.KINDS
      for name in protocol.encoders(kind).names()
    ]
    + KEEPING
  )
)


class EncodersTest(parameterized.TestCase):
  @parameterized.parameters(*ENCODERS)
  def test_is_a_model(self, kind, text):
    checks.assert_all(checks.Model(_config(kind, text)))

  @parameterized.parameters(*ENCODERS)
  def test_offers_what_the_fusion_model_runs(self, kind, text):
    modality = samples.MODALITY[kind]
    batch = samples.batch()
    inputs = {**batch.inputs[modality], 'present': batch.present[modality]}
    encoder = models.create_model(
      _config(kind, text), samples.cohort().task
    ).encoders[modality]

    def run(encoder, inputs):
      hidden = encoder.stem(inputs, train=False)
      for stage in encoder.stages:
        self.assertIsInstance(hidden, types.Hidden)
        self.assertIn('train', inspect.signature(stage).parameters)
        self.assertEqual(hidden.mask.shape, hidden.x.shape[: hidden.mask.ndim])
        self.assertEqual(hidden.x.shape[0], samples.N)
        hidden = stage(hidden, train=False)
      return encoder.readout(hidden, train=False)

    found, _ = jax.eval_shape(
      lambda: encoder.init_with_output(jax.random.key(0), inputs, method=run)
    )
    self.assertIsInstance(found, types.Features)

  @parameterized.parameters(*HALVES)
  @pytest.mark.slow
  def test_takes_steps_in_half_precision(self, kind, text):
    first, last, _ = checks.assert_steps(
      _config(kind, text), training=checks.half()
    )
    moved = jax.tree.map(np.subtract, last.collections, first.collections)
    for path, x in jax.tree_util.tree_leaves_with_path(moved):
      self.assertGreater(checks.largest(x), 0.0, path)


class FrozenTest(parameterized.TestCase):
  @parameterized.parameters(*KEEPING)
  def test_neither_learns_nor_moves(self, kind, text):
    self._check(kind, text)

  @parameterized.parameters(*(x for x in ENCODERS if x not in KEEPING))
  @pytest.mark.slow
  def test_learns_nothing(self, kind, text):
    self._check(kind, text)

  def _check(self, kind, text):
    modality = samples.MODALITY[kind]
    name = models.encoder_name(modality)
    with self.subTest('as an extractor'):
      model = checks.Model(_config(kind, text, frozen=(modality,)))
      found = model.look()
      self.assertEqual(checks.largest(found['gradients'].get(name, {})), 0.0)
      self.assertGreater(checks.largest(found['gradients']['combiner']), 0.0)
      checks.assert_same(
        found['collections'],
        {k: x for k, x in model.variables.items() if k != 'params'},
      )
    if name not in model.variables['params']:
      return
    with self.subTest('by its group'):
      first, last, _ = checks.assert_steps(
        _config(kind, text),
        training=dataclasses.replace(checks.CONFIG, groups=(f'^{name}/:0',)),
      )
      checks.assert_same(first.params[name], last.params[name])
      checks.assert_same(first.used[PARAMS][name], last.used[PARAMS][name])
      checks.assert_same(first.collections, last.collections)
      moved = jax.tree.map(
        np.subtract, first.params['combiner'], last.params['combiner']
      )
      self.assertGreater(checks.largest(moved), 0.0)


if __name__ == '__main__':
  absltest.main()
