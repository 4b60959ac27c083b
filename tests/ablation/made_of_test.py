"""Tests of what arms are said to be made of."""

import pathlib

from absl.testing import absltest, parameterized

from fusion_jax.ablation import families, made_of
from fusion_jax.ablation import store as store_lib
from tests.ablation import config_test

KNOWN = families.review(families.USUAL)


class MadeOfTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    path = pathlib.Path(self.create_tempdir().full_path) / 'run'
    self.store = store_lib.Store(path)
    self.enterContext(self.store.open(config_test.config()))

  def _make(self, arm, records=(), *overrides, below=(), listed=None):
    """What is said of an arm whose models, and those below, have `records`."""
    models = {'shapes': {'image': [16, 24, 3]}, 'arms': {}}
    for name, given in ((arm, records), *below):
      entries = models['arms'].setdefault(name, [])
      for k, record in enumerate(given):
        key = f'{name}-{k}'
        if record is not None:
          self.store.write(key, record=record, arrays={})
        trial = (record or {}).get('trial', 0)
        entries.append({'key': key, 'trial': trial})
    made = made_of.of_arms(
      config_test.config(*overrides), models, self.store, listed or [arm]
    )
    return made[arm]

  def test_a_network(self):
    made = self._make(
      'joint',
      [
        {
          'hyper': {'learning_rate': 0.001, 'weight_decay': 0.05},
          'history': [[[1.0, 1.0]] * 12],
          'best_epoch': [7],
        },
        {
          'hyper': {'learning_rate': 0.002, 'weight_decay': 0.05},
          'history': [[[1.0, 1.0]] * 20],
          'best_epoch': [15],
          'trial': 1,
        },
      ],
      'training.epochs=20',
      'trials=2',
    )
    self.assertEqual(
      made['inputs'],
      [
        {
          'modality': 'image',
          'kind': 'image',
          'encoder': 'resnet',
          'view': 'images',
          'image_size': [16, 24, 3],
        },
        {
          'modality': 'ehr',
          'kind': 'table',
          'encoder': 'mlp',
          'view': 'numbers, indicators and codes',
          'image_size': None,
        },
      ],
    )
    self.assertEqual((made['combiner'], made['rule']), ('concat', None))
    self.assertEqual(
      made['epochs'], {'planned': 20, 'run': [12, 20], 'kept': [7, 15]}
    )
    self.assertEqual(
      made['hyperparameters'],
      {'learning_rate': [0.001, 0.002], 'weight_decay': [0.05, 0.05]},
    )
    self.assertEqual(made['settings']['batch_size'], 32)
    self.assertNotIn('learning_rate', made['settings'])
    self.assertEqual(made['trials'], {'tried': 2, 'chosen': {'0': 1, '1': 1}})
    self.assertEqual(made['differs'], {'training.epochs': 20, 'trials': 2})

  def test_an_elastic_net_and_trees(self):
    record = {
      'hyper': {'l1_ratio': 0.5},
      'chosen': [{'penalty': [0.1, 0.3]}, {'penalty': [0.2]}],
      'history': [],
      'best_epoch': [],
    }
    made = self._make('image_pca', [record], 'classical.l2=2')
    self.assertIsNone(made['epochs'])
    self.assertEqual(made['settings'], {})
    self.assertEqual(made['hyperparameters'], {'l1_ratio': [0.5, 0.5]})
    self.assertEqual(made['chosen'], {'penalty': [0.1, 0.3]})
    self.assertEqual(made['inputs'][0]['components'], 32)
    self.assertEqual(made['differs'], {'classical.l2': 2})

  def test_what_an_arm_stands_on(self):
    below = {
      'history': [[[1.0, 1.0]] * 3, [[1.0, 1.0]] * 4],
      'best_epoch': [1, 2],
    }
    made = self._make('early_trees', below=[('extractor', [below])])
    self.assertEqual(made['stands_on'], ['extractor'])
    self.assertEqual(made['inputs'][0]['of'], 'extractor')
    self.assertEqual(made['upstream']['extractor']['epochs']['run'], [3, 4])
    made = self._make('late_mean', listed=['image', 'ehr', 'late_mean'])
    self.assertEqual(made['stands_on'], ['image', 'ehr'])
    self.assertEqual(made['upstream'], {})  # they are in the table themselves
    self.assertEqual(made['rule'], 'mean')
    self.assertEqual(made['inputs'][1]['view'], 'predictions')
    self.assertEqual(made['trials']['tried'], 1)

  def test_records_of_earlier_versions(self):
    made = self._make('image', [{'valid_loss': 0.5}, None])
    self.assertEqual(made['models'], 2)
    self.assertEqual(made['hyperparameters'], {})
    self.assertEqual(made['epochs'], {'planned': 30, 'run': None, 'kept': None})

  @parameterized.parameters(*[x for x in KNOWN])
  def test_every_arm(self, arm):
    made = self._make(arm)
    # Weights are said wherever they are from.
    weights = dict(KNOWN[arm].train)
    self.assertEqual(
      made['differs'], {f'training.{k}': [*v] for k, v in weights.items()}
    )
    self.assertEqual(
      [x['modality'] for x in made['inputs']],
      list(KNOWN[arm].modalities),
    )

  @parameterized.parameters(
    ('cohort.name=interaction', {}),
    ('evaluation.replicates=100', {}),
    ('parallel.devices=1', {}),
    ('cohort.image_size=48', {'cohort.image_size': 48}),
    ('splits.folds=7', {'splits.folds': 7}),
    (
      '--arm=joint=joint(combiner=additive,epochs=9)',
      {
        'arms.joint': 'joint(combiner=additive,epochs=9)',
        'training.epochs': 9,
      },
    ),
    ('--arm=image=image(combiner=concat)', {}),
    ('classical.l2=3', {}),
  )
  def test_what_differs(self, override, expected):
    config = config_test.config(override)
    self.assertEqual(made_of.differs(config, 'joint'), expected)


if __name__ == '__main__':
  absltest.main()
