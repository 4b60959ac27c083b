"""Tests of fusion_jax.report.plan."""

import csv
import io

from absl.testing import absltest, parameterized

from fusion_jax.report import plan as plan_report
from fusion_jax.report import tables


def need(verdict, patients, **changed):
  return {
    'arm': 'joint',
    'verdict': verdict,
    'gain': 0.03 if verdict == 'superior' else 0.0,
    'patients': patients,
    'studies': patients and 2 * patients,
    'smaller_class': patients and patients // 5,
    **changed,
  }


def plan(**changed):
  """What `planning.to_dict` makes of a plan."""
  superior, equivalent = need('superior', 1500), need('equivalent', 4000)
  return {
    'metric': 'auroc',
    'margin': 0.02,
    'power': 0.8,
    'reference': 'best_single',
    'folds': 5,
    'singles': {'image': {'behind_best': 0.0}, 'ehr': {'behind_best': 0.02}},
    'fusions': ['joint', 'late'],
    'factor': 1.25,
    'standard_errors_to_bounds': {
      'low': 2.16,
      'high': 2.44,
      'low90': 1.8,
      'high90': 2.1,
    },
    'needs': [superior, equivalent],
    'superior': superior,
    'equivalent': equivalent,
    'curve': [
      {
        **need('', n),
        'superior': min(1.0, n / 2000),
        'equivalent': n / 5000,
      }
      for n in range(100, 4100, 100)
    ],
    'notes': ['a note.'],
    **changed,
  }


class TablesTest(absltest.TestCase):
  def test_needs(self):
    rows = list(
      csv.DictReader(io.StringIO(tables.to_csv(plan_report.needs(plan()))))
    )
    self.assertEqual([r['patients'] for r in rows], ['1500', '4000'])
    self.assertEqual([r['smaller class'] for r in rows], ['300', '800'])

  def test_undefined_has_its_reason(self):
    missing = need('equivalent', None, reason='no margin is given')
    shown = plan(needs=[need('superior', 1500), missing], equivalent=None)
    text = tables.to_csv(plan_report.needs(shown))
    self.assertIn('no margin is given', text)
    self.assertNotIn('None', text)

  def test_short_curve_keeps_what_was_planned(self):
    full, short = (
      [r[0].value for r in plan_report.curve(plan(), short=x).rows()]
      for x in (False, True)
    )
    self.assertLen(full, 40)
    self.assertLess(len(short), 12)
    self.assertContainsSubset([1500, 4000], short)

  def test_without_classes(self):
    shown = plan()
    for x in (*shown['needs'], *shown['curve']):
      x['smaller_class'] = None
    self.assertNotIn('smaller', tables.to_csv(plan_report.needs(shown)))
    self.assertNotIn('smaller', plan_report.needs(shown).note)
    self.assertEmpty(plan_report.warnings(shown))


class FigureTest(absltest.TestCase):
  def test_lines(self):
    drawn = plan_report.figure(plan())
    self.assertIn('superior, +.030 gain', drawn.svg)
    self.assertIn('equivalent, no gain', drawn.svg)
    self.assertIn('power 0.8 with 1,500 patients', drawn.details)

  def test_nothing_to_draw(self):
    shown = plan(superior=None, equivalent=None, curve=[])
    self.assertIsNone(plan_report.figure(shown))


class ExplanationsTest(parameterized.TestCase):
  def test_each_number(self):
    text = ' '.join(plan_report.explanations(plan()))
    for words in (
      "of 100 studies with 1,500 patients, 80 would call 'joint' superior",
      '+.030 over image, +.050 over ehr',
      "as good as the best single modality, 'image'",
      'within 0.02 of 0',
      'corrected for 2 arms and 2 single modalities',
      '1.25 times',
      'patients by 1.56',
      'a note.',
    ):
      self.assertIn(words, text)

  def test_one_single_and_one_part(self):
    shown = plan(singles={'ehr': {'behind_best': 0.0}}, factor=1.0)
    text = ' '.join(plan_report.explanations(shown))
    self.assertIn("as good as 'ehr': the 90% bounds of its difference", text)
    self.assertNotIn('factor', text)

  @parameterized.parameters(
    (40, 1, 'superior: 40 patients in the smaller class. Below 50'),
    (60, 10, 'superior: 6.0 patients of the smaller class in each test part'),
    (60, 5, ''),
  )
  def test_warnings(self, fewest, folds, message):
    shown = plan(
      superior=need('superior', 300, smaller_class=fewest), folds=folds
    )
    self.assertStartsWith(' '.join(plan_report.warnings(shown)), message)
    self.assertEqual(bool(plan_report.warnings(shown)), bool(message))


if __name__ == '__main__':
  absltest.main()
