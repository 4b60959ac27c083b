import jax
import jax.numpy as jnp
import numpy as np
from absl.testing import absltest, parameterized
from scipy import special

from fusion_jax.core import errors, types
from fusion_jax.training import protocol
from fusion_jax.training.methods import distillation
from tests import tiny
from tests.training import steps

N = 6


def _method(spec, kind=types.BINARY, modalities=('ct', 'labs')):
  (method,) = protocol.create_methods(
    (spec,), task=tiny.task_of(kind), modalities=modalities
  )
  return method


def _logits(outputs):
  return (
    np.random.default_rng(k).normal(size=(N, outputs), scale=3).astype('f')
    for k in range(2)
  )


class DistillationTest(parameterized.TestCase):
  def test_divergence_of_classes_and_of_labels(self):
    teacher, student = _logits(3)
    p, q = special.softmax(teacher, 1), special.softmax(student, 1)
    np.testing.assert_allclose(
      distillation.divergence(tiny.task_of(types.MULTICLASS), teacher, student),
      special.rel_entr(p, q).sum(1),
      rtol=1e-4,
    )
    p, q = special.expit(teacher), special.expit(student)
    both = special.rel_entr(p, q) + special.rel_entr(1 - p, 1 - q)
    np.testing.assert_allclose(
      distillation.divergence(tiny.task_of(types.MULTILABEL), teacher, student),
      both.sum(1),
      rtol=1e-4,
    )

  def test_is_of_softened_logits_of_studies_that_have_more(self):
    setup = model, task, batch = steps.joint()
    params, found = steps.passed(
      'distillation(temperature=2,weight=0.5)', setup
    )
    teacher, _ = model.apply({'params': params}, batch)
    for m, other in ((types.IMAGE, types.EHR), (types.EHR, types.IMAGE)):
      gone = jnp.zeros(24, bool)
      student, _ = model.apply(
        {'params': params},
        batch.replace(present={**batch.present, other: gone}),
      )
      weight = batch.weight * batch.present[m] * batch.present[other]
      far = distillation.divergence(task, teacher / 2, student / 2)
      np.testing.assert_allclose(
        found.sums[f'distillation/{m}'],
        (0.5 * 4 * (far * weight).sum(), weight.sum()),
        rtol=1e-4,
      )

  def test_the_teacher_does_not_learn_from_the_pupil(self):
    setup = model, task, batch = steps.joint()
    params, found = steps.passed('distillation', setup)
    _, plain = steps.passed('', setup)
    teacher, _ = model.apply({'params': params}, batch)

    def extra(params):
      total = 0.0
      for m, other in ((types.IMAGE, types.EHR), (types.EHR, types.IMAGE)):
        gone = jnp.zeros(24, bool)
        student, _ = model.apply(
          {'params': params},
          batch.replace(present={**batch.present, other: gone}),
        )
        weight = batch.weight * batch.present[m] * batch.present[other]
        far = distillation.divergence(task, teacher / 4, student / 4)
        total += 16 * (far * weight).sum() / weight.sum()
      return total

    jax.tree.map(
      lambda a, b, c: np.testing.assert_allclose(a, b + c, atol=1e-5),
      found.gradients,
      plain.gradients,
      jax.grad(extra)(params),
    )

  def test_students(self):
    three = ('a', 'b', 'c')
    alone = (('a',), ('b',), ('c',))
    pairs = (('a', 'b'), ('a', 'c'), ('b', 'c'))
    self.assertEqual(_method('distillation', modalities=three).subsets, alone)
    self.assertEqual(
      _method('distillation(onto=subsets)', modalities=three).subsets,
      alone + pairs,
    )

  @parameterized.parameters('weight=-1', 'temperature=0', 'onto=all')
  def test_impossible_arguments(self, text):
    with self.assertRaises(errors.UserError):
      _method(f'distillation({text})')


if __name__ == '__main__':
  absltest.main()
