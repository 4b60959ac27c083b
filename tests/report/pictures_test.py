"""Tests of classes, scores, changed calls and losses on the page."""

import copy
import csv
import io

from absl.testing import absltest, parameterized

from fusion_jax.core import types
from fusion_jax.evaluation import config
from fusion_jax.evaluation import pictures as pictures_lib
from fusion_jax.report import bundle, html, pictures, tables
from tests.report import samples

KINDS = (types.BINARY, types.MULTICLASS, types.REGRESSION, types.SURVIVAL)
CONFIG = config.EvaluationConfig(replicates=99)


def losses():
  model = {
    'repeat': 0,
    'fold': 0,
    'seed': 0,
    'half': None,
    'epochs': [1, 2],
    'train': [1.0, None],
    'valid': [1.0, 0.5],
    'kept': 1,
  }
  return {'joint': [model], 'upstream': [{**model, 'half': 1}], 'none': []}


def rows(table):
  return list(csv.DictReader(io.StringIO(tables.to_csv(table))))


class PicturesTest(parameterized.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.made = {}
    for kind in KINDS:
      summary = samples.sample(kind)
      curves = pictures_lib.beside(
        {}, samples.table(kind), summary=summary, config=CONFIG
      )
      cls.made[kind] = (summary, curves)

  def of(self, kind):
    return copy.deepcopy(self.made[kind])

  @parameterized.parameters(
    (types.BINARY, ['scores', 'reclassification']),
    (types.MULTICLASS, ['confusion']),
    (types.REGRESSION, []),
    (types.SURVIVAL, []),
  )
  def test_what_each_task_has(self, kind, names):
    summary, curves = self.of(kind)
    built = [
      section.name
      for make in (
        pictures.confusion,
        pictures.scores,
        pictures.reclassification,
        pictures.training,
      )
      if (section := make(summary, curves))
    ]
    self.assertEqual(built, names)

  @parameterized.parameters(*KINDS)
  def test_the_page_and_its_files(self, kind):
    summary, curves = self.of(kind)
    curves['training'] = losses()
    contents = bundle.contents(summary, curves)
    self.assertIn('figures/losses.svg', contents)
    self.assertIn('tables/losses.csv', contents)
    page = html.render(summary, curves)
    self.assertIn('id="losses"', page)
    self.assertNotIn('None', page.split('<main', 1)[-1])
    for name, data in contents.items():
      self.assertNotIn(b'STUDY0', data, name)
      self.assertNotIn(b'PATIENT0', data, name)

  def test_counts_in_a_file_are_those_of_the_matrix(self):
    summary, curves = self.of(types.MULTICLASS)
    (table,) = pictures.files(summary, curves)
    arm, x = next(iter(curves['pictures']['confusion'].items()))
    mine = [r for r in rows(table) if r['arm'] == arm]
    self.assertEqual(
      [float(r['studies']) for r in mine], sum(x['counts'], start=[])
    )
    by_class = pictures.confusion(summary, curves).tables[0]
    first = rows(by_class)[0]
    expected = summary['arms'][arm]['metrics']['auroc/a']
    self.assertEqual(float(first['AUROC [95%]']), expected['estimate'])
    self.assertEqual(float(first['AUROC [95%] low']), expected['low'])

  def test_scores_in_a_file_sum_to_all_studies(self):
    summary, curves = self.of(types.BINARY)
    (table,) = pictures.files(summary, curves)
    counted = {}
    for row in rows(table):
      counted.setdefault(row['arm'], 0)
      counted[row['arm']] += float(row['event']) + float(row['no event'])
    self.assertEqual(counted, {a: 120.0 for a in curves['pictures']['scores']})

  def test_arms_share_the_axis_of_scores(self):
    summary, curves = self.of(types.BINARY)
    tops = {
      x.canvas.axes[0].get_ylim()
      for x in pictures.scores(summary, curves).figures
    }
    self.assertLen(tops, 1)

  def test_labels_have_figures_of_their_own(self):
    summary, curves = self.of(types.BINARY)
    for of_arm in curves['pictures']['scores'].values():
      of_arm['a b'] = of_arm['c'] = of_arm.pop('')
    figures = pictures.scores(summary, curves).figures
    self.assertLen({x.name for x in figures}, 4)
    self.assertIn('by a b', figures[0].title)

  def test_counts_come_first_and_the_warning_is_there(self):
    summary, curves = self.of(types.BINARY)
    section = pictures.reclassification(summary, curves)
    self.assertEqual(
      [x.name for x in section.tables],
      ['reclassified', 'net_reclassification'],
    )
    lead = ' '.join(section.lead)
    for name in ('Pencina', 'Kerr', 'Hilden', 'no measure of value'):
      self.assertIn(name, lead)
    counts = curves['pictures']['reclassification']['counts']['event']
    row = rows(section.tables[0])[0]
    single = curves['pictures']['reclassification']['single']
    self.assertEqual(float(row[f'down: {single} alone']), counts['down'])

  def test_calls_at_one_half_are_said(self):
    summary, curves = self.of(types.BINARY)
    moved = curves['pictures']['reclassification']
    lead = ' '.join(pictures.reclassification(summary, curves).lead)
    self.assertNotIn('At .5', lead)
    moved['fallback'] = ["'ehr': nobody knows"]
    lead = ' '.join(pictures.reclassification(summary, curves).lead)
    self.assertIn("At .5 instead: 'ehr': nobody knows.", lead)

  def test_losses_in_a_file(self):
    summary, _ = self.of(types.BINARY)
    (table,) = pictures.files(summary, {'training': losses()})
    found = rows(table)
    self.assertEqual(
      [r['arm'] for r in found], ['joint'] * 2 + ['upstream'] * 2
    )
    self.assertEqual([r['kept'] for r in found[:2]], ['kept', ''])
    self.assertEqual(found[1]['training loss'], '')
    self.assertEqual(found[1]['reason'], 'the loss was not finite')

  def test_modalities_that_were_watched(self):
    summary, _ = self.of(types.BINARY)
    given = losses()
    given['joint'][0] |= {
      'alone': {'ct': [0.7, 0.6], 'labs': [0.7, None]},
      'gradients': {'ct': [1.0, 2.0], 'labs': [0.1, 0.2]},
    }
    _, table = pictures.files(summary, {'training': given})
    found = rows(table)
    self.assertEqual([r['modality'] for r in found], ['ct'] * 2 + ['labs'] * 2)
    self.assertEqual(found[3]['reason'], 'not finite')
    _, figure = pictures.training(summary, {'training': given}).figures
    self.assertEqual(figure.name, 'modalities_by_epoch')
    self.assertIn('of joint', figure.details)
    self.assertLen(
      pictures.training(summary, {'training': losses()}).figures, 1
    )

  def test_an_arm_that_is_called_training_has_no_losses(self):
    summary, _ = self.of(types.BINARY)
    curves = {'training': {'roc': {'x': [0, 1], 'y': [0, 1]}}}
    self.assertFalse(pictures.training(summary, curves))

  def test_nothing_without_curves(self):
    summary, _ = self.of(types.BINARY)
    self.assertFalse(pictures.confusion(summary, {}))
    self.assertFalse(pictures.scores(summary, {}))
    self.assertFalse(pictures.reclassification(summary, {}))
    self.assertFalse(pictures.training(summary, {}))
    self.assertEmpty(pictures.files(summary, {}))


if __name__ == '__main__':
  absltest.main()
