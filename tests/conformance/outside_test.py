"""Parts of other packages are covered too, and what a part cannot is said."""

import contextlib
import pathlib
import sys
from unittest import mock

from absl.testing import absltest, parameterized

from fusion_jax.ablation import roster
from fusion_jax.core import errors, registry, types
from fusion_jax.encoders import protocol as encoders
from fusion_jax.fusion import protocol as fusion
from fusion_jax.training import protocol as training
from tests import tiny
from tests.ablation import config_test
from tests.conformance import checks, samples

MODULE = 'parts_of_a_conformance_test'
SOURCE = """
import dataclasses

import flax.linen as nn
import jax.numpy as jnp

from fusion_jax.core import types
from fusion_jax.encoders import protocol as encoders
from fusion_jax.fusion import protocol as fusion
from fusion_jax.training import protocol as training


class Net(nn.Module):
  width: int
  honest: bool
  stages = ()

  @nn.compact
  def stem(self, inputs, *, train):
    x = nn.Dense(self.width)(inputs['vector'])
    if not self.honest:
      # What other studies hold reaches this one.
      x = x + x.mean(0, keepdims=True)
    return types.Hidden.of_vector(x)

  def readout(self, hidden, *, train):
    return types.Features.of_vector(hidden.x)


@encoders.encoders('vector').register('outside', summary='of another package')
def net(*, width: int = 768, honest: bool = True):
  return Net(width, honest)


class Head(nn.Module):
  num_outputs: int

  @nn.compact
  def __call__(self, features, present, *, train):
    x = fusion.concatenate(features, present)
    return nn.Dense(self.num_outputs)(x), {}


@fusion.COMBINERS.register(
  'outside', summary='', interactions=False, tasks=(types.BINARY,)
)
def head(*, num_outputs: int):
  return Head(num_outputs)


class Blind(nn.Module):
  @nn.compact
  def __call__(self, hidden, present, *, train):
    # Knows nothing of presence: an absent modality has an effect.
    total = sum(nn.Dense(1)(x.pooled()).sum(-1) for x in hidden.values())
    return {
      m: x.replace(x=x.x + total.reshape(-1, *[1] * (x.x.ndim - 1)))
      for m, x in hidden.items()
    }


@fusion.EXCHANGES.register('outside', summary='')
def blind():
  return Blind()


@dataclasses.dataclass(frozen=True)
class Nothing(training.Method):
  pass


@training.METHODS.register('outside', summary='', tasks=(types.SURVIVAL,))
def nothing():
  return Nothing()
"""
REGISTRIES = (encoders.encoders('vector'), fusion.COMBINERS, fusion.EXCHANGES)
CHEAP = {
  samples.MODALITY[kind]: samples.default(kind) for kind in samples.CHEAP
}


class OutsideTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    folder = pathlib.Path(self.create_tempdir().full_path)
    (folder / f'{MODULE}.py').write_text(SOURCE)
    undo = contextlib.ExitStack()
    self.addCleanup(undo.close)
    for known in (*REGISTRIES, training.METHODS):
      known.names()  # All that is here is loaded before.
      undo.enter_context(mock.patch.dict(known._entries))
    undo.enter_context(mock.patch.object(sys, 'path', [str(folder), *sys.path]))
    undo.enter_context(mock.patch.dict(sys.modules))
    registry.import_parts([MODULE])

  def test_are_found_in_small(self):
    for known in (fusion.COMBINERS, fusion.EXCHANGES, training.METHODS):
      self.assertIn('outside', samples.every(known))
    found = [x for kind, x in samples.encoders() if x.startswith('outside')]
    self.assertEqual(
      found, ['outside(width=8)', 'outside(width=8,honest=false)']
    )

  def test_are_held_to_the_same(self):
    modality = samples.MODALITY['vector']
    model = samples.config({modality: 'outside(width=8)'}, combiner='outside')
    checks.assert_all(checks.Model(model))

  def test_faults_are_found(self):
    modality = samples.MODALITY['vector']
    with self.subTest('a study that sees others'):
      model = checks.Model(
        samples.config({modality: 'outside(width=8,honest=false)'})
      )
      with self.assertRaises(AssertionError):
        checks.assert_studies_are_alone(model)
    with self.subTest('an exchange that ignores presence'):
      model = checks.Model(samples.config(CHEAP, exchanges=((0, 'outside'),)))
      with self.assertRaises(AssertionError):
        checks.assert_absence_is_absence(model)
    with self.subTest('a parameter that is cut off'):
      model = checks.Model(samples.config(CHEAP, frozen=(modality,)))
      with self.assertRaisesRegex(AssertionError, 'is cut off'):
        checks.assert_reaches_all(model)

  def test_what_a_part_is_not_for_is_one_line(self):
    arms = config_test.config('--arm=mine=joint(combiner=outside)').known_arms
    with self.assertRaisesRegex(
      errors.UserError,
      "^Arm 'mine' does not support survival tasks, only binary.$",
    ):
      roster.select(
        arms,
        ['mine'],
        task=tiny.task_of(types.SURVIVAL),
        modalities=('image', 'ehr'),
      )
    with self.assertRaisesRegex(
      errors.UserError,
      "^The method 'outside' does not support binary tasks, only survival.$",
    ):
      training.create_methods(
        ('outside',), task=tiny.task_of(types.BINARY), modalities=()
      )


class UnsupportedTest(parameterized.TestCase):
  @parameterized.parameters(training.METHODS.names())
  def test_tasks_that_a_method_does_not_claim(self, name):
    claimed = training.METHODS.get(name).claims.get('tasks', types.TASK_KINDS)
    for kind in types.TASK_KINDS:
      make = lambda kind=kind: training.create_methods(  # noqa: E731
        (name,), task=tiny.task_of(kind), modalities=samples.MODALITIES
      )
      if kind in claimed:
        self.assertLen(make(), 1)
        continue
      with self.assertRaises(errors.UserError) as found:
        make()
      self.assertRegex(str(found.exception), f"'{name}'.*{kind}.*{claimed[0]}")
      self.assertNotIn('\n', str(found.exception))


if __name__ == '__main__':
  absltest.main()
