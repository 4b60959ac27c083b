"""Tests of the forest of the first screen."""

import copy

from absl.testing import absltest

from fusion_jax.report import content, overview, text
from tests.report import parts, reader, samples


class OverviewTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = parts.rich(samples.sample(missing=True))

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def build(self):
    return overview.build(self.summary, content.build(self.summary))

  def rows(self):
    return {row.arm: row for _, rows in self.build().groups for row in rows}

  def test_every_arm_has_one_row_in_the_group_of_its_strategy(self):
    arms = [row.arm for _, rows in self.build().groups for row in rows]
    self.assertCountEqual(arms, self.summary['arms'])
    headings = [heading for heading, _ in self.build().groups]
    self.assertEqual(headings[0], 'single modality')

  def test_strips_show_the_numbers_beside_them(self):
    rows = self.rows()
    for comparison in self.summary['comparisons']:
      row = rows[comparison['arm']]
      self.assertEqual(row.gain.number.estimate, comparison['difference'])
      said = text.interval(row.gain.number, text.Reasons(), signed=True)
      self.assertIn(said, row.strip)
      strip = reader.read(row.strip)
      self.assertEqual(strip.tags.count('circle'), 1)
      self.assertIn('bar', strip.values('class'))

  def test_single_modalities_are_grey_dots_without_bounds(self):
    rows = self.rows()
    for arm in samples.SINGLES:
      self.assertEqual(rows[arm].style, 'single')
      self.assertNotIn('class="bar"', rows[arm].strip)
      self.assertEqual(rows[arm].verdict.text, '')
    best = self.summary['best_single']['arm']
    zero = reader.read(rows[best].strip)
    lines = [dict(x) for tag, x in zero.elements if tag == 'line']
    dot = next(dict(x) for tag, x in zero.elements if tag == 'circle')
    self.assertEqual(dot['cx'], lines[0]['x1'])

  def test_dots_lie_in_the_order_of_their_gains(self):
    def place(row):
      strip = reader.read(row.strip)
      dot = next(dict(x) for tag, x in strip.elements if tag == 'circle')
      return float(dot['cx'].removesuffix('%'))

    rows = self.rows()
    gains = {c['arm']: c['difference'] for c in self.summary['comparisons']}
    self.assertEqual(
      sorted(gains, key=gains.get), sorted(gains, key=lambda a: place(rows[a]))
    )
    for arm in gains:
      self.assertBetween(place(rows[arm]), 0, 100)

  def test_costs_and_slopes_have_columns_where_they_are_known(self):
    found = self.build()
    self.assertTrue(found.with_seconds and found.with_slope)
    # Of training all that an arm needs.
    self.assertEqual(self.rows()['image'].seconds.value, 2.5)
    self.summary['tradeoffs'] = None
    for entry in self.summary['arms'].values():
      entry['cost'] = {}
      del entry['metrics']['calibration_slope'], entry['probabilities']
    found = self.build()
    self.assertFalse(found.with_seconds or found.with_slope)

  def test_miscalibrated_probabilities_are_marked(self):
    self.summary['arms']['joint']['probabilities'] = {
      'miscalibrated': True,
      'slope': 3.9,
      'reasons': ['The slope is 3.9.'],
    }
    row = self.rows()['joint']
    self.assertEqual(row.miscalibrated, 'The slope is 3.9.')
    self.assertEqual(row.slope.value, 3.9)

  def test_the_arm_to_use_is_marked(self):
    used = [arm for arm, row in self.rows().items() if row.use]
    self.assertEqual(used, [self.summary['use']['arm']])
    self.summary['use'].update(advice='single')
    used = [arm for arm, row in self.rows().items() if row.use]
    self.assertEqual(used, [self.summary['use']['single']])
    self.summary['use'].update(advice='none')
    self.assertFalse(any(row.use for row in self.rows().values()))

  def test_without_a_comparison_arms_have_their_own_intervals(self):
    self.summary.update(comparisons=[], gain=None)
    found = self.build()
    self.assertFalse(found.compared)
    self.assertEqual(found.axis_name, 'AUROC')
    for _, rows in found.groups:
      for row in rows:
        self.assertIn('class="bar"', row.strip)
        self.assertNotIn('class="zero"', row.strip)

  def test_no_result_at_all_draws_nothing(self):
    self.summary.update(comparisons=[], gain=None)
    for entry in self.summary['arms'].values():
      entry['metrics']['auroc'] = {
        'estimate': None,
        'low': None,
        'high': None,
        'reason': 'one class',
      }
    self.assertEqual(self.build().axis, '')


if __name__ == '__main__':
  absltest.main()
