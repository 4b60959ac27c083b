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

  def test_the_best_single_and_the_best_of_each_strategy(self):
    shown = choices.shown(self.summary)
    self.assertIn(self.summary['best_single']['arm'], shown)
    self.assertContainsSubset(samples.FUSIONS, shown)

  def test_another_modality_than_the_best_has_an_arm(self):
    """Told by what arms see, not by how they are called."""
    arms = self.summary['arms']
    for arm in samples.SINGLES:
      seen = 'image' if arm == 'image' else 'ehr'
      arms[f'x_{seen}_{arm}'] = {**arms.pop(arm), 'modalities': [seen]}
    self.summary['arms'] = dict(reversed(arms.items()))
    self.summary['best_single']['arm'] = 'x_ehr_ehr_trees'
    shown = choices.shown(self.summary)
    self.assertIn('x_ehr_ehr_trees', shown)
    self.assertIn('x_image_image', shown)
    self.assertNotIn('x_ehr_ehr', shown)

  def test_arms_without_room_are_named(self):
    arms = self.summary['arms']
    for k in range(3):
      arms[f'other_{k}'] = {**arms['joint'], 'strategy': f's{k}'}
    shown = choices.shown(self.summary)
    out = choices.crowded_out(self.summary)
    self.assertLen(shown, choices.MOST)
    self.assertNotEmpty(out)
    self.assertEmpty(set(shown) & set(out))

  def test_a_fusion_arm_as_the_reference_is_shown_once(self):
    self.summary['best_single']['arm'] = 'joint'
    shown = choices.shown(self.summary)
    self.assertLen(set(shown), len(shown))
    self.assertIn('joint', shown)

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
    self.summary['best_single']['arm'] = None
    self.assertIsNone(choices.main_arm({**self.summary, 'question': None}))
    self.assertEqual(
      choices.shown({**self.summary, 'question': None}),
      list(self.summary['arms']),
    )


if __name__ == '__main__':
  absltest.main()
