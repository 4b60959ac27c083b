"""Tests of which studies are shown, and of what is said of them."""

import base64
import csv
import io
import json
import stat
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from fusion_jax.ablation import examples, external
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors, types
from fusion_jax.data import reader
from fusion_jax.evaluation import folds as folds_lib
from fusion_jax.evaluation import thresholds
from tests import tiny
from tests.ablation import runner_test

ARMS = 'run_arms=ehr_linear,image_pca,early_pca'


def fold_of(kind, labels, *, at=None, fold=0, **scores):
  """A fold of studies a, b, ... with scores (n, s) of one model by arm."""
  labels = np.array(labels, float).reshape(len(labels), -1)
  n = len(labels)
  scores = {
    a: {0: np.array(x, float).reshape(n, -1)} for a, x in scores.items()
  }
  points = {}
  if at is not None:
    k = tiny.task_of(kind).num_outputs
    points = {
      a: {
        0: folds_lib.OperatingPoints({thresholds.YOUDEN: np.full(k, at[a])}, {})
      }
      for a in scores
    }
  return folds_lib.Fold(
    repeat=0,
    fold=fold,
    study=np.array([*'abcdefgh'[:n]]),
    patient=np.array([*'abcdefgh'[:n]]),
    labels=labels,
    weight=np.ones(n),
    complete=np.ones(n, bool),
    scores=scores,
    thresholds=points,
  )


def select(kind, folds, count=9):
  found = examples.select(
    tiny.task_of(kind), folds, arm='joint', single='ehr', count=count
  )
  return {(x.kind, x.output): x for x in found}


class SelectTest(parameterized.TestCase):
  def test_calls_are_at_each_models_own_threshold(self):
    # With .5 for both nothing would be repaired.
    fold = fold_of(
      types.BINARY,
      [1, 1, 0, 0],
      joint=[0.4, 0.1, 0.1, 0.4],
      ehr=[0.5, 0.9, 0.7, 0.2],
      at={'joint': 0.3, 'ehr': 0.6},
    )
    found = select(types.BINARY, [fold])
    repaired, broken = found['repaired', 0], found['broken', 0]
    self.assertEqual(repaired.study.tolist(), ['c', 'a'])
    self.assertEqual(broken.study.tolist(), ['b', 'd'])
    self.assertEqual(repaired.scores['joint'].tolist(), [0.1, 0.4])
    self.assertEqual(repaired.scores['ehr'].tolist(), [0.7, 0.5])

  def test_ties_are_by_study_and_the_rest_is_left_out(self):
    fold = fold_of(
      types.BINARY,
      [1] * 6,
      joint=[0.8, 0.8, 0.9, 0.8, 0.8, 0.9],
      ehr=[0.2] * 6,
      at={'joint': 0.5, 'ehr': 0.5},
    )
    shuffled = fold.take(np.array([5, 3, 1, 0, 4, 2]))
    for given in (fold, shuffled):
      group = select(types.BINARY, [given], 4)['repaired', 0]
      self.assertEqual(group.study.tolist(), ['c', 'f', 'a', 'b'])
      self.assertEqual(group.total, 6)
    whole = select(types.BINARY, [fold], 100)
    self.assertLen(whole['repaired', 0].study, 6)
    self.assertEmpty(whole['broken', 0].study)
    self.assertEqual(whole['broken', 0].total, 0)

  def test_most_models_decide(self):
    at = {'joint': 0.5, 'ehr': 0.5}
    folds = [
      fold_of(types.BINARY, [1, 1], at=at, fold=k, joint=joint, ehr=[0, 0])
      for k, joint in enumerate(([0.6, 0.6], [0.6, 0.4], [0.1, 0.4]))
    ]
    group = select(types.BINARY, folds)['repaired', 0]
    self.assertEqual(group.study.tolist(), ['a'])
    np.testing.assert_allclose(group.scores['joint'], [1.3 / 3])
    self.assertEqual(group.models.tolist(), [3])

  def test_a_class_is_called_where_it_is_most_probable(self):
    fold = fold_of(
      types.MULTICLASS,
      [0, 2, 1],
      joint=[[0.5, 0.3, 0.2], [0.6, 0.2, 0.2], [0.2, 0.6, 0.2]],
      ehr=[[0.3, 0.5, 0.2], [0.2, 0.2, 0.6], [0.3, 0.4, 0.3]],
    )
    found = select(types.MULTICLASS, [fold])
    self.assertEqual(found['repaired', 0].study.tolist(), ['a'])
    self.assertEqual(found['repaired', 0].scores['joint'].tolist(), [0.5])
    self.assertEqual(found['broken', 0].study.tolist(), ['b'])

  def test_labels_are_taken_one_by_one_and_unknown_ones_not_at_all(self):
    fold = fold_of(
      types.MULTILABEL,
      [[1, np.nan], [0, 1]],
      joint=[[0.9, 0.9], [0.1, 0.2]],
      ehr=[[0.1, 0.1], [0.2, 0.8]],
      at={'joint': 0.5, 'ehr': 0.5},
    )
    found = select(types.MULTILABEL, [fold])
    self.assertEqual(found['repaired', 0].study.tolist(), ['a'])
    self.assertEmpty(found['repaired', 1].study)
    self.assertEqual(found['broken', 1].study.tolist(), ['b'])

  def test_regression_goes_by_the_error(self):
    fold = fold_of(
      types.REGRESSION,
      [10, 20, 30, 40],
      joint=[11, 25, 30, 40],
      ehr=[14, 20, 31, 40],
    )
    found = select(types.REGRESSION, [fold])
    self.assertEqual(found['repaired', 0].study.tolist(), ['a', 'c'])
    self.assertEqual(found['broken', 0].study.tolist(), ['b'])


class ComparedTest(parameterized.TestCase):
  @parameterized.parameters(
    ({'use': {'arm': 'a'}, 'gain': {'arm': 'b'}}, 'a'),
    ({'use': {'arm': None}, 'gain': {'arm': 'b'}}, 'b'),
    ({'gain': None}, None),
  )
  def test_the_arm_to_use_comes_first(self, summary, arm):
    summary['best_single'] = {'arm': 's'}
    self.assertEqual(examples.compared(summary), (arm, 's'))


class CheckTest(parameterized.TestCase):
  @parameterized.parameters(0, -3)
  def test_a_wrong_number_is_one_line(self, count):
    with self.assertRaisesRegex(
      errors.UserError, f'--examples={count}: .*1 or'
    ):
      examples.check(count)


class MakeTest(runner_test.RunnerTestCase):
  def make(self, cohort, *overrides, arms=ARMS, count=2):
    report, _, _ = runner_test.run(
      self.path, *overrides, cohort=cohort, arms=arms
    )
    self.assertEmpty(report.failures)
    return self.again(cohort, count)

  def again(self, cohort, count):
    with mock.patch.object(reader, 'open_cohort', return_value=cohort):
      return examples.make(external.open_run(self.path), count)

  def test_what_is_shown_and_kept(self):
    cohort = tiny.cohort(160, images=2, absent=True)
    found = self.make(cohort)
    self.assertEqual((found['arm'], found['asked']), ('early_pca', 2))
    self.assertIn(found['single'], ('ehr_linear', 'image_pca'))
    self.assertEqual([x['kind'] for x in found['groups']], [*examples.KINDS])
    text = (self.path / examples.STUDIES).read_text()
    rows = [*csv.DictReader(text.splitlines())]
    self.assertEqual(
      [int(x['number']) for x in rows], [1, 2, 3, 4][: len(rows)]
    )
    row_of = {s: i for i, s in enumerate(cohort.study)}
    for example, line in zip(found['examples'], rows, strict=True):
      row = row_of[line['study_id']]
      self.assertEqual(example['truth'], f'y = {cohort.labels[row, 0]:g}')
      self.assertEqual(set(example['scores']), {'early_pca', found['single']})
      self.assertEqual(example['models'], 1)
      # Three columns, the one that matters first.
      self.assertEqual(example['record'][0]['column'], 'lab')
      self.assertLen(example['record'], 3)
      value = example['record'][0]['value']
      np.testing.assert_equal(
        np.nan if value is None else value, cohort.numeric[row, 0]
      )
      if cohort.image_mask[row].any():
        data = base64.b64decode(example['image'])
        pixels = np.asarray(Image.open(io.BytesIO(data)))
        np.testing.assert_array_equal(pixels, cohort.images[row, 0, ..., 0])
        self.assertEqual(np.shape(example['map']['values']), (8, 8))
        self.assertEqual(example['images'], 2)
        self.assertGreaterEqual(
          example['map']['highest']['value'], example['map']['lowest']['value']
        )
      else:
        self.assertIsNone(example['image'])
        self.assertIsNone(example['map'])
    with self.subTest('no id, and nobody else can read it'):
      text = (self.path / examples.EXAMPLES).read_text()
      self.assertEqual(json.loads(text), found)
      for name in (*cohort.study, *cohort.patient):
        self.assertNotIn(f'"{name}"', text)
      for name in (examples.EXAMPLES, examples.STUDIES):
        mode = (self.path / name).stat().st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)
    with self.subTest('the same again'):
      self.assertEqual(self.again(cohort, 2), found)
    with self.subTest('more than there are'):
      more = self.again(cohort, 10_000)
      for group in more['groups']:
        self.assertLen(group['numbers'], group['total'])
    with self.subTest('taken away'):
      examples.remove(self.path)
      examples.remove(self.path)
      self.assertFalse((self.path / examples.EXAMPLES).exists())
      self.assertFalse((self.path / examples.STUDIES).exists())

  def test_a_run_in_use_is_one_line(self):
    cohort = tiny.cohort()
    runner_test.run(self.path, cohort=cohort, arms=ARMS)
    with store_lib.Store(self.path).alone():
      with self.assertRaisesRegex(errors.UserError, 'in use by process'):
        self.again(cohort, 1)

  def test_one_modality_alone_is_explained_and_nothing_is_repaired(self):
    found = self.make(tiny.cohort(), arms='run_arms=ehr_linear')
    self.assertEqual(found['arm'], 'ehr_linear')
    self.assertEmpty(found['examples'])
    self.assertIn('Nothing was compared', found['reasons'][0])
    self.assertLen(found['importance']['columns'], 3)

  def test_an_arm_that_sees_no_record_says_so(self):
    found = self.make(tiny.cohort(), arms='run_arms=image_pca')
    self.assertEmpty(found['importance']['columns'])
    self.assertIn('does not see the record', found['importance']['reason'])

  def test_survival_has_importance_only(self):
    found = self.make(tiny.cohort(160, kind=types.SURVIVAL))
    self.assertEmpty(found['examples'])
    self.assertIn('not offered for survival', found['reasons'][0])
    self.assertEqual(found['importance']['metric'], 'c_index')

  @parameterized.parameters(
    types.MULTICLASS, types.MULTILABEL, types.REGRESSION
  )
  def test_other_tasks(self, kind):
    cohort = tiny.cohort(160, kind=kind)
    found = self.make(cohort, count=1)
    labels = [x['label'] for x in found['groups']]
    many = kind == types.MULTILABEL
    self.assertEqual(labels, ['x', 'x', 'y', 'y'] if many else [None, None])
    self.assertNotEmpty(found['examples'])
    for example in found['examples']:
      if kind == types.MULTICLASS:
        self.assertIn(example['truth'], tiny.CLASSES)
      elif kind == types.REGRESSION:
        self.assertIsInstance(example['truth'], float)


class PictureTest(parameterized.TestCase):
  @parameterized.parameters((1, np.uint8), (3, np.uint8), (1, np.uint16))
  def test_large_images_are_made_smaller(self, channels, dtype):
    full = np.iinfo(dtype).max
    image = np.full((600, 300, channels), full, dtype)
    data = base64.b64decode(examples._png(image))
    picture = Image.open(io.BytesIO(data))
    self.assertEqual(picture.size, (128, 256))
    self.assertTrue((np.asarray(picture) == 255).all())

  def test_a_place_in_words(self):
    values = np.zeros((9, 9))
    values[8, 0] = 2.0
    self.assertEqual(
      examples._extreme(values, np.argmax(values)),
      {'value': 2.0, 'place': 'lower left'},
    )


if __name__ == '__main__':
  absltest.main()
