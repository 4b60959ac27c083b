import jax.numpy as jnp
import numpy as np
from absl.testing import absltest
from scipy import special

from fusion_jax.core import types
from fusion_jax.training import scores, tasks
from tests import tiny

RNG = np.random.default_rng(0)


class ScoresTest(absltest.TestCase):
  def test_probability_of_a_class(self):
    logits = RNG.normal(size=(5, 3)).astype('f')
    codes = RNG.integers(0, 3, size=(5, 1))
    found = scores.of_labels(tiny.task_of(types.MULTICLASS), logits, codes)
    expected = special.softmax(logits, 1)[np.arange(5), codes[:, 0]]
    np.testing.assert_allclose(found[:, 0], expected, rtol=1e-5)

  def test_probability_of_labels(self):
    logits = RNG.normal(size=(5, 2), scale=40).astype('f')
    labels = (RNG.random((5, 2)) < 0.5).astype('f')
    task = tiny.task_of(types.MULTILABEL)
    p = special.expit(np.where(labels > 0, logits, -logits))
    np.testing.assert_allclose(
      scores.of_labels(task, logits, labels), p, rtol=1e-4
    )
    found = scores.log_of_labels(task, logits, labels)
    self.assertTrue(np.isfinite(found).all())
    np.testing.assert_allclose(
      found, special.log_expit(np.where(labels > 0, logits, -logits)), rtol=1e-4
    )

  def test_sums_are_of_known_labels_of_studies_that_have_it(self):
    logits = jnp.zeros((4, 2))
    batch = types.Batch(
      inputs={},
      present={},
      labels=jnp.ones((4, 2)),
      label_mask=jnp.array([[1, 1], [1, 0], [1, 1], [0, 0]], bool),
      weight=jnp.array([1.0, 2.0, 3.0, 4.0]),
      row=jnp.arange(4),
    )
    here = jnp.array([True, True, False, True])
    found = scores.sums(
      tiny.task_of(types.MULTILABEL), logits, batch, here, tasks.LOCAL
    )
    # One study with two labels, one with one that counts twice.
    np.testing.assert_allclose(found, (0.5 * 4, 4))


if __name__ == '__main__':
  absltest.main()
