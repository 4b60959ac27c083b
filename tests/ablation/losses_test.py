"""Tests of the losses of a run's models."""

import math
import pathlib

from absl.testing import absltest

from fusion_jax.ablation import losses
from fusion_jax.ablation import store as store_lib
from tests.ablation import config_test


class LossesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    path = pathlib.Path(self.create_tempdir().full_path) / 'run'
    self.store = store_lib.Store(path)
    self.enterContext(self.store.open(config_test.config()))
    self.models = {'arms': {}}

  def _land(self, arm, key, record, *, fold=0):
    if record is not None:
      self.store.write(key, record=record, arrays={})
    entry = {'repeat': 0, 'fold': fold, 'seed': 1, 'trial': 0, 'key': key}
    self.models['arms'].setdefault(arm, []).append(entry)

  def test_networks_that_were_watched(self):
    self._land(
      'joint',
      'a',
      {
        'history': [[[0.7, 0.6], [0.5, 0.4]]],
        'best_epoch': [2],
        'watched': [{'ct': [[0.7, 2.0], [math.nan, 1.0]]}],
      },
    )
    ((found,),) = losses.of_models(self.models, self.store).values()
    self.assertEqual(found['alone'], {'ct': [0.7, None]})
    self.assertEqual(found['gradients'], {'ct': [2.0, 1.0]})

  def test_losses_by_epoch(self):
    self._land(
      'image',
      'a',
      {'history': [[[0.7, 0.6], [0.5, 0.4], [0.4, 0.5]]], 'best_epoch': [2]},
      fold=3,
    )
    self.assertEqual(
      losses.of_models(self.models, self.store),
      {
        'image': [
          {
            'repeat': 0,
            'fold': 3,
            'seed': 1,
            'half': None,
            'epochs': [1, 2, 3],
            'train': [0.7, 0.5, 0.4],
            'valid': [0.6, 0.4, 0.5],
            'kept': 2,
          }
        ]
      },
    )

  def test_models_of_halves_may_stop_apart(self):
    self._land(
      'extractor',
      'a',
      {
        'history': [[[0.7, 0.6]], [[0.5, 0.4], [0.4, 0.3]]],
        'best_epoch': [1, 2],
      },
    )
    entries = losses.of_models(self.models, self.store)['extractor']
    self.assertEqual(
      [(x['half'], len(x['epochs']), x['kept']) for x in entries],
      [(0, 1, 1), (1, 2, 2)],
    )

  def test_what_has_no_losses_is_absent(self):
    self._land('ehr_linear', 'a', {'history': [], 'best_epoch': []})
    self._land('joint', 'b', {'valid_loss': 0.1})  # of an earlier version
    self._land('image', 'c', None)  # its folder is gone
    self.assertEqual(losses.of_models(self.models, self.store), {})

  def test_a_loss_that_is_not_finite_is_unknown(self):
    self._land(
      'image', 'a', {'history': [[[math.nan, 0.6]]], 'best_epoch': [1]}
    )
    (entry,) = losses.of_models(self.models, self.store)['image']
    self.assertEqual((entry['train'], entry['valid']), ([None], [0.6]))


if __name__ == '__main__':
  absltest.main()
