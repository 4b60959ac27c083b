import numpy as np
from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.evaluation import folds, references

BINARY = types.Task(types.BINARY, ('y',))
Y = np.arange(20) % 2


def _fold(number, noise, labels=Y):
  rng = np.random.default_rng(number)
  return folds.Fold(
    repeat=0,
    fold=number,
    study=np.arange(20).astype(str),
    patient=np.arange(20).astype(str),
    labels=labels[:, None].astype(float),
    weight=np.ones(20),
    complete=np.ones(20, bool),
    scores={
      arm: {0: np.clip(Y + sd * rng.normal(size=20), 0, 1)[:, None]}
      for arm, sd in noise.items()
    },
  )


TEST = [_fold(k, {'image': 1, 'ehr': 1, 'joint': 1}) for k in range(2)]
VALID = [_fold(0, {'image': 0, 'ehr': 9}), _fold(1, {'image': 9, 'ehr': 0})]


def _choose(test=TEST, valid=VALID, **changes):
  settings = dict(singles=['image', 'ehr'], metric='auroc')
  return references.choose(BINARY, test, valid, **{**settings, **changes})


class ChooseTest(absltest.TestCase):
  def test_best_on_each_fold_s_validation_part(self):
    found = _choose()
    self.assertEqual([c['arm'] for c in found], ['image', 'ehr'])
    self.assertEqual(found[0]['valid']['image'], 1)
    self.assertNotIn('reason', found[0])

  def test_less_is_better(self):
    found = _choose(metric='brier')
    self.assertEqual([c['arm'] for c in found], ['image', 'ehr'])

  def test_by_name(self):
    found = _choose(given='joint')
    self.assertEqual([c['arm'] for c in found], ['joint'] * 2)
    self.assertEqual(found[0]['reason'], 'given by name')
    absent = _choose(given='late')
    self.assertIsNone(absent[0]['arm'])
    self.assertIn('no predictions', absent[0]['reason'])

  def test_nothing_to_choose_by(self):
    found = _choose(valid=VALID[:1])
    self.assertEqual([c['arm'] for c in found], ['image', None])
    self.assertIn('no validation', found[1]['reason'])
    alone = _choose(singles=['ehr'], valid=[])
    self.assertEqual(alone[0]['arm'], 'ehr')
    self.assertIn('only single', alone[0]['reason'])
    self.assertIsNone(_choose(singles=[])[0]['arm'])

  def test_undefined_on_validation(self):
    valid = [_fold(0, {'image': 1, 'ehr': 1}, np.ones(20)), VALID[1]]
    found = _choose(valid=valid)
    self.assertEqual(found[0]['arm'], 'image')
    self.assertIn('undefined', found[0]['reason'])

  def test_a_candidate_without_validation_predictions_is_told(self):
    found = _choose(valid=[_fold(0, {'image': 1}), VALID[1]])
    self.assertEqual(found[0]['arm'], 'image')
    self.assertIn("'ehr' is unknown on validation", found[0]['reason'])
    self.assertNotIn('reason', found[1])


if __name__ == '__main__':
  absltest.main()
