"""Tests of what keys of nodes depend on, with changed copies of the package."""

import pathlib
import shutil
import sys
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized

from fusion_jax.ablation import families, keys, learners
from fusion_jax.core import closure, registry
from fusion_jax.encoders import protocol
from tests import imports
from tests.ablation import config_test, plan_test

KNOWN = families.review(families.USUAL)
# No arm of the review stands on published weights.
EVERY = frozenset(KNOWN) - {families.PRETRAINED}
CLASSICAL = frozenset(
  {'ehr_linear', 'ehr_trees', 'image_pca', 'early_pca', 'late_linear'}
)
NO_IMAGE_ENCODER = CLASSICAL | {'ehr', 'early_raw'}
SEES_IMAGES_ALONE = frozenset(
  {'image', 'image_linear', 'image_pca', 'extractor'}
)
LATE = frozenset(n for n in KNOWN if n.startswith('late_'))


def planned(*overrides):
  """By arm, the keys of its nodes."""
  made = plan_test.make(
    *overrides, listed=[n for n, a in KNOWN.items() if not a.extracts]
  )
  return {arm: [n.key for n in nodes] for arm, nodes in made.nodes.items()}


class SourcesTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.root = pathlib.Path(
      cls.enterClassContext(tempfile.TemporaryDirectory())
    )
    shutil.copytree(imports.ROOT / 'fusion_jax', cls.root / 'fusion_jax')
    cls.before = planned()
    cls.enterClassContext(
      mock.patch.object(closure, 'root_of', lambda top: cls.root)
    )
    assert planned() == cls.before

  def changed(self, name, text):
    """The arms whose keys change when `text` comes at the end of a file."""
    path = self.root / 'fusion_jax' / name
    before = path.read_text() if path.exists() else None
    path.write_text((before or '') + text)
    after = planned()
    if before is None:
      path.unlink()
    else:
      path.write_text(before)
    self.assertEqual(set(after), EVERY)
    return {arm for arm in EVERY if after[arm] != self.before[arm]}

  @parameterized.parameters(
    'encoders/image/empty.py',
    'fusion/combiners/empty.py',
    'data/draft.py',
    'data/descriptor.py',
    'data/reader.py',
    'report/page.py',
    'evaluation/roc.py',
    'evaluation/predictions.py',
    'evaluation/config.py',
    # Tables of arms, checks, the plan: none changes what a node comes to.
    'ablation/arm.py',
    'ablation/families.py',
    'ablation/roster.py',
    'ablation/config.py',
    'ablation/runner.py',
    'ablation/store.py',
    'ablation/keys.py',
    'core/closure.py',
  )
  def test_what_changes_no_key(self, name):
    self.assertEmpty(self.changed(name, '\nMORE = 1\n'))

  @parameterized.parameters(
    'training/step.py', 'encoders/image/resnet.py', 'data/preprocess.py'
  )
  def test_a_comment_changes_no_key(self, name):
    self.assertEmpty(self.changed(name, '\n# A comment.\n\n\n'))

  def test_a_new_encoder_changes_no_key(self):
    self.assertEmpty(
      self.changed(
        'encoders/image/new.py',
        'from fusion_jax.encoders import protocol\n\n'
        "@protocol.encoders('image').register('new', summary='new')\n"
        'def new(*, width: int = 3):\n  return width\n',
      )
    )

  @parameterized.parameters(
    ('encoders/image/resnet.py', EVERY - NO_IMAGE_ENCODER),
    ('training/step.py', EVERY - CLASSICAL),
    ('fusion/model.py', EVERY - CLASSICAL),
    ('ablation/neural_learner.py', EVERY - CLASSICAL),
    ('fusion/late.py', LATE),
    ('fusion/rules/mean.py', {'late_mean', 'late_linear'}),
    ('fusion/rules/stack.py', {'late_stack'}),
    ('ablation/rule_learner.py', LATE),
    (
      'fusion/combiners/concat.py',
      {'early_raw', 'early_features', 'joint', 'joint_raw_ehr'},
    ),
    (
      'encoders/table/mlp.py',
      # Raw columns are flattened by a function of it.
      EVERY - CLASSICAL - {'image', 'image_linear', 'early_trees', 'extractor'},
    ),
    # Arms that stand on others' predictions see no kind themselves.
    ('data/kinds/image.py', EVERY - {'ehr', 'ehr_linear', 'ehr_trees'}),
    ('data/kinds/table.py', EVERY - SEES_IMAGES_ALONE),
    ('data/kinds/volume.py', set()),
    ('data/preprocess.py', EVERY),
    ('ablation/nodes.py', EVERY),
    ('ablation/views.py', EVERY),
  )
  def test_what_changes_some(self, name, expected):
    self.assertEqual(self.changed(name, '\nMORE = 1\n'), expected)

  def test_parts_of_training_count_for_those_that_name_them(self):
    given = '--arm=joint=joint(methods=(modality_dropout,),exchange_1=film)'
    before = planned(given)
    for name in ('training/methods/modality_dropout', 'fusion/exchanges/film'):
      path = self.root / 'fusion_jax' / f'{name}.py'
      text = path.read_text()
      path.write_text(text + '\nMORE = 1\n')
      after = planned(given)
      path.write_text(text)
      changed = {arm for arm in EVERY if after[arm] != before[arm]}
      self.assertEqual(changed, {'joint'}, name)

  def test_how_often_a_fleet_is_kept_changes_no_key(self):
    self.assertEqual(planned('training.save_epochs=3'), self.before)

  def test_boosting_changes_no_network(self):
    found = self.changed('training/boosting.py', '\nMORE = 1\n')
    self.assertContainsSubset({'ehr_trees', 'early_trees'}, found)
    self.assertNoCommonElements({'image', 'ehr', 'joint', 'late_mean'}, found)


class PartsOfOthersTest(absltest.TestCase):
  def test_the_files_of_another_package_count(self):
    root = pathlib.Path(self.create_tempdir().full_path)
    package = root / 'own_parts_of_a_test'
    package.mkdir()
    (package / '__init__.py').write_text('')
    (package / 'layers.py').write_text('WIDTH = 3\n')
    (package / 'unused.py').write_text('')
    (package / 'net.py').write_text(
      'from fusion_jax.encoders import protocol\n'
      'from fusion_jax.encoders.vector import raw\n'
      'from own_parts_of_a_test import layers\n\n\n'
      "@protocol.encoders('image').register('of_a_test', summary='own')\n"
      'def net(*, width: int = layers.WIDTH):\n'
      '  return raw.RawVector()\n'
    )
    self.enterContext(mock.patch.object(sys, 'path', [str(root), *sys.path]))
    protocol.encoders('image').names()
    self.addCleanup(
      lambda: protocol.encoders('image')._entries.pop('of_a_test', None)
    )
    overrides = (
      'imports=own_parts_of_a_test.net',
      '--arm=own=joint(image=of_a_test(width=5))',
    )
    config = config_test.config(*overrides)
    config_test.config_lib.check(config)
    own = config.known_arms['own']
    self.assertIn('own_parts_of_a_test.net', keys.modules(own))

    def made():
      found = plan_test.make(*overrides, listed=['joint', 'own'])
      return [{n.key for n in found.nodes[x]} for x in ('joint', 'own')]

    before = made()
    (package / 'unused.py').write_text('X = 1\n')
    self.assertEqual(made(), before)
    (package / 'layers.py').write_text('WIDTH = 33\n')
    joint, changed = made()
    self.assertEqual(joint, before[0])
    self.assertNoCommonElements(changed, before[1])


class SettingsTest(absltest.TestCase):
  def test_parts_inside_parts_are_found(self):
    known = registry.Registry('thing', package='fusion_jax.encoders.vector')

    @known.register('outer', summary='of another')
    def outer(*, inner: str = 'x'):
      return inner

    part = registry.spec.parse('outer(inner=(concat,none))')
    self.assertEqual(
      list(keys._builders(known, part)),
      [outer.__module__, 'fusion_jax.fusion.combiners.concat'],
    )

  def test_a_new_field_with_a_default_is_not_in_it(self):
    found = keys.settings(config_test.config(), KNOWN['ehr_linear'])
    self.assertEqual(
      found,
      {
        'strategy': 'single',
        'learner': 'elastic_net',
        'inputs': {'ehr': {'kind': 'table'}},
        'order': ['ehr'],
        'preprocess': {},
        'classical': {},
      },
    )

  def test_environment(self):
    for name in learners.LEARNERS:
      found = keys.environment(name)
      self.assertContainsSubset(
        ('numpy', 'scipy', 'scikit-learn', 'python'), found
      )
    self.assertIn('backend', keys.environment('neural'))
    self.assertNotIn('jax', keys.environment('trees'))


if __name__ == '__main__':
  absltest.main()
