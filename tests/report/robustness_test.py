import copy

from absl.testing import absltest

from fusion_jax.report import facts, glossary, robustness, text
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

  def table(self, make):
    return make(self.summary, facts.of(self.summary))

  def test_tables_hold_every_arm(self):
    for make, count in ((robustness.missing, 20), (robustness.learning, 4)):
      table = self.table(make)
      self.assertLen(list(table.rows()), count * len(self.summary['arms']))

  def test_legends_say_how_these_numbers_were_made(self):
    self.summary['evaluation']['factor'] = {'value': 1.1, 'shared': True}
    for row in self.summary['missing']:
      row['replicates'] = 500
    table = self.table(robustness.missing)
    self.assertNotIn('replicates', [x.title for x in table.columns])
    found = glossary.meanings(table, facts.of(self.summary))
    text = ' '.join(y for _, y in found)
    self.assertIn('patients redrawn 500 times', text)
    self.assertIn('without a factor', text)
    for words in ('times 1.1', 'max-t', 'redrawn 2000', 'bounds hold for all'):
      self.assertNotIn(words, text)
    self.assertIn('differ from these at a rate of 0', table.note)
    table = self.table(robustness.learning)
    text = ' '.join(
      y for _, y in glossary.meanings(table, facts.of(self.summary))
    )
    self.assertIn('trained on the same share', text)
    self.assertNotIn('times 1.1', text)
    self.assertIn('the numbers of the first table', table.note)

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

  def test_tradeoffs_say_what_was_measured_where(self):
    self.summary['tradeoffs']['note'] = 'Latency is of one study.'
    run = self.summary['run']
    run |= {'device': 'GPU', 'processor': 'fast'}
    note = robustness.tradeoffs(self.summary).note
    self.assertIn('Latency is of one study.', note)
    self.assertIn('Device: GPU; processor: fast.', note)
    for entry in self.summary['tradeoffs']['arms'].values():
      entry['latency_seconds'] = None
    self.assertNotIn('Device', robustness.tradeoffs(self.summary).note)

  def test_a_cost_that_is_unknown_is_not_drawn_and_says_why(self):
    self.summary['tradeoffs']['arms']['joint'].update(
      parameters=None, parameters_reason='nobody counted them'
    )
    found = [x.arm for x in robustness.spots(self.summary)['parameters']]
    self.assertNotIn('joint', found)
    table = robustness.tradeoffs(self.summary)
    row = next(row for row in table.rows() if row[0].text == 'joint')
    self.assertEqual(row[2].text, text.UNDEFINED)
    self.assertEqual(row[2].reason, 'nobody counted them')
    self.assertEqual(table.note, '')

  def test_an_arm_on_every_front(self):
    front = ['parameters', 'training_seconds', 'latency_seconds']
    self.summary['tradeoffs']['arms']['joint']['front'] = front
    table = robustness.tradeoffs(self.summary)
    row = next(row for row in table.rows() if row[0].text == 'joint')
    self.assertEqual(row[-1].text, 'all of them')

  def test_costs_that_no_arm_has_are_no_columns_and_say_why(self):
    for entry in self.summary['tradeoffs']['arms'].values():
      for cost in ('flops', 'latency_seconds'):
        entry |= {cost: None, f'{cost}_reason': 'it was not measured'}
    table = robustness.tradeoffs(self.summary)
    self.assertEqual(
      [c.title for c in table.columns[2:-1]], ['parameters', 'time of training']
    )
    self.assertEqual(
      table.note,
      'Not known: FLOPs of one prediction, time of one prediction, as it was '
      'not measured.',
    )

  def test_without_any_cost_there_is_no_table_of_them(self):
    for entry in self.summary['tradeoffs']['arms'].values():
      for cost in robustness.COSTS:
        entry[cost] = None
    self.assertFalse(robustness.tradeoffs(self.summary))

  def test_a_share_that_is_undefined_says_why(self):
    part = self.summary['image_value']['for_whom'][0]['arms']['joint']
    part.update(changed=0.0, improved=None, improved_reason='nothing changes')
    table = robustness.for_whom(self.summary)
    row = next(row for row in table.rows() if row[0].text == 'joint')
    self.assertEqual((row[4].text, row[4].reason), ('n/a', 'nothing changes'))

  def test_an_arm_without_an_estimate_says_why(self):
    self.summary['tradeoffs']['arms']['joint'].update(
      estimate=None, reason='one class'
    )
    table = robustness.tradeoffs(self.summary)
    row = next(row for row in table.rows() if row[0].text == 'joint')
    self.assertEqual((row[1].text, row[1].reason), ('n/a', 'one class'))

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
    self.assertFalse(self.table(robustness.missing))
    self.assertFalse(self.table(robustness.learning))
    self.assertFalse(robustness.tradeoffs(self.summary))
    self.assertFalse(robustness.for_whom(self.summary))
    self.assertEmpty(robustness.missing_series(self.summary, []))
    self.assertEqual(robustness.learning_series(self.summary, []), ('', {}))
    self.assertEmpty(robustness.spots(self.summary))
    self.assertEmpty(robustness.image_series(self.summary, ['joint']))


if __name__ == '__main__':
  absltest.main()
