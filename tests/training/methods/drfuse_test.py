"""Tests of the losses of shared and distinct representations."""

import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from scipy.spatial import distance

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, tasks
from fusion_jax.training.methods import drfuse
from tests import tiny
from tests.fusion import examples
from tests.training import steps

N, WIDTH = 6, 4
NAMES = ('ct', 'labs')


def _method(spec='drfuse', kind=types.MULTILABEL):
  (method,) = protocol.create_methods(
    (spec,), task=tiny.task_of(kind), modalities=NAMES
  )
  return method


def _given():
  """What the combiner holds out, made up, and a batch of two labels."""
  rng = np.random.default_rng(0)
  present = {
    'ct': np.array([1, 1, 1, 0, 0, 1], bool),
    'labs': np.array([1, 1, 0, 1, 0, 1], bool),
  }
  here = np.stack([present[m] for m in NAMES], 1)
  shared, distinct = rng.normal(size=(2, N, 2, WIDTH)) * here[..., None]
  mean = (examples.sigmoid(shared) * here[..., None]).sum(1)
  mean /= np.maximum(here.sum(1), 1)[:, None]
  mean = np.where(here.any(1)[:, None], mean, 0.5)
  out = {
    'features': dict.fromkeys(NAMES),
    'shared': shared,
    'distinct': distinct,
    'together': np.log(mean / (1 - mean)),
    'predicted': rng.normal(size=(N, 3, 2)),
    'attention': rng.dirichlet(np.ones(3), size=(N, 2)),
  }
  batch = types.Batch(
    inputs={},
    present={m: jnp.asarray(x) for m, x in present.items()},
    labels=jnp.asarray(rng.random((N, 2)) < 0.5, jnp.float32),
    label_mask=jnp.asarray(rng.random((N, 2)) < 0.8),
    weight=jnp.array([1.0, 2.0, 1.0, 1.0, 1.0, 0.0]),
    row=jnp.arange(N),
  )
  return {
    k: v if k == 'features' else jnp.asarray(v) for k, v in out.items()
  }, (batch)


class DrFuseTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.out, self.batch = _given()
    self.found = _method().losses(None, self.out, self.batch, tasks.LOCAL)

  def test_shared_ones_come_close_by_jensen_and_shannon(self):
    """Channel by channel, by SciPy."""
    total = 0.0
    for study, weight in ((0, 1), (1, 2)):  # With both, and counted.
      p, q = examples.sigmoid(np.asarray(self.out['shared'][study]))
      for a, b in zip(p, q, strict=True):
        total += weight * distance.jensenshannon([a, 1 - a], [b, 1 - b]) ** 2
    np.testing.assert_allclose(
      self.found['drfuse/alike'], (total, 3), rtol=1e-3
    )

  def test_shared_and_distinct_ones_become_orthogonal(self):
    total = 0.0
    for study, weight in enumerate(np.asarray(self.batch.weight)):
      for k, m in enumerate(NAMES):
        if self.batch.present[m][study]:
          a, b = (self.out[x][study, k] for x in ('shared', 'distinct'))
          total += weight * abs(1 - distance.cosine(a, b))
    np.testing.assert_allclose(
      self.found['drfuse/apart'], (total, 4 + 4), rtol=1e-4
    )

  def test_each_predicts_alone(self):
    for k, name in enumerate((*NAMES, 'together')):
      weight = self.batch.weight
      if name != 'together':
        weight = weight * self.batch.present[name]
      else:
        weight = weight.at[4].set(0)  # Without any modality.
      exact = tasks.loss_sums(
        tiny.task_of(types.MULTILABEL),
        self.out['predicted'][:, k],
        self.batch.replace(weight=weight),
      )
      np.testing.assert_allclose(
        self.found[f'drfuse/predicted/{name}'], exact, rtol=1e-5
      )

  def test_attention_is_to_rank_as_losses_do(self):
    z, y = np.asarray(self.out['predicted']), np.asarray(self.batch.labels)
    losses = np.log1p(np.exp(np.where(y[:, None] > 0, -z, z)))
    total = count = 0.0
    for study, weight in enumerate(np.asarray(self.batch.weight)):
      has = [bool(self.batch.present[m][study]) for m in NAMES]
      has.append(any(has))
      for label in range(2):
        known = weight * bool(self.batch.label_mask[study, label])
        for i in range(3):
          for j in range(i + 1, 3):
            if has[i] and has[j]:
              a = self.out['attention'][study, label]
              better, worse = (
                (i, j)
                if losses[study, i, label] < losses[study, j, label]
                else (j, i)
              )
              total += known * max(0.0, float(a[worse] - a[better]))
              count += known
    self.assertGreater(total, 0)
    np.testing.assert_allclose(
      self.found['drfuse/ranking'], (total, count), rtol=1e-4
    )

  def test_weights_of_losses(self):
    spec = 'drfuse(predictions=2,alike=3,apart=4,ranking=0)'
    other = _method(spec).losses(None, self.out, self.batch, tasks.LOCAL)
    for name, factor in (
      ('predicted/ct', 2),
      ('alike', 3),
      ('apart', 4),
      ('ranking', 0),
    ):
      total, weight = self.found[f'drfuse/{name}']
      np.testing.assert_allclose(
        other[f'drfuse/{name}'], (factor * total, weight), rtol=1e-5
      )

  def test_vectors_of_zeros_have_no_angle(self):
    zero = jnp.zeros((2, 3))
    np.testing.assert_array_equal(drfuse.cosines(zero, zero + 1), 0)

  def test_a_single_modality_has_none_of_them(self):
    out = {'features': {'ct': None}}
    self.assertEqual(_method().losses(None, out, self.batch, tasks.LOCAL), {})

  def test_another_combiner_is_an_error(self):
    config = steps.training_config.TrainingConfig(methods=('drfuse',))
    with self.assertRaisesRegex(
      errors.UserError, 'ehr, image does not have: give it combiner=drfuse'
    ):
      steps.train(config, setup=steps.joint())

  def test_wrong_arguments(self):
    with self.assertRaisesRegex(errors.UserError, r'drfuse\(apart=-1\)'):
      _method('drfuse(apart=-1)')
    with self.assertRaisesRegex(errors.UserError, 'not support multiclass'):
      _method(kind=types.MULTICLASS)


if __name__ == '__main__':
  absltest.main()
