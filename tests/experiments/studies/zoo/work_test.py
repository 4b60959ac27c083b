import dataclasses
import pathlib
import tempfile
from unittest import mock

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from experiments.studies.zoo import (
  curves,
  grounds,
  quick,
  scores,
  subjects,
  trials,
  work,
)
from fusion_jax.core import errors

SETTING = dataclasses.replace(
  quick.SETTING, n=300, n_five=120, seeds=1, seeds_missing=1, epochs=1
)


class GapsTest(absltest.TestCase):
  def test_all_gaps_are_trained_on_and_nothing_left_is_tested(self):
    trained = work.gaps(SETTING)
    self.assertLen(trained[grounds.COMPLEMENTARY], 5)
    tested = work.with_nothing_left(trained)
    self.assertEqual(tested[grounds.SYNERGY], [grounds.WHOLE])
    more = tested[grounds.COMPLEMENTARY][5:]
    self.assertEqual([x.modality for x in more], ['image', 'ehr'])
    self.assertEqual({x.share for x in more}, {1.0})


@pytest.mark.slow
class WorkTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(tempfile.mkdtemp())
    self.enter_context(mock.patch.object(quick, 'STEPS', 5))

  def _work(self, told=None, setting=SETTING):
    tell = (told if told is not None else []).append
    return work.Work(self.folder, setting, tell, small=True)

  def test_rows_are_measured_once(self):
    first, again, other = [], [], []
    (rule,) = subjects.chosen(['rule:mean'])
    row = self._work(first).row(rule, work.TWO)
    self.assertEqual(
      first, ['two: rule:mean', 'two: single:image', 'two: single:ehr']
    )
    self.assertLen(row['gained'], 12)
    self.assertEqual(self._work(again).row(rule, work.TWO), row)
    self.assertEmpty(again)
    self.assertEqual(
      self._work().merged([rule])['rule:mean']['gained'], row['gained']
    )
    # Of other sizes it is another row.
    changed = dataclasses.replace(SETTING, share=0.4)
    self._work(other, changed).row(rule, work.TWO)
    self.assertLen(other, 3)

  def test_five_modalities(self):
    (subject,) = subjects.chosen(['combiner:concat'])
    row = self._work().row(subject, work.FIVE)
    self.assertBetween(row['five']['auroc'], 0.3, row['five']['oracle'])
    self.assertGreater(row['parameters'], 1000)

  def test_both_forms_predict_the_same_rows(self):
    """Fleets that stop by themselves, and one program of a few steps."""
    (subject,) = subjects.chosen(['combiner:additive'])
    at = self._work()
    ground = at.ground(work.TWO)
    cells = trials.cells(
      work.gaps(SETTING), {grounds.SYNERGY: 1, grounds.COMPLEMENTARY: 1}
    )
    small = at.trial(subject, work.TWO)
    full = trials.run(subject, ground, SETTING, cells, {})
    self.assertEqual([*small.logits], cells)
    for cell in cells:
      known = ~np.isnan(full.logits[cell])
      np.testing.assert_array_equal(known, ~np.isnan(small.logits[cell]))
      self.assertTrue(known[ground.test(cell.world)].all())
    self.assertFalse(np.isnan(scores.synergy(ground, full).auroc))


@pytest.mark.slow
class CurvesTest(absltest.TestCase):
  def test_of_a_late_rule(self):
    (rule,) = subjects.chosen(['rule:mean'])
    found = curves.measure(
      rule, SETTING, modality='ehr', mechanism=grounds.INFORMATIVE
    )
    self.assertEqual(found.auroc.shape, (4, 5))
    self.assertFalse(np.isnan(found.auroc).any())
    # Without the record the mean is the image's own prediction.
    np.testing.assert_allclose(found.auroc[:, -1], found.single)
    folder = pathlib.Path(tempfile.mkdtemp())
    table, picture = curves.write(found, folder)
    self.assertIn('| train \\ test | 0% | 25% |', table.read_text())
    self.assertIn('share of test studies', picture.read_text())

  def test_names_are_checked(self):
    (rule,) = subjects.chosen(['rule:mean'])
    for name, options in (
      ('ehr', {'modality': 'eh', 'mechanism': 'random'}),
      ('random', {'modality': 'ehr', 'mechanism': 'randm'}),
    ):
      with self.assertRaisesRegex(errors.UserError, f"mean '{name}'"):
        curves.measure(rule, SETTING, **options)


if __name__ == '__main__':
  absltest.main()
