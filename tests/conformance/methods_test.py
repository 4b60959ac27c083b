"""Every registered training method."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import spec, types
from fusion_jax.fusion import model as models
from fusion_jax.training import protocol, tasks
from tests import tiny
from tests.conformance import checks, samples
from tests.training import steps

METHODS = samples.every(protocol.METHODS)
CHOSEN = {
  samples.MODALITY[kind]: samples.default(kind) for kind in samples.CHEAP
}


# Those that differ most; the others are slow tests.
TASKS = (types.BINARY, types.SURVIVAL)


def _supported(among):
  for name in protocol.METHODS.names():
    claims = protocol.METHODS.get(name).claims
    for kind in claims.get('tasks', types.TASK_KINDS):
      if kind in among:
        yield samples.specs(protocol.METHODS, name)[0], kind


def _config(method, **options):
  return dataclasses.replace(checks.CONFIG, methods=(method,), **options)


class MethodsTest(parameterized.TestCase):
  @parameterized.parameters(*_supported(TASKS))
  def test_takes_steps_of_the_tasks_it_claims(self, text, kind):
    self._check(text, kind)

  @parameterized.parameters(*_supported({*types.TASK_KINDS} - {*TASKS}))
  @pytest.mark.slow
  def test_takes_steps_of_other_tasks(self, text, kind):
    self._check(text, kind)

  def _check(self, text, kind):
    first, last, metrics = checks.assert_steps(
      samples.config(CHOSEN, combiner=samples.combiner_of(text)),
      kind=kind,
      training=checks.half(_config(text)),
    )
    self.assertIn('loss', metrics)
    moved = jax.tree.map(np.subtract, last.params, first.params)
    self.assertGreater(checks.largest(moved), 0.0)

  @parameterized.parameters(METHODS)
  def test_of_a_single_modality(self, text):
    for m, x in CHOSEN.items():
      checks.assert_steps(samples.config({m: x}), training=_config(text))

  @parameterized.parameters(METHODS)
  def test_keeps_studies_and_labels(self, text):
    """It may take modalities from a study, but gives none, nor a label."""
    (method,) = protocol.create_methods(
      (text,), task=tiny.task_of(types.BINARY), modalities=tuple(CHOSEN)
    )
    before = samples.batch()
    after = jax.jit(method.batch)(jax.random.key(0), before)
    self.assertLessEqual(set(after.kept), {spec.parse(text).name})
    self.assertEqual(
      jax.tree.structure(before), jax.tree.structure(after.replace(kept={}))
    )
    for name in ('labels', 'label_mask', 'row'):
      checks.assert_same(getattr(before, name), getattr(after, name))
    for m, x in after.present.items():
      self.assertFalse((x & ~before.present[m]).any())
    # What is drawn for a study is the same beside any others.
    order = np.random.default_rng(0).permutation(samples.N)
    moved = method.batch(
      jax.random.key(0), jax.tree.map(lambda x: x[order], before)
    )
    checks.assert_close(jax.tree.map(lambda x: x[order], after), moved, 1e-6)

  @parameterized.parameters(METHODS)
  def test_features_of_a_study_are_its_own(self, text):
    """They depend on others only if that is claimed, and never on the absent.

    Whatever is claimed, they are the same in any order.
    """
    (method,) = protocol.create_methods(
      (text,), task=tiny.task_of(types.BINARY), modalities=tuple(CHOSEN)
    )
    claims = protocol.METHODS.get(spec.parse(text).name).claims
    batch = jax.jit(method.batch)(jax.random.key(0), samples.batch())
    rng = np.random.default_rng(0)

    def drawn():
      return {
        m: types.Features(
          *(jnp.asarray(rng.normal(size=x)) for x in ((24, 4), (24, 3, 4))),
          jnp.asarray(rng.random((24, 3)) < 0.7),
        )
        for m in CHOSEN
      }

    def cleared(features):
      """Zeros of what is absent, as the model gives them."""
      return {
        m: models._blank(x, batch.present[m]) for m, x in features.items()
      }

    def look(features, batch=batch):
      return method.features(features, batch, tasks.LOCAL)

    one, others = cleared(drawn()), cleared(drawn())
    found = look(one)
    order = rng.permutation(samples.N)
    moved = jax.tree.map(lambda x: x[order], (one, batch))
    checks.assert_close(
      jax.tree.map(lambda x: x[order], found), look(*moved), 1e-6
    )
    checks.assert_same(cleared(found), found)
    half = np.arange(samples.N) < samples.N // 2
    beside = jax.tree.map(
      lambda x, y: jnp.where(half.reshape(-1, *[1] * (x.ndim - 1)), x, y),
      one,
      others,
    )
    same = jax.tree.map(
      lambda x, y: np.array_equal(x[half], y[half]), found, look(beside)
    )
    self.assertEqual(
      not all(jax.tree.leaves(same)), claims.get('across_studies', False)
    )

  @parameterized.parameters(METHODS)
  def test_adds_nothing_to_the_model_and_nothing_outside_training(self, text):
    task = tiny.task_of(types.BINARY)
    (method,) = protocol.create_methods(
      (text,), task=task, modalities=tuple(CHOSEN)
    )
    module = models.create_model(samples.config(CHOSEN), task)
    batch = samples.batch()

    asks = {
      'alone': method.alone,
      'subsets': method.subsets,
    }

    def init(**asks):
      return module.init(jax.random.key(0), batch, **asks)

    self.assertEqual(jax.eval_shape(lambda: init(**asks)), jax.eval_shape(init))
    variables = init()
    plain, out = module.apply(variables, batch)
    asked, _ = module.apply(variables, batch, **asks)
    checks.assert_same(plain, asked)
    self.assertEqual(set(out), {'features'})

  @parameterized.parameters(METHODS)
  @pytest.mark.slow
  def test_shards_do_as_the_whole_batch(self, text):
    given = {'combiner': x} if (x := samples.combiner_of(text)) else {}
    model, task, batch = steps.joint(**given)
    state, run = steps.start(_config(text), setup=(model, task, batch))
    whole, sums = jax.jit(run)(state, batch)
    mapped = jax.pmap(
      lambda s, b: run(s, b, collective=tasks.over_axis('data')),
      'data',
      in_axes=(None, 0),
      out_axes=None,
    )
    spread = jax.tree.map(lambda x: x.reshape(8, 3, *x.shape[1:]), batch)
    sharded, others = mapped(state, spread)
    self.assertEqual(sums.keys(), others.keys())
    for key in sums:
      np.testing.assert_allclose(sums[key], others[key], rtol=1e-4)
    gap = jax.tree.map(jnp.subtract, whole.params, sharded.params)
    self.assertLess(steps.norm(gap), 1e-4 * steps.norm(whole.params))


if __name__ == '__main__':
  absltest.main()
