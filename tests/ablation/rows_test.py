"""Tests of which studies are trained on."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import families, rows
from fusion_jax.core import errors, types
from tests import tiny

KNOWN = families.review(families.USUAL)


class RowsTest(parameterized.TestCase):
  def test_presence_by_arm(self):
    cohort = tiny.cohort(absent=True)
    image = rows.present(KNOWN['image'], cohort)
    np.testing.assert_array_equal(image, cohort.present['image'])
    self.assertTrue(rows.present(KNOWN['joint'], cohort).all())

  def test_usable_rows_see_something_and_have_a_label(self):
    cohort = tiny.cohort(absent=True)
    labels = cohort.labels.copy()
    labels[6] = np.nan
    cohort = dataclasses.replace(cohort, labels=labels)
    found = rows.usable(KNOWN['image'], cohort, np.arange(5, 9))
    np.testing.assert_array_equal(found, [7, 8])  # 5 has no image, 6 no label
    found = rows.usable(KNOWN['joint'], cohort, np.arange(5, 9))
    np.testing.assert_array_equal(found, [5, 7, 8])

  @parameterized.parameters(*types.TASK_KINDS)
  def test_sound_labels_pass(self, kind):
    cohort = tiny.cohort(kind=kind)
    rows.check_labels(cohort, np.arange(len(cohort)), 'training')

  @parameterized.parameters(
    (types.BINARY, [1.0], "one class only \\('y' = 1\\) in 8 studies"),
    (types.MULTICLASS, [2.0], "one class only \\('c'\\)"),
    (types.MULTILABEL, [1.0, np.nan], 'one class only in every label'),
    (types.REGRESSION, [5.0], "one value only \\('y' = 5\\)"),
    (types.SURVIVAL, [1.0, 0.0], "no event in 'event'"),
    (types.BINARY, [np.nan], 'no study with a known label'),
  )
  def test_nothing_to_learn(self, kind, label, message):
    cohort = tiny.cohort(8, kind=kind)
    cohort.labels[:] = label
    with self.assertRaisesRegex(
      errors.UserError, f'^The training part .*{message}'
    ):
      rows.check_labels(cohort, np.arange(8), 'training')


if __name__ == '__main__':
  absltest.main()
