"""Tests of what is kept and said of the studies that are shown."""

import base64
import csv
import io
import json
import stat
from unittest import mock

import numpy as np
from absl.testing import absltest, parameterized
from PIL import Image

from fusion_jax.ablation import examples, external, repairs
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors, types
from fusion_jax.data import reader
from tests import tiny
from tests.ablation import runner_test

ARMS = 'run_arms=ehr_linear,image_pca,early_pca'


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
    self.assertEqual([x['kind'] for x in found['groups']], [*repairs.KINDS])
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
      self.assertEqual(set(example['thresholds']), set(example['scores']))
      for name, least in example['thresholds'].items():
        # Right with fusion, or without.
        repaired = (line['kind'] == 'repaired') == (name == 'early_pca')
        called = example['scores'][name] >= least
        self.assertEqual(called == (cohort.labels[row, 0] == 1), repaired)
      self.assertEqual(example['models'], 1)
      # Three columns, the one that matters first.
      self.assertEqual(example['record'][0]['column'], 'lab')
      self.assertLen(example['record'], 3)
      value = example['record'][0]['value']
      np.testing.assert_equal(
        np.nan if value is None else value, tiny.numeric(cohort)[row, 0]
      )
      if tiny.image_mask(cohort)[row].any():
        data = base64.b64decode(example['image'])
        pixels = np.asarray(Image.open(io.BytesIO(data)))
        np.testing.assert_array_equal(
          pixels, tiny.images(cohort)[row, 0, ..., 0]
        )
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
