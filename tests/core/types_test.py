import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types


class TaskTest(parameterized.TestCase):
  @parameterized.parameters(
    (types.BINARY, ('y',), 1, 1, ('score',), ('label',)),
    (types.REGRESSION, ('y',), 1, 1, ('score',), ('label',)),
    (types.SURVIVAL, ('t', 'e'), 1, 2, ('score',), ('time', 'event')),
    (
      types.MULTICLASS,
      ('a', 'b', 'c'),
      3,
      1,
      ('score_a', 'score_b', 'score_c'),
      ('label',),
    ),
    (
      types.MULTILABEL,
      ('a', 'b'),
      2,
      2,
      ('score_a', 'score_b'),
      ('label_a', 'label_b'),
    ),
  )
  def test_shapes_and_columns(
    self, kind, names, outputs, labels, score_columns, label_columns
  ):
    task = types.Task(kind, names)
    self.assertEqual(task.num_outputs, outputs)
    self.assertEqual(task.num_labels, labels)
    self.assertEqual(task.score_columns, score_columns)
    self.assertEqual(task.label_columns, label_columns)
    self.assertLen(task.score_columns, task.num_outputs)
    self.assertLen(task.label_columns, task.num_labels)

  def test_tasks_are_values(self):
    task = types.Task(types.BINARY, ('y',))
    self.assertEqual(task, types.Task(types.BINARY, ('y',)))
    self.assertLen({task, types.Task(types.BINARY, ('y',))}, 1)


class BatchTest(absltest.TestCase):
  def test_batches_and_features_pass_through_jit(self):
    features = types.Features(
      pooled=jnp.ones((2, 3)),
      tokens=jnp.ones((2, 4, 3)),
      token_mask=jnp.ones((2, 4), bool),
    )
    batch = types.Batch(
      inputs={'ehr': {'numeric': jnp.ones((2, 5))}},
      present={'ehr': jnp.array([True, False])},
      labels=jnp.zeros((2, 1)),
      label_mask=jnp.ones((2, 1), bool),
      weight=jnp.ones(2),
      row=jnp.arange(2),
    )
    self.assertEqual(batch.features, {})
    doubled = jax.jit(lambda b: jax.tree.map(lambda x: x + x, b))(
      batch.replace(features={'image': features})
    )
    self.assertIsInstance(doubled, types.Batch)
    self.assertEqual(doubled.features['image'].pooled[0, 0], 2)
    self.assertEqual(doubled.inputs['ehr']['numeric'].shape, (2, 5))


class HiddenTest(absltest.TestCase):
  def test_pools_what_was_observed(self):
    x = jnp.arange(24.0).reshape(2, 3, 2, 2)
    mask = jnp.array([[True, False, True], [False] * 3])
    pooled = types.Hidden(x.at[0, 1].set(jnp.nan), mask).pooled()
    np.testing.assert_allclose(pooled[0], x[0, [0, 2]].mean((0, 1)))
    np.testing.assert_array_equal(pooled[1], 0)

  def test_a_vector_is_its_own_pool(self):
    x = jnp.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(types.Hidden.of_vector(x).pooled(), x)


if __name__ == '__main__':
  absltest.main()
