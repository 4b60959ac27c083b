"""Tests of what stands beside the comparison of an arm."""

import copy

from absl.testing import absltest

from fusion_jax.core import types
from fusion_jax.report import content, results, side, text
from tests.report import parts, samples


class SideTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = samples.sample()

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def page(self):
    return content.build(self.summary)

  def test_spread_without_values_has_no_column(self):
    self.assertIn('fold sd', side.names(self.page()))
    self.assertNotIn('seed sd', side.names(self.page()))
    self.summary['arms']['joint']['variability']['seed_sd'] = 0.01
    self.assertIn('seed sd', side.names(self.page()))

  def test_values_fit_their_names(self):
    page = self.page()
    row = next(x for x in page.rows() if x.arm == 'joint')
    cells = [x.shown(text.Reasons()) for x in side.values(page, row)]
    shown = dict(zip(side.names(page), cells, strict=True))
    self.assertEqual(shown['params'], '12.3k')
    self.assertEqual((shown['time'], shown['compile']), ('3.5 s', '0.25 s'))
    brier = self.summary['arms']['joint']['metrics']['brier']['estimate']
    self.assertEqual(shown['Brier'], text.plain(brier))

  def test_a_regression_has_no_calibration(self):
    page = content.build(samples.sample(types.REGRESSION))
    self.assertNotIn('Brier', side.names(page))

  def test_columns_without_content_are_not_made_up(self):
    self.summary = parts.rich(self.summary)
    table = results.side(self.page())
    self.assertNotIn('seed sd', [c.title for c in table.columns])
    self.assertEqual(table.title, 'Calibration, spread and cost')
    for entry in self.summary['arms'].values():
      entry.update(cost={}, variability={})
    table = results.side(self.page())
    self.assertEqual(
      [c.title for c in table.columns], ['arm', 'Brier', 'slope']
    )
    self.assertEqual(table.title, 'Calibration')
    for entry in self.summary['arms'].values():
      del entry['metrics']['brier'], entry['metrics']['calibration_slope']
    self.assertEqual(side.title(self.page()), '')
    self.assertFalse(results.side(self.page()))


if __name__ == '__main__':
  absltest.main()
