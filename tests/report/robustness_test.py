import copy

from absl.testing import absltest

from fusion_jax.report import robustness, text
from tests.report import parts, samples


class RobustnessTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = parts.rich(samples.sample())

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def test_missing_has_a_panel_for_each_way(self):
    found = robustness.missing_series(self.summary, ['joint', 'image'])
    self.assertEqual(
      list(found),
      [
        ('image', 'random'),
        ('image', 'informative'),
        ('ehr', 'random'),
        ('ehr', 'informative'),
      ],
    )
    points = found['ehr', 'random']['joint']
    self.assertEqual([p.x for p in points], [0, 0.25, 0.5, 0.75, 1])
    entry = self.summary['missing'][14]['arms']['joint']
    self.assertEqual(points[4].number, text.number(entry))

  def test_missing_in_training_is_a_panel_of_its_own(self):
    rows = self.summary['missing'] = self.summary['missing'][:5]
    again = copy.deepcopy(rows)
    for row in rows:
      row.update(train_modality=None, train_rate=0.0)
    for row in again:
      row.update(train_modality='image', train_rate=0.5)
    rows += again
    self.assertEqual(
      list(robustness.missing_series(self.summary, ['joint'])),
      [
        ('image', 'random'),
        ('image', 'random', 'trained without image in 50%'),
      ],
    )

  def test_learning_is_by_patients_where_known(self):
    size, found = robustness.learning_series(self.summary, ['joint'])
    self.assertEqual(size, 'patients')
    self.assertEqual([p.x for p in found[()]['joint']], [100, 200, 400, 800])
    for row in self.summary['learning_curve']:
      del row['patients']
    size, found = robustness.learning_series(self.summary, ['joint'])
    self.assertEqual((size, found[()]['joint'][0].x), ('fraction', 0.125))

  def test_tables_hold_every_arm(self):
    for make, count in ((robustness.missing, 20), (robustness.learning, 4)):
      table = make(self.summary)
      self.assertLen(list(table.rows()), count * len(self.summary['arms']))

  def test_tradeoffs(self):
    table = robustness.tradeoffs(self.summary)
    row = next(row for row in table.rows() if row[0].text == 'early_raw')
    self.assertEqual(row[2].value, 27000)
    self.assertEqual(row[-1].text, 'parameters')
    found = robustness.spots(self.summary)
    self.assertEqual(
      list(found), ['parameters', 'training_seconds', 'latency_seconds']
    )
    spot = next(x for x in found['parameters'] if x.arm == 'early_raw')
    self.assertTrue(spot.on_front)
    self.assertEqual((spot.strategy, spot.cost), ('early fusion', 27000))

  def test_a_cost_that_is_unknown_is_not_drawn(self):
    self.summary['tradeoffs']['arms']['joint']['parameters'] = None
    found = [x.arm for x in robustness.spots(self.summary)['parameters']]
    self.assertNotIn('joint', found)

  def test_the_value_of_the_image(self):
    found = robustness.image_series(self.summary, ['joint', 'image'])
    self.assertEqual(list(found), ['joint'])
    entry = self.summary['image_value']['arms']['joint']
    self.assertEqual(
      found['joint'][0].number,
      text.Number(entry['difference'][0], entry['low'][0], entry['high'][0]),
    )
    table = robustness.for_whom(self.summary)
    self.assertIn('.310', table.title)
    self.assertLen(list(table.rows()), 9)

  def test_an_undefined_value_of_the_image(self):
    self.summary['image_value']['arms']['joint'] = {'reason': 'no model'}
    found = robustness.image_series(self.summary, ['joint'])
    self.assertEqual(found, {'joint': []})

  def test_nothing_of_it(self):
    for key in ('missing', 'learning_curve', 'tradeoffs', 'image_value'):
      self.summary[key] = None
    self.assertFalse(robustness.missing(self.summary))
    self.assertFalse(robustness.learning(self.summary))
    self.assertFalse(robustness.tradeoffs(self.summary))
    self.assertFalse(robustness.for_whom(self.summary))
    self.assertEmpty(robustness.missing_series(self.summary, []))
    self.assertEqual(robustness.learning_series(self.summary, []), ('', {}))
    self.assertEmpty(robustness.spots(self.summary))
    self.assertEmpty(robustness.image_series(self.summary, ['joint']))


if __name__ == '__main__':
  absltest.main()
