import copy

from absl.testing import absltest

from fusion_jax.report import checklists
from tests.report import parts, samples


class ChecklistsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.plain = parts.bare(samples.sample(missing=True))
    cls.rich = parts.rich(cls.plain)

  def items(self, summary, curves=None):
    return {
      (x.name, item.number or item.label): item.answer
      for x in checklists.build(summary, curves)
      for item in x.items
    }

  def test_all_items_are_there_once(self):
    tripod, claim, probast = checklists.build(self.plain)
    self.assertEqual(
      [tripod.name, claim.name, probast.name],
      ['TRIPOD+AI', 'CLAIM 2024', 'PROBAST+AI'],
    )
    numbers = [x.number for x in tripod.items]
    self.assertLen(set(numbers), 52)
    self.assertLen(numbers, 52)
    self.assertEqual(
      {int(x.rstrip('abcdefg')) for x in numbers}, {*range(1, 28)}
    )
    for checklist in (tripod, claim, probast):
      labels = [x.label for x in checklist.items]
      self.assertLen(set(labels), len(labels))

  def test_every_answer_is_asked_for(self):
    """And every one that is asked for can be given by some run."""
    own = copy.deepcopy(self.rich)
    own['run'] |= {'config_digest': 'abc', 'versions': {'jax': '1'}}
    own['cohort'] |= {'citation': 'Doe', 'licence': 'CC BY'}
    own['audits']['tuning'] = {'trials': 2, 'chosen_by': 'validation loss'}
    curves = parts.curves(own)
    given = {name for name, f in checklists.ANSWERS.items() if f(own, curves)}
    own['audits']['external'] = {'trained_on': 'elsewhere'}
    given |= {name for name, f in checklists.ANSWERS.items() if f(own, curves)}
    self.assertEqual(given, set(checklists.ANSWERS))

  def test_what_no_run_knows_is_for_the_authors(self):
    found = self.items(self.rich, parts.curves(self.rich))
    for item in (
      '2',
      '3c',
      '5b',
      '6b',
      '8a',
      '12d',
      '23b',
      '8c',
      '17',
      '18a',
      '19',
      '25',
      '26',
      '18f',
    ):
      self.assertEqual(found['TRIPOD+AI', item], '')
    for (name, label), answer in found.items():
      if name == 'PROBAST+AI' and label.startswith(('Outcome', 'Applic')):
        self.assertEqual(answer, '')

  def test_nothing_is_answered_that_was_not_run(self):
    found = self.items(self.plain)
    for item in ('12d', '12f', '14', '18d', '23b', '24', '27a'):
      self.assertEqual(found['TRIPOD+AI', item], '')
    rich = self.items(self.rich)
    for item in ('14', '18d', '24', '27a'):
      self.assertNotEqual(rich['TRIPOD+AI', item], '')

  def test_other_people_s_models_answer_less(self):
    own = copy.deepcopy(self.plain)
    own['run']['config_digest'] = 'abc'
    ours, theirs = self.items(own), self.items(self.plain)
    self.assertNotEqual(ours['TRIPOD+AI', '12a'], '')
    self.assertEqual(theirs['TRIPOD+AI', '12a'], '')
    several = 'Analysis: several studies of a patient accounted for'
    self.assertIn('one part', ours['PROBAST+AI', several])
    self.assertNotIn('one part', theirs['PROBAST+AI', several])

  def test_how_many_there_are_is_no_reason_for_how_many(self):
    few = copy.deepcopy(self.plain)
    few['question'] = {'verdict': 'inconclusive'}
    self.assertEqual(self.items(few)['TRIPOD+AI', '10'], '')

  def test_other_people_s_risk_scores_are_no_hazards(self):
    survival = copy.deepcopy(self.plain)
    survival['task'] = {**survival['task'], 'kind': 'survival'}
    self.assertNotIn('hazard', self.items(survival)['TRIPOD+AI', '15'])

  def test_patients_that_are_not_known_are_no_clusters(self):
    key = ('PROBAST+AI', 'Analysis: several studies of a patient accounted for')
    self.assertNotEqual(self.items(self.plain)[key], '')
    alone = copy.deepcopy(self.plain)
    alone['cohort']['patients'] = alone['cohort']['studies']
    self.assertEqual(self.items(alone)[key], '')


if __name__ == '__main__':
  absltest.main()
