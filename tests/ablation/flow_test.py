"""Tests of the flow of studies."""

import dataclasses

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import flow
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.data import splits
from tests import tiny
from tests.ablation import runner_test


class StepsTest(absltest.TestCase):
  def test_from_rows_to_modalities(self):
    cohort = dataclasses.replace(
      tiny.cohort(100, absent=True),
      steps=(
        cohort_lib.Step('read', 120, 110, 55),
        cohort_lib.Step('excluded', 20, 10, 5, 'dx = x: why'),
        cohort_lib.Step('kept', 100, 100, 50),
      ),
    )
    self.assertEqual(
      [
        (x['step'], x['rows'], x['studies'], x['patients'], x['reason'])
        for x in flow.steps(cohort)
      ],
      [
        ('rows read', 120, 110, 55, ''),
        ('excluded', 20, 10, 5, 'dx = x: why'),
        ('kept', 100, 100, 50, ''),
        ('studies', None, 100, 50, ''),
        ('without image', None, 20, 20, ''),
        ('without record', None, 20, 20, ''),
        ('with all modalities', None, 60, 40, ''),
      ],
    )

  def test_unknown_labels_are_counted(self):
    cohort = tiny.cohort(100, kind='multilabel')
    unknown = int(np.isnan(cohort.labels).any(axis=1).sum())
    last = flow.steps(cohort)[-1]
    self.assertEqual(
      (last['step'], last['studies']), ('with an unknown label', unknown)
    )


class PartsTest(parameterized.TestCase):
  @parameterized.parameters('binary', 'multiclass', 'survival', 'regression')
  def test_sizes(self, kind):
    cohort = tiny.cohort(40, kind=kind)
    rows = np.arange(40)
    split = splits.Split(1, 2, rows[:20], rows[20:30], rows[30:])
    (entry,) = flow.parts(cohort, [split])
    self.assertEqual((entry['repeat'], entry['fold']), (1, 2))
    self.assertEqual(
      [entry[x]['studies'] for x in ('train', 'valid', 'test')], [20, 10, 10]
    )
    self.assertEqual(entry['train']['patients'], 10)
    events = {
      'binary': lambda: int(cohort.labels[30:, 0].sum()),
      'survival': lambda: int(cohort.labels[30:, 1].sum()),
      'regression': lambda: None,
      'multiclass': lambda: {
        x: int((cohort.labels[30:, 0] == k).sum())
        for k, x in enumerate(tiny.CLASSES)
      },
    }
    self.assertEqual(entry['test']['events'], events[kind]())


class DivisionTest(runner_test.RunnerTestCase):
  def test_the_command_and_the_summary_say_how_folds_were_made(self):
    cohort = tiny.cohort()
    patient = np.unique(cohort.patient, return_inverse=True)[1]
    cohort = dataclasses.replace(cohort, fold=patient % 5)
    report, _, shown = runner_test.run(
      self.path, cohort=cohort, arms='run_arms=ehr_linear'
    )
    found = report.summary['cohort']['division']
    self.assertIn('the 5 folds', found)
    self.assertIn(f'2 folds: {found}', runner_test.one_line(shown))


if __name__ == '__main__':
  absltest.main()
