import copy

from absl.testing import absltest

from fusion_jax.report import choices
from tests.report import samples


class ChoicesTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = samples.sample()

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def test_references_and_the_best_of_each_strategy(self):
    found = choices.shown(self.summary)
    references = {x['arm'] for x in self.summary['best_single']['by_fold']}
    self.assertContainsSubset(references, found)
    self.assertContainsSubset(samples.FUSIONS, found)

  def test_a_modality_that_was_never_the_best_has_an_arm(self):
    """Told by what arms see, not by how they are called."""
    arms = self.summary['arms']
    for arm in samples.SINGLES:
      seen = 'image' if arm == 'image' else 'ehr'
      arms[f'x_{seen}_{arm}'] = {**arms.pop(arm), 'modalities': [seen]}
    self.summary['arms'] = dict(reversed(arms.items()))
    for fold in self.summary['best_single']['by_fold']:
      fold['arm'] = 'x_ehr_ehr_trees'
    found = choices.shown(self.summary)
    self.assertIn('x_ehr_ehr_trees', found)
    self.assertIn('x_image_image', found)
    self.assertNotIn('x_ehr_ehr', found)

  def references(self, names, **options):
    self.summary['best_single']['by_fold'] = [
      {'repeat': 0, 'fold': k, 'arm': arm} for k, arm in enumerate(names)
    ]
    for arm in names:
      self.summary['arms'].setdefault(
        arm, {**self.summary['arms']['ehr'], **options}
      )

  def test_every_reference_where_there_is_room(self):
    self.references(samples.SINGLES)
    self.assertCountEqual(
      choices.shown(self.summary), (*samples.SINGLES, *samples.FUSIONS)
    )
    self.assertEmpty(choices.crowded_out(self.summary))
    self.references(['a', 'a', *samples.SINGLES, 'b', 'b'])
    found = choices.shown(self.summary)
    self.assertContainsSubset(('a', 'b', *samples.FUSIONS), found)
    self.assertLen(found, choices.MOST)
    out = choices.crowded_out(self.summary)
    self.assertCountEqual(
      (*found, *out), ('a', 'b', *samples.SINGLES, *samples.FUSIONS)
    )

  def test_fewer_strategies_leave_room_for_references(self):
    for arm in samples.FUSIONS[1:]:
      del self.summary['arms'][arm]
    self.summary['question'] = None
    self.references([*samples.SINGLES, 'a', 'b', 'c'])
    found = choices.shown(self.summary)
    self.assertEqual(found, [*samples.SINGLES, 'a', 'b', 'early_raw'])
    self.assertEqual(choices.crowded_out(self.summary), ['c'])

  def test_a_fusion_arm_as_the_reference_is_shown_once(self):
    self.references(['joint'])
    found = choices.shown(self.summary)
    self.assertLen(set(found), len(found))
    self.assertIn('joint', found)

  def test_a_strategy_is_not_read_from_a_name(self):
    arms = self.summary['arms']
    arms['joint_other'] = arms['joint']
    found = choices.shown(self.summary)
    self.assertContainsSubset(('joint', 'joint_other'), found)
    arms['joint_other'] = {**arms['joint'], 'strategy': 'joint'}
    arms['joint'] = arms['joint_other']
    found = choices.shown(self.summary)
    self.assertLen({'joint', 'joint_other'} & {*found}, 1)

  def test_at_most_six_and_the_main_one_among_them(self):
    arms = self.summary['arms']
    for k in range(9):
      arms[f's{k}_x'] = {**arms['joint'], 'strategy': 'early'}
      arms[f'other{k}'] = arms['joint']
    self.summary['question'] = {'arm': 's8_x', 'verdict': 'superior'}
    found = choices.shown(self.summary)
    self.assertLessEqual(len(found), choices.MOST)
    self.assertIn('s8_x', found)

  def test_the_main_arm_is_the_question_s_or_the_best(self):
    self.summary['question'] = {'arm': 'late_mean'}
    self.assertEqual(choices.main_arm(self.summary), 'late_mean')
    self.summary['question'] = {'arm': None}
    values = {
      a: self.summary['arms'][a]['metrics']['auroc']['estimate']
      for a in samples.FUSIONS
    }
    self.assertEqual(
      choices.main_arm(self.summary), max(values, key=values.get)
    )

  def test_lower_may_be_better(self):
    summary = samples.sample(metric='brier')
    summary['question'] = None
    values = {
      a: summary['arms'][a]['metrics']['brier']['estimate']
      for a in samples.FUSIONS
    }
    self.assertEqual(choices.main_arm(summary), min(values, key=values.get))

  def test_neither_single_nor_fusion(self):
    for entry in self.summary['arms'].values():
      entry['role'] = 'other'
    for fold in self.summary['best_single']['by_fold']:
      fold['arm'] = None
    self.assertIsNone(choices.main_arm({**self.summary, 'question': None}))
    self.assertEqual(
      choices.shown({**self.summary, 'question': None}),
      list(self.summary['arms']),
    )


if __name__ == '__main__':
  absltest.main()
