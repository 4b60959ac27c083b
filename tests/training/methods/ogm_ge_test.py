import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.training import protocol, tasks
from tests import tiny

N = 16


def _method(spec, kind=types.BINARY):
  (method,) = protocol.create_methods(
    (spec,), task=tiny.task_of(kind), modalities=('image', 'ehr')
  )
  return method


def _batch(labels, present=None):
  labels = jnp.asarray(labels, jnp.float32)
  here = jnp.ones(len(labels), bool)
  return types.Batch(
    inputs={},
    present={'image': here, 'ehr': here, **(present or {})},
    labels=labels,
    label_mask=jnp.ones(labels.shape, bool),
    weight=jnp.ones(len(labels)),
    row=jnp.arange(len(labels)),
  )


def _binary(image, ehr):
  """Logits by which each modality gives the labels these probabilities."""
  labels = (jnp.arange(N) % 2)[:, None]
  sign = 2 * labels - 1
  logits = {
    m: sign * jnp.log(p / (1 - p)) for m, p in (('image', image), ('ehr', ehr))
  }
  return {'alone': logits}, _batch(labels)


class OGMGETest(parameterized.TestCase):
  @parameterized.parameters((0.9, 0.6), (0.6, 0.9), (0.7, 0.7))
  def test_the_leading_modality_is_shrunk_as_in_equation_10(self, image, ehr):
    out, batch = _binary(image, ehr)
    found = _method('ogm_ge(alpha=0.3)').factors(out, batch, tasks.LOCAL)
    for m, own, other in (('image', image, ehr), ('ehr', ehr, image)):
      lead = own / other
      expected = 1 - np.tanh(0.3 * lead) if own > other else 1.0
      self.assertAlmostEqual(float(found[m]), expected, places=4)

  def test_probabilities_of_classes_and_of_known_labels(self):
    codes = jnp.arange(N)[:, None] % 3
    logits = jnp.log(jnp.where(jnp.arange(3) == codes, 0.5, 0.25))
    p, known = _method('ogm_ge', types.MULTICLASS).score(logits, _batch(codes))
    np.testing.assert_allclose(p, 0.5, rtol=1e-5)
    np.testing.assert_array_equal(known, 1)
    batch = _batch(jnp.ones((N, 2)))
    batch = batch.replace(label_mask=batch.label_mask.at[:, 1].set(False))
    p, known = _method('ogm_ge', types.MULTILABEL).score(
      jnp.array([[0.0, 5.0]] * N), batch
    )
    np.testing.assert_allclose(p, 0.5)
    np.testing.assert_array_equal(known, 1)

  def test_only_studies_that_have_a_modality_count(self):
    out, batch = _binary(0.9, 0.6)
    gone = jnp.arange(N) < 8
    spoiled = {
      'alone': {
        **out['alone'],
        'image': jnp.where(gone[:, None], 50.0, out['alone']['image']),
      }
    }
    batch = batch.replace(present={**batch.present, 'image': ~gone})
    method = _method('ogm_ge')
    for one, two in zip(
      method.factors(out, batch, tasks.LOCAL).values(),
      method.factors(spoiled, batch, tasks.LOCAL).values(),
      strict=True,
    ):
      np.testing.assert_allclose(one, two, rtol=1e-5)

  def test_where_one_modality_is_there_nothing_leads(self):
    out, batch = _binary(0.9, 0.6)
    batch = batch.replace(present={**batch.present, 'ehr': jnp.zeros(N, bool)})
    found = _method('ogm_ge').factors(out, batch, tasks.LOCAL)
    self.assertEqual(
      {m: float(x) for m, x in found.items()}, {'image': 1.0, 'ehr': 1.0}
    )

  def test_gradients_of_its_encoder_are_shrunk_and_noisy(self):
    out, batch = _binary(0.9, 0.6)
    gradients = {
      name: {
        'kernel': jax.random.normal(jax.random.key(k), (40, 50)),
        'bias': jnp.ones(50),
      }
      for k, name in enumerate(('encoders_image', 'encoders_ehr', 'combiner'))
    }

    def run(spec):
      return _method(spec).gradients(
        gradients, out, batch, key=jax.random.key(5), collective=tasks.LOCAL
      )

    factor = float(_method('ogm_ge').factors(out, batch, tasks.LOCAL)['image'])
    self.assertLess(factor, 1.0)
    calm, noisy = run('ogm_ge(noise=false)'), run('ogm_ge')
    for found in (calm, noisy):
      for name in ('encoders_ehr', 'combiner'):
        jax.tree.map(
          np.testing.assert_array_equal, found[name], gradients[name]
        )
      np.testing.assert_allclose(
        found['encoders_image']['bias'], factor, rtol=1e-6
      )
    kernel = gradients['encoders_image']['kernel']
    np.testing.assert_allclose(
      calm['encoders_image']['kernel'], factor * kernel, rtol=1e-6
    )
    noise = noisy['encoders_image']['kernel'] - factor * kernel
    self.assertAlmostEqual(float(noise.std() / kernel.std()), 1.0, delta=0.1)

  def test_tasks_without_probabilities(self):
    for kind in (types.REGRESSION, types.SURVIVAL):
      with self.assertRaisesRegex(errors.UserError, 'only binary, multiclass'):
        _method('ogm_ge', kind)
    with self.assertRaisesRegex(errors.UserError, 'at least 0'):
      _method('ogm_ge(alpha=-1)')


if __name__ == '__main__':
  absltest.main()
