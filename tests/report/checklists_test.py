import copy

from absl.testing import absltest

from fusion_jax.report import checklists, prose
from tests.report import cohort_test, parts, samples


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
    self.assertEqual(
      [x.number for x in claim.items], [str(k) for k in range(1, 45)]
    )
    domains = {'D': (3, 4, 4, 5), 'E': (3, 4, 4, 7)}
    self.assertEqual(
      [x.number for x in probast.items if x.number],
      [
        f'{part}{k}.{n}'
        for part, counts in domains.items()
        for k, count in enumerate(counts, start=1)
        for n in range(1, count + 1)
      ],
    )
    for checklist in (tripod, claim, probast):
      labels = [x.label for x in checklist.items]
      self.assertLen(set(labels), len(labels))

  def test_every_answer_is_asked_for(self):
    """And every one that is asked for can be given by some run."""
    own = copy.deepcopy(self.rich)
    own['run'] |= {'config_digest': 'abc', 'versions': {'jax': '1'}}
    own['cohort'] |= {
      'citation': 'Doe',
      'licence': 'CC BY',
      'table1': cohort_test.TABLE1,
    }
    own['arms']['late_mean']['strategy'] = 'late'
    own['audits']['tuning'] = {'trials': 2, 'chosen_by': 'validation loss'}
    curves = parts.curves(own)
    answers = checklists.answers(own, curves)
    given = {name for name, text in answers.items() if text}
    own['audits']['external'] = {'trained_on': 'elsewhere'}
    external = checklists.answers(own, curves)
    given |= {name for name, text in external.items() if text}
    self.assertEqual(given, set(answers))
    asked = {
      key
      for entry in prose.data('checklists')['checklist']
      for _, _, key, *_ in (x for x in entry['items'] if len(x) > 2)
    }
    # The size stands in the answers to other items.
    self.assertEqual(asked | {'size'}, set(answers))

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
      '10',
      '18d',
    ):
      self.assertEqual(found['TRIPOD+AI', item], '')
    for (name, label), answer in found.items():
      if name == 'PROBAST+AI' and label.startswith(('D3', 'E3')):
        self.assertEqual(answer, '')
    for item in ('17', '21', '34', '36', '44'):
      self.assertEqual(found['CLAIM 2024', item], '')

  def test_nothing_is_answered_that_was_not_run(self):
    found = self.items(self.plain)
    for item in ('12d', '12f', '14', '18c', '23b', '24', '27a'):
      self.assertEqual(found['TRIPOD+AI', item], '')
    rich = self.items(self.rich)
    for item in ('14', '18c', '24', '27a'):
      self.assertNotEqual(rich['TRIPOD+AI', item], '')

  def test_who_was_studied(self):
    own = copy.deepcopy(self.plain)
    self.assertEqual(self.items(own)['TRIPOD+AI', '20b'], '')
    own['cohort'] |= {'table1': cohort_test.TABLE1, 'flow': cohort_test.FLOW}
    given = self.items(own)
    self.assertStartsWith(
      given['TRIPOD+AI', '20b'], 'Table 1 has 3 characteristics, by outcome too'
    )
    for item in (('TRIPOD+AI', '20a'), ('CLAIM 2024', '35')):
      self.assertIn('20 excluded (dx = x: why)', given[item])
      self.assertIn('tested: 120 studies', given[item])

  def test_software_names_the_library_once(self):
    own = copy.deepcopy(self.plain)
    own['run']['versions'] = {'fusion_jax': '1.2', 'jax': '0.9'}
    self.assertEqual(
      self.items(own)['CLAIM 2024', '23'], 'fusion_jax 1.2; jax 0.9'
    )

  def test_other_people_s_models_answer_less(self):
    own = copy.deepcopy(self.plain)
    own['run']['config_digest'] = 'abc'
    ours, theirs = self.items(own), self.items(self.plain)
    self.assertNotEqual(ours['TRIPOD+AI', '12a'], '')
    self.assertEqual(theirs['TRIPOD+AI', '12a'], '')
    self.assertIn('no patient in common', ours['PROBAST+AI', 'E4.5'])
    self.assertEqual(theirs['PROBAST+AI', 'E4.5'], '')

  def test_what_is_answered_in_part_is_not_counted(self):
    tripod = checklists.build(self.rich)[0]
    given = {x.number: x.answer for x in tripod.items if x.answer}
    self.assertEndsWith(given['20a'], checklists.REST)
    whole = [k for k, v in given.items() if not v.endswith(checklists.REST)]
    self.assertEqual(tripod.answered(), len(whole))
    self.assertLess(len(whole), len(given))
    parted = [x.number for x in tripod.items if x.in_part()]
    self.assertCountEqual([*whole, *parted], given)

  def test_metrics_have_their_names(self):
    for item in (('TRIPOD+AI', '12e'), ('CLAIM 2024', '38')):
      answer = self.items(self.plain)[item]
      self.assertIn('PPV', answer)
      self.assertNotIn('_', answer)

  def test_an_alarm_is_counted_once_and_the_impossible_never(self):
    answer = self.items(self.rich)['PROBAST+AI', 'E4.5']
    self.assertStartsWith(answer, '3 audits of shortcuts and leaks, alarm: ')
    self.assertEqual(answer.count('missingness'), 1)

  def test_another_cohort_says_nothing_of_the_training_data(self):
    own = copy.deepcopy(self.rich)
    own['run']['config_digest'] = 'abc'
    own['cohort']['citation'] = 'Doe'
    self.assertIn('Doe', self.items(own)['PROBAST+AI', 'D1.1'])
    own['audits']['external'] = {'trained_on': 'elsewhere'}
    found = self.items(own)
    for item in ('D1.1', 'D4.3', 'E4.5', 'E4.6'):
      self.assertNotIn('Doe', found['PROBAST+AI', item])
      self.assertNotIn('in common', found['PROBAST+AI', item])
    self.assertIn('elsewhere', found['PROBAST+AI', 'E4.1'])
    self.assertIn('elsewhere', found['CLAIM 2024', '33'])
    self.assertEqual(found['CLAIM 2024', '32'], '')
    self.assertIn('the run that trained', found['TRIPOD+AI', '12g'])

  def test_thresholds_without_validation_were_not_chosen_on_it(self):
    self.assertIn('thresholds', self.items(self.plain)['TRIPOD+AI', '15'])
    external = copy.deepcopy(self.plain)
    for arm in external['arms'].values():
      arm['thresholds'] = [{'youden': 0.5, 'reason': 'no validation'}]
    self.assertNotIn('thresholds', self.items(external)['TRIPOD+AI', '15'])

  def test_a_plan_is_for_the_authors_whatever_there_was_to_test(self):
    for summary in (self.plain, self.rich):
      found = self.items(summary)
      self.assertEqual(found['TRIPOD+AI', '10'], '')
      self.assertEqual(found['CLAIM 2024', '21'], '')
    needed = self.rich['question']['patients_needed']['superior']['patients']
    self.assertIn(f'{needed} patients', found['PROBAST+AI', 'E4.2'])

  def test_other_people_s_risk_scores_are_no_hazards(self):
    survival = copy.deepcopy(self.plain)
    survival['task'] = {**survival['task'], 'kind': 'survival'}
    self.assertNotIn('hazard', self.items(survival)['TRIPOD+AI', '15'])

  def test_patients_that_are_not_known_are_no_clusters(self):
    key = ('CLAIM 2024', '29')
    self.assertIn('redraws patients with all', self.items(self.plain)[key])
    alone = copy.deepcopy(self.plain)
    alone['cohort']['patients'] = alone['cohort']['studies']
    self.assertNotIn('redraws', self.items(alone)[key])


if __name__ == '__main__':
  absltest.main()
