"""Tests of the joint autoencoder."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized
from scipy import stats

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, reconstruction, tasks
from fusion_jax.training.methods import autoencoder
from tests import tiny
from tests.training import steps

N, Q = 6, 4
NAMES = ('labs', 'note')


def _method(spec='autoencoder', modalities=NAMES):
  (method,) = protocol.create_methods(
    (spec,), task=tiny.task_of(types.BINARY), modalities=modalities
  )
  return method


def _given():
  """Features and inputs of two vectors, of which studies lack some."""
  rng = np.random.default_rng(0)
  present = {
    'labs': jnp.array([1, 1, 0, 1, 1, 0], bool),
    'note': jnp.array([1, 0, 1, 1, 1, 0], bool),
  }
  out = {
    'features': {
      m: types.Features.of_vector(
        jnp.asarray(rng.normal(size=(N, 3)) * np.asarray(present[m])[:, None])
      )
      for m in NAMES
    }
  }
  batch = types.Batch(
    inputs={m: {'vector': jnp.asarray(rng.normal(size=(N, Q)))} for m in NAMES},
    present=present,
    labels=jnp.zeros((N, 1)),
    label_mask=jnp.ones((N, 1), bool),
    weight=jnp.array([1.0, 2.0, 1.0, 1.0, 0.0, 1.0]),
    row=jnp.arange(N),
  )
  return out, batch


def _dense(x, params, name):
  own = params[name]
  return x @ np.asarray(own['kernel']) + np.asarray(own.get('bias', 0.0))


def _run(spec, out, batch):
  """The method, its batch, parameters and losses."""
  method = _method(spec)
  (module,) = method.modules().values()

  @jax.jit
  def run(out, batch):
    params = module.init(jax.random.key(1), out, batch)['params']
    batch = method.batch(jax.random.key(2), batch)

    def apply(*args):
      return module.apply({'params': params}, *args)

    given = {**out, 'own': {'autoencoder': apply}}
    found = method.losses(None, given, batch, tasks.LOCAL)
    return batch, params, found

  return jax.tree.map(np.asarray, run(out, batch))


class AutoencoderTest(parameterized.TestCase):
  def test_every_code_gives_back_every_modality(self):
    out, batch = _given()
    _, params, found = _run('autoencoder(width=2,hidden=5)', out, batch)
    sums = {m: [0.0, 0.0] for m in NAMES}
    for i in range(N):
      for subset in (NAMES, ('labs',), ('note',)):
        seen = [m for m in NAMES if m in subset and batch.present[m][i]]
        if not seen:
          continue
        flags = np.array([float(m in seen) for m in NAMES])
        hidden = _dense(flags, params, 'presence')
        for m in seen:
          hidden += _dense(
            np.asarray(out['features'][m].pooled[i]), params, f'part_{m}'
          )
        code = _dense(np.maximum(hidden, 0), params, 'code')
        for m in NAMES:
          if batch.present[m][i]:
            x = np.maximum(_dense(code, params, f'decoder_{m}'), 0)
            gap = _dense(x, params, f'given_{m}') - batch.inputs[m]['vector'][i]
            weight = float(batch.weight[i])
            sums[m][0] += weight * 0.5 * float((gap**2).sum())
            sums[m][1] += weight * Q
    self.assertEqual(set(found), {f'autoencoder/{m}' for m in NAMES})
    for m in NAMES:
      np.testing.assert_allclose(found[f'autoencoder/{m}'], sums[m], rtol=1e-4)

  def test_product_of_experts_is_their_normalised_density(self):
    """One dimension, by a fine grid."""
    mean = np.array([0.5, -1.0, 9.0])
    log_variance = np.array([-0.3, 0.8, 0.0])
    here = np.array([True, True, False])
    m, v = autoencoder.product(
      jnp.asarray(mean)[None, :, None],
      jnp.asarray(log_variance)[None, :, None],
      jnp.asarray(here)[None],
    )
    x = np.linspace(-10, 10, 20001)
    density = stats.norm.pdf(x)
    for k in range(2):
      density *= stats.norm.pdf(x, mean[k], np.exp(log_variance[k] / 2))
    density /= density.sum()
    self.assertAlmostEqual(float(m[0, 0]), (x * density).sum(), places=4)
    variance = ((x - (x * density).sum()) ** 2 * density).sum()
    self.assertAlmostEqual(float(v[0, 0]), variance, places=4)

  def test_divergence_is_the_integral(self):
    x = np.linspace(-15, 15, 30001)
    p, q = stats.norm(0.7, np.sqrt(0.4)), stats.norm()
    exact = (p.pdf(x) * (p.logpdf(x) - q.logpdf(x))).sum() * (x[1] - x[0])
    found = autoencoder.divergence(
      jnp.array([[0.7, 0.0]]), jnp.array([[0.4, 1.0]])
    )
    self.assertAlmostEqual(float(found[0]), exact, places=4)

  @pytest.mark.slow
  def test_variational_codes_are_drawn_from_the_product(self):
    out, batch = _given()
    batch, params, found = _run(
      'autoencoder(variational=true,width=2,hidden=5,beta=3)', out, batch
    )
    noise = np.asarray(batch.kept['autoencoder'])
    prior = [0.0, 0.0]
    error = 0.0
    for i in range(N):
      for number, subset in enumerate((NAMES, ('labs',), ('note',))):
        seen = [m for m in NAMES if m in subset and batch.present[m][i]]
        if not seen:
          continue
        precision, weighted = np.ones(2), np.zeros(2)
        for m in seen:
          x = _dense(
            np.asarray(out['features'][m].pooled[i]), params, f'part_{m}'
          )
          x = _dense(np.maximum(x, 0), params, f'expert_{m}')
          precision += np.exp(-x[2:])
          weighted += x[:2] * np.exp(-x[2:])
        mean, variance = weighted / precision, 1 / precision
        weight = float(batch.weight[i])
        prior[0] += (
          weight * 0.5 * (mean**2 + variance - 1 - np.log(variance)).sum()
        )
        prior[1] += weight
        code = mean + np.sqrt(variance) * noise[i, number]
        if batch.present['note'][i]:
          x = np.maximum(_dense(code, params, 'decoder_note'), 0)
          gap = (
            _dense(x, params, 'given_note') - batch.inputs['note']['vector'][i]
          )
          error += weight * 0.5 * float((gap**2).sum())
    np.testing.assert_allclose(
      found['autoencoder/prior'], (3 * prior[0] / (2 * Q), prior[1]), rtol=1e-4
    )
    np.testing.assert_allclose(found['autoencoder/note'][0], error, rtol=1e-4)

  def test_what_is_absent_may_hold_anything(self):
    out, batch = _given()
    _, _, clean = _run('autoencoder', out, batch)
    inputs = {
      m: {'vector': jnp.where(batch.present[m][:, None], x['vector'], jnp.nan)}
      for m, x in batch.inputs.items()
    }
    _, _, dirty = _run('autoencoder', out, batch.replace(inputs=inputs))
    jax.tree.map(np.testing.assert_array_equal, clean, dirty)

  def test_a_modality_that_is_given_as_features_is_not_given_back(self):
    out, batch = _given()
    inputs = {'labs': batch.inputs['labs']}
    _, _, found = _run('autoencoder', out, batch.replace(inputs=inputs))
    self.assertEqual(set(found), {'autoencoder/labs'})
    self.assertIsNone(
      autoencoder.target_of(batch.replace(inputs=inputs), 'note', ())
    )
    self.assertIsInstance(
      autoencoder.target_of(batch, 'note', ()), reconstruction.Target
    )

  @pytest.mark.slow
  def test_training_lowers_it(self):
    config = dataclasses.replace(
      steps.CONFIG, methods=('autoencoder(hidden=16,pretrain=0.9)',)
    )
    _, _, metrics = steps.train(config, 9, setup=steps.joint(), rate=0.03)
    for name in ('autoencoder/ehr', 'autoencoder/image'):
      first, last = (x[name][0] / x[name][1] for x in (metrics[0], metrics[-1]))
      self.assertLess(float(last), 0.9 * float(first))

  def test_impossible_arguments(self):
    for spec, message in (('beta=-1', 'at least 0'), ('width=0', 'at least 1')):
      with self.assertRaisesRegex(errors.UserError, message):
        _method(f'autoencoder({spec})')


if __name__ == '__main__':
  absltest.main()
