"""Tests of the sections of survival and regression tasks."""

import copy
import csv
import io

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import (
  config,
  folds,
  resampling,
  residuals,
  risk_groups,
)
from fusion_jax.evaluation import predictions as predictions_lib
from fusion_jax.report import bundle, pictures_time, tables
from fusion_jax.report import html as html_lib
from tests.report import reader, samples

ARMS = ('joint', 'ehr')


def pictures(kind):
  """What curves.json holds of two arms of the sample."""
  table = samples.table(kind)
  test = folds.arrange(table)
  valid = folds.arrange(table, predictions_lib.VALID)
  drawn = resampling.draw_folds(test, config.EvaluationConfig(replicates=99))
  if kind == types.REGRESSION:
    of = {'residuals': {a: residuals.points(table.task, test, a) for a in ARMS}}
  else:
    of = {
      'risk_groups': {
        a: risk_groups.survival(table.task, test, valid, a, drawn) for a in ARMS
      },
      'auroc_over_time': {
        a: risk_groups.auroc_over_time(table.task, test, a, drawn) for a in ARMS
      },
    }
  return {'pictures': {'arms': list(ARMS), **of}}


def rows(table):
  return list(csv.DictReader(io.StringIO(tables.to_csv(table))))


class PicturesTimeTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.made = {
      kind: (samples.sample(kind), pictures(kind))
      for kind in (types.SURVIVAL, types.REGRESSION)
    }

  def of(self, kind):
    return copy.deepcopy(self.made[kind])

  def test_survival_by_risk(self):
    summary, curves = self.of(types.SURVIVAL)
    summary['cohort']['time_unit'] = 'days'
    section = pictures_time.risk_groups(summary, curves)
    self.assertEqual(
      [x.name for x in section.figures],
      ['risk_groups_joint', 'risk_groups_ehr', 'auroc_over_time'],
    )
    for figure in section.figures:
      self.assertIn('>time (days)</text>', figure.svg)
      self.assertNotEmpty(figure.details)
    kept = curves['pictures']['risk_groups']['joint']
    axes, below = section.figures[0].canvas.axes
    for line, group in zip(axes.lines, kept['groups'], strict=True):
      np.testing.assert_array_equal(line.get_xdata(), group['x'])
      np.testing.assert_array_equal(
        line.get_ydata(), np.array(group['y'], float)
      )
      self.assertEqual(line.get_drawstyle(), 'steps-post')
    shown = [x.get_text() for x in below.texts]
    self.assertEqual(
      shown,
      [f'{round(n)}' for counts in kept['at_risk']['counts'] for n in counts],
    )
    (sizes,) = section.tables
    self.assertEqual(
      sum(float(x['studies']) for x in rows(sizes) if x['group'] == 'joint'),
      120,
    )

  def test_a_unit_that_nobody_tells(self):
    summary, curves = self.of(types.SURVIVAL)
    section = pictures_time.risk_groups(summary, curves)
    self.assertIn('time (unit of the time column)', section.figures[0].svg)

  def test_why_there_are_no_groups(self):
    summary, curves = self.of(types.SURVIVAL)
    for arm in ARMS:
      curves['pictures']['risk_groups'][arm] = {'groups': [], 'reason': 'so'}
    section = pictures_time.risk_groups(summary, curves)
    self.assertEqual(section.lead[0], 'joint: no curves by risk: so.')
    self.assertEqual(
      [x.name for x in section.figures if x], ['auroc_over_time']
    )
    self.assertLen(pictures_time.files(summary, curves), 1)

  def test_a_group_of_nobody(self):
    summary, curves = self.of(types.SURVIVAL)
    group = curves['pictures']['risk_groups']['joint']['groups'][0]
    group |= {'x': [], 'y': [], 'low': [], 'high': [], 'reason': 'nobody'}
    figure = pictures_time.risk_groups(summary, curves).figures[0]
    axes, below = figure.canvas.axes
    self.assertLen(axes.lines, 2)
    self.assertLen(below.get_yticks(), 3)
    self.assertIn('</svg>', figure.svg)

  def test_predicted_and_observed(self):
    summary, curves = self.of(types.REGRESSION)
    section = pictures_time.residuals(summary, curves)
    self.assertEqual(
      [x.name for x in section.figures],
      ['observed_joint', 'observed_ehr', 'residual_joint', 'residual_ehr'],
    )
    kept = curves['pictures']['residuals']['joint']
    for figure, key, slope in zip(
      section.figures[::2], ('observed', 'residual'), (1, 0), strict=True
    ):
      axes = figure.canvas.axes[0]
      drawn = np.concatenate([p.get_path().vertices for p in axes.patches])
      drawn = drawn.reshape(-1, 3, 2)[:, :2].mean(axis=1)
      order = np.lexsort(drawn.T[::-1])
      np.testing.assert_allclose(drawn[order, 0], kept['predicted'], atol=1e-9)
      np.testing.assert_array_equal(np.sort(drawn[:, 1]), sorted(kept[key]))
      self.assertEqual(axes.lines[0].get_slope(), slope)
    first, second = section.figures[:2]
    self.assertEqual(first.canvas.axes[0].axis(), second.canvas.axes[0].axis())
    self.assertEqual(
      first.canvas.axes[0].get_xlim(), first.canvas.axes[0].get_ylim()
    )
    self.assertNotIn('Drawn are', first.caption)

  def test_thinned_is_said(self):
    summary, curves = self.of(types.REGRESSION)
    curves['pictures']['residuals']['joint']['studies'] = 5000
    figure = pictures_time.residuals(summary, curves).figures[0]
    self.assertIn('Drawn are 120 of 5,000 studies', figure.caption)

  @parameterized.parameters(types.SURVIVAL, types.REGRESSION)
  def test_files_hold_every_number(self, kind):
    summary, curves = self.of(kind)
    files = {x.name: rows(x) for x in pictures_time.files(summary, curves)}
    of = curves['pictures']
    if kind == types.REGRESSION:
      (found,) = files.values()
      for key in ('predicted', 'observed', 'residual'):
        self.assertEqual(
          [float(x[key]) for x in found if x['arm'] == 'ehr'],
          of['residuals']['ehr'][key],
        )
      return
    self.assertEqual(
      list(files),
      ['risk_groups_curves', 'risk_groups_at_risk', 'auroc_over_time'],
    )
    self.assertEqual(
      [float(x['AUROC low']) for x in files['auroc_over_time']],
      [y for a in ARMS for y in of['auroc_over_time'][a]['low']],
    )
    self.assertEqual(
      [float(x['at risk']) for x in files['risk_groups_at_risk']],
      [
        n
        for a in ARMS
        for counts in of['risk_groups'][a]['at_risk']['counts']
        for n in counts
      ],
    )
    last = files['risk_groups_curves'][-1]
    self.assertEqual(
      float(last['time (unit of the time column)']),
      of['risk_groups']['ehr']['groups'][-1]['x'][-1],
    )

  @parameterized.parameters(types.SURVIVAL, types.REGRESSION)
  def test_they_are_on_the_page_and_in_the_folder(self, kind):
    summary, curves = self.of(kind)
    text = html_lib.render(summary, curves)
    reader.read(text)
    anchor = 'residuals' if kind == types.REGRESSION else 'risk_groups'
    self.assertIn(f'id="{anchor}"', text)
    self.assertNotIn('STUDY0', text)
    self.assertNotIn('id="residuals"', html_lib.render(summary))
    self.assertNotIn('id="risk_groups"', html_lib.render(summary))
    paths = bundle.contents(summary, curves)
    for path in (
      ['figures/observed_joint.pdf', 'tables/residuals.csv']
      if kind == types.REGRESSION
      else ['figures/risk_groups_joint.svg', 'tables/risk_groups_curves.csv']
    ):
      self.assertIn(path, paths)
    self.assertLess(len(text), 1.5e6)

  def test_arms_that_files_cannot_tell_apart(self):
    summary, curves = self.of(types.REGRESSION)
    of = curves['pictures']['residuals']
    of['JOINT'] = of.pop('ehr')
    section = pictures_time.residuals(summary, curves)
    self.assertLen({x.name for x in section.figures}, 4)

  def test_an_arm_of_that_name(self):
    summary, _ = self.of(types.REGRESSION)
    curves = {'pictures': {'calibration': {'x': [0.1], 'y': [0.2]}}}
    self.assertFalse(pictures_time.residuals(summary, curves))
    self.assertFalse(pictures_time.risk_groups(summary, curves))
    self.assertEqual(pictures_time.files(summary, curves), [])


if __name__ == '__main__':
  absltest.main()
