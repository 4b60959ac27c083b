import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import links, types
from fusion_jax.training import tasks
from tests import tiny


def _example(kind, n=40, seed=0, ties=False):
  task = tiny.task_of(kind)
  rng = np.random.default_rng(seed)
  labels = tiny.cohort(n, kind=kind, seed=seed).labels
  if ties and kind == types.SURVIVAL:
    labels[:, 0] = np.ceil(3 * labels[:, 0])
  logits = rng.normal(size=(n, task.num_outputs))
  weight = rng.integers(0, 3, n).astype(float)
  known = ~np.isnan(labels)
  batch = types.Batch(
    inputs={},
    present={},
    labels=jnp.array(np.where(known, labels, 0.0), jnp.float32),
    label_mask=jnp.array(known),
    weight=jnp.array(weight, jnp.float32),
    row=jnp.arange(n),
  )
  return task, logits, labels, weight, batch


class LossTest(parameterized.TestCase):
  @parameterized.parameters(*types.TASK_KINDS)
  def test_equals_numpy(self, kind):
    for ties in (False, True):
      task, logits, labels, weight, batch = _example(kind, ties=ties)
      total, count = tasks.loss_sums(task, jnp.array(logits), batch)
      expected = links.mean_loss(task, logits, labels, weight)
      np.testing.assert_allclose(total / count, expected, rtol=1e-5)

  @parameterized.parameters(*types.TASK_KINDS)
  def test_padding_adds_nothing(self, kind):
    task, logits, _, _, batch = _example(kind)
    pad = lambda x: jnp.concatenate([x, x[:7]])  # noqa: E731
    padded = jax.tree.map(pad, batch).replace(
      weight=jnp.concatenate([batch.weight, jnp.zeros(7)])
    )
    logits = jnp.array(logits)
    one = tasks.loss_sums(task, logits, batch)
    two = tasks.loss_sums(task, pad(logits), padded)
    np.testing.assert_allclose(one, two, rtol=1e-6)

  @parameterized.parameters(*types.TASK_KINDS)
  def test_gradients_are_finite_and_unknown_labels_have_none(self, kind):
    task, logits, _, _, batch = _example(kind)
    blind = batch.replace(
      label_mask=batch.label_mask.at[0].set(False),
      labels=batch.labels.at[0].set(jnp.nan),
    )
    gradient = jax.grad(lambda x: tasks.loss_sums(task, x, blind)[0])(
      jnp.array(logits) * 50
    )
    self.assertTrue(np.isfinite(gradient).all())
    if kind != types.SURVIVAL:  # there, the study still is in risk sets
      np.testing.assert_array_equal(gradient[0], 0.0)

  def test_no_event_in_the_batch_gives_zero(self):
    task, logits, _, _, batch = _example(types.SURVIVAL)
    censored = batch.replace(labels=batch.labels.at[:, 1].set(0.0))
    value, gradient = jax.value_and_grad(
      lambda x: tasks.loss_sums(task, x, censored)[0]
    )(jnp.array(logits))
    self.assertEqual(float(value), 0.0)
    np.testing.assert_array_equal(gradient, 0.0)


if __name__ == '__main__':
  absltest.main()
