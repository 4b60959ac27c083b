"""Tests of the contrastive loss between modalities."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest
from scipy import special

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, tasks
from fusion_jax.training.methods import contrastive
from tests import tiny
from tests.training import steps

N, WIDTH, TEMPERATURE = 7, 3, 0.2


def _method(spec='contrastive', modalities=('ct', 'labs')):
  (method,) = protocol.create_methods(
    (spec,), task=tiny.task_of(types.BINARY), modalities=modalities
  )
  return method


def _unit(rng, n=N):
  x = rng.normal(size=(n, WIDTH))
  return x / np.linalg.norm(x, axis=1, keepdims=True)


def _batch(present, weight):
  return types.Batch(
    inputs={},
    present={m: jnp.asarray(x) for m, x in present.items()},
    labels=jnp.zeros((N, 1)),
    label_mask=jnp.ones((N, 1), bool),
    weight=jnp.asarray(weight, jnp.float32),
    row=jnp.arange(N),
  )


def _reference(a, b, weight, here):
  """The mean over studies that have both, one by one."""
  rows = np.flatnonzero(here)
  total = 0.0
  for j in rows:
    for x, y in ((a, b), (b, a)):
      scores = y[rows] @ x[j] / TEMPERATURE
      total += (
        0.5
        * weight[j]
        * (special.logsumexp(scores) - x[j] @ y[j] / TEMPERATURE)
      )
  return total, weight[rows].sum()


class ContrastiveTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    rng = np.random.default_rng(0)
    self.projected = {m: _unit(rng) for m in ('ct', 'labs', 'note')}
    self.present = {
      'ct': np.array([1, 1, 0, 1, 1, 1, 1], bool),
      'labs': np.array([1, 1, 1, 1, 0, 1, 1], bool),
      'note': np.array([1, 0, 1, 0, 1, 1, 1], bool),
    }
    self.weight = np.array([1.0, 2, 1, 1, 1, 0, 0.5])

  def _losses(self, projected, modalities=('ct', 'labs')):
    method = _method(f'contrastive(temperature={TEMPERATURE})', modalities)
    given = {m: jnp.asarray(x, jnp.float32) for m, x in projected.items()}
    out = {'own': {'contrastive': lambda _: given}}
    batch = _batch(self.present, self.weight)
    return method.losses(None, out, batch, tasks.LOCAL)

  def test_is_the_mean_cross_entropy_of_both_directions(self):
    found = self._losses(self.projected)
    here = self.present['ct'] & self.present['labs'] & (self.weight > 0)
    exact = _reference(
      self.projected['ct'], self.projected['labs'], self.weight, here
    )
    np.testing.assert_allclose(found['contrastive/ct-labs'], exact, rtol=1e-5)

  def test_each_pair_of_three_has_one(self):
    found = self._losses(self.projected, tuple(self.projected))
    self.assertEqual(
      list(found),
      ['contrastive/ct-labs', 'contrastive/ct-note', 'contrastive/labs-note'],
    )
    here = self.present['labs'] & self.present['note'] & (self.weight > 0)
    exact = _reference(
      self.projected['labs'], self.projected['note'], self.weight, here
    )
    np.testing.assert_allclose(found['contrastive/labs-note'], exact, rtol=1e-5)

  def test_studies_without_both_are_no_negatives(self):
    spoiled = {m: np.array(x) for m, x in self.projected.items()}
    spoiled['ct'][[2, 5]] = 1e3
    spoiled['labs'][[4, 5]] = -1e3
    np.testing.assert_allclose(
      self._losses(spoiled)['contrastive/ct-labs'],
      self._losses(self.projected)['contrastive/ct-labs'],
      rtol=1e-6,
    )

  def test_it_is_low_where_pairs_agree_and_high_where_they_are_swapped(self):
    same = {'ct': self.projected['ct'], 'labs': self.projected['ct']}
    swapped = {'ct': same['ct'], 'labs': -same['ct']}
    (low, _), (high, _) = (
      self._losses(x)['contrastive/ct-labs'] for x in (same, swapped)
    )
    self.assertLess(float(low), 0.2 * float(high))

  def test_projections_are_of_length_one_and_see_one_modality(self):
    rng = np.random.default_rng(1)
    features = {
      m: types.Features.of_vector(jnp.asarray(rng.normal(size=(N, 4))))
      for m in ('ct', 'labs')
    }
    module = contrastive.Projections(5, WIDTH)
    variables = module.init(jax.random.key(0), {'features': features})
    found = module.apply(variables, {'features': features})
    for x in found.values():
      np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, rtol=1e-5)
    other = {**features, 'labs': types.Features.of_vector(jnp.ones((N, 4)))}
    np.testing.assert_array_equal(
      module.apply(variables, {'features': other})['ct'], found['ct']
    )

  @pytest.mark.slow
  def test_training_lowers_it(self):
    config = dataclasses.replace(
      steps.CONFIG,
      methods=('contrastive(width=8,hidden=8,pretrain=0.9,temperature=0.5)',),
    )
    _, _, metrics = steps.train(config, 9, setup=steps.joint(), rate=0.02)
    first, last = (
      m['contrastive/ehr-image'][0] / m['contrastive/ehr-image'][1]
      for m in (metrics[0], metrics[-1])
    )
    self.assertLess(float(last), float(first) - 0.1)

  def test_a_single_modality_has_none(self):
    method = _method(modalities=('ct',))
    self.assertEqual(method.losses(None, {}, None, tasks.LOCAL), {})
    self.assertEqual(method.phases(), ())
    self.assertEqual(method.modules(), {})

  def test_a_batch_in_parts_is_an_error(self):
    config = dataclasses.replace(
      steps.CONFIG, methods=('contrastive',), accumulate=2
    )
    with self.assertRaisesRegex(errors.UserError, 'compares all studies'):
      steps.train(config, setup=steps.joint())

  def test_impossible_arguments(self):
    for spec, message in (
      ('temperature=0', 'at least 0.01'),
      ('pretrain=1', 'from 0 to 0.9'),
      ('weight=-1', 'at least 0'),
      ('width=0', 'at least 1'),
    ):
      with self.assertRaisesRegex(errors.UserError, message):
        _method(f'contrastive({spec})')


if __name__ == '__main__':
  absltest.main()
