import copy
import re

from absl.testing import absltest

from fusion_jax.report import checklists, content, methods
from tests.report import cohort_test, made_of_test, parts, samples


class MethodsTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.shared = parts.rich(samples.sample(missing=True))

  def setUp(self):
    super().setUp()
    self.summary = copy.deepcopy(self.shared)

  def text(self):
    return '\n'.join(methods.write(self.summary)[0])

  def test_citations_are_numbered_as_they_come(self):
    paragraphs, references = methods.write(self.summary)
    cited = []
    for found in re.findall(r'\[([\d,]+)\]', '\n'.join(paragraphs)):
      cited += [int(x) for x in found.split(',')]
    first = list(dict.fromkeys(cited))
    self.assertEqual(first, list(range(1, len(references) + 1)))
    self.assertEqual(
      [x.split('.')[0] for x in references], [str(x) for x in first]
    )

  def test_says_the_facts_of_the_run(self):
    text = self.text()
    for word in (
      '120 studies of 60 patients',
      '42 events',
      'binary (outcome)',
      'image, ehr, ehr_trees',
      '199 bootstrap replicates',
      'all 3 fusion arms',
      'within .020 of 0',
      '9f9f',
      'missingness raised an alarm',
    ):
      self.assertIn(word, text)

  def test_interaction_tests_are_told_where_there_were_any(self):
    for p, told in ((None, False), (0.2, True)):
      self.summary['interactions'] = [{'p_adjusted': p}]
      self.assertEqual('interaction tests' in self.text(), told)

  def test_what_is_not_known_is_for_the_authors(self):
    self.assertIn('[Authors: name and cite the cohort', self.text())
    self.assertIn('[Authors: describe the models', self.text())
    self.summary['cohort']['citation'] = 'Doe (2020), Cohort.'
    self.summary['run']['config_digest'] = 'abc'
    self.summary['registration'] = None
    self.assertIn('Cohort: Doe (2020), Cohort.', self.text())
    self.assertNotIn('[Authors', self.text())

  def test_arms_without_hyperparameters_are_not_said_to_be_tuned(self):
    self.summary['run']['config_digest'] = 'abc'
    self.summary['audits']['tuning'] = {
      'trials': 3,
      'chosen_by': 'lowest validation loss',
      'without_hyperparameters': ['late_mean'],
    }
    self.assertIn('(late_mean had none to choose)', self.text())

  def test_only_what_was_done_is_cited(self):
    everything = '\n'.join(methods.write(self.summary)[1])
    for name in ('Hessel', 'Shapley', 'Platt', 'Vickers', 'Hardt'):
      self.assertIn(name, everything)
    plain = '\n'.join(methods.write(parts.bare(samples.sample()))[1])
    for name in ('Hessel', 'Shapley', 'Platt', 'Vickers', 'Hardt'):
      self.assertNotIn(name, plain)

  def test_controls_that_were_not_made_are_not_told(self):
    for entry in self.summary['controls'].values():
      entry['conditions'] = {'emap': entry['conditions']['emap']}
      entry['shapley'] = {}
    text = self.text()
    self.assertRegex(text, r'tested with an additive projection \[\d+\]\.')
    self.assertNotIn('Shapley', text)

  def test_drawn_orders_of_modalities_are_told(self):
    self.assertNotIn('Castro', '\n'.join(methods.write(self.summary)[1]))
    for entry in self.summary['controls'].values():
      entry['shapley']['image']['sampling_se'] = 0.01
    self.assertIn('Castro', '\n'.join(methods.write(self.summary)[1]))
    self.assertIn('from random orders of them [', self.text())

  def test_a_recalibration_that_was_not_possible_is_not_told(self):
    for entry in self.summary['arms'].values():
      ways = entry.get('calibration', {}).get('recalibrated', {})
      for way in ways:
        ways[way] = {'brier': None, 'models': 0, 'reason': 'no validation part'}
    self.assertNotIn('recalibrated', self.text())
    answers = {
      x.number: x.answer for x in checklists.build(self.summary)[0].items
    }
    self.assertEqual((answers['12f'], answers['24']), ('', ''))

  def test_one_fusion_arm_is_no_family(self):
    self.summary['comparisons'] = self.summary['comparisons'][:1]
    self.assertIn('the one fusion arm', self.text())
    self.assertIn(
      'for the one fusion arm', ' '.join(content.build(self.summary).footnotes)
    )

  def test_no_image_has_no_value(self):
    self.summary['image_value']['arms'] = {}
    self.assertNotIn('value of the image', self.text())

  def test_nothing_that_could_be_judged(self):
    for comparison in self.summary['comparisons']:
      comparison['low'] = None
    text = self.text()
    self.assertIn('No gain could be judged', text)
    self.assertNotIn('The gain of a fusion arm is', text)

  def test_delong(self):
    self.summary['evaluation']['method'] = 'delong'
    paragraphs, references = methods.write(self.summary)
    self.assertNotIn('bootstrap', ' '.join(paragraphs))
    self.assertIn('DeLong', ' '.join(references))
    # What makes bootstrap intervals and bounds is no source of these.
    for name in ('Efron', 'Romano'):
      self.assertNotIn(name, ' '.join(references))

  def test_what_a_gain_is_over(self):
    self.assertIn('of the best single-modality arm', self.text())
    self.summary['evaluation']['reference'] = 'ehr_trees'
    self.assertIn("that of 'ehr_trees', which was given", self.text())
    self.assertNotIn('the best single-modality arm', self.text())
    self.summary['evaluation']['reference'] = 'best_single'
    for arm in ('ehr', 'ehr_trees'):
      self.summary['arms'][arm]['role'] = 'other'
    self.assertIn("'image', the only single-modality arm", self.text())

  def test_the_factor(self):
    factor = {'value': 1.25, 'shared': True, 'reason': 'folds share patients'}
    self.summary['evaluation']['factor'] = factor
    self.assertIn('multiplied by 1.25, as folds share patients', self.text())
    self.summary['evaluation']['factor'] = {'value': 1.0, 'shared': False}
    self.assertNotIn('multiplied', self.text())

  def test_a_margin_in_units_has_to_be_given(self):
    evaluation = self.summary['evaluation']
    evaluation |= {'metric': 'rmse', 'margin_given': False}
    for arm in self.summary['arms'].values():
      arm['metrics']['rmse'] = {'estimate': 1.0}
    self.assertNotIn('called equivalent', self.text())
    self.assertNotIn('equivalent if', self.text())
    evaluation['margin_given'] = True
    self.assertIn('equivalent if its 90% bounds', self.text())

  def test_tests_of_one_comparison(self):
    for comparison in self.summary['comparisons']:
      comparison['without_factor'] = {'delong': {'p': None}}
    self.assertNotIn('Beside it stand', self.text())
    self.summary['comparisons'][0]['without_factor'] = {
      'delong': {'p': 0.1},
      'corrected_t': {'p': 0.2},
    }
    self.assertRegex(
      self.text(), r"DeLong's test \[\d+\], the corrected resampled t-test"
    )

  def test_what_was_trained_and_with_what(self):
    self.summary['run'] |= {
      'config_digest': 'abc',
      'python': '3.12.1',
      'backend': 'gpu',
      'commit': '0123456789abcdef',
      'versions': {'fusion_jax': '1.2.3', 'jax': '0.9'},
    }
    self.summary['arms']['joint']['made_of'] = made_of_test.network()
    text = self.text()
    self.assertIn('Networks: joint (resnet on images and mlp on the re', text)
    self.assertIn('3 to 5 of 9 epochs', text)
    self.assertIn('fusion_jax 1.2.3, commit 0123456789ab; Python 3.1', text)
    self.assertIn('jax 0.9. Models ran on gpu.', text)

  def test_who_was_left_out(self):
    self.summary['cohort']['flow'] = cohort_test.FLOW
    self.assertIn('20 excluded (dx = x: why)', self.text())

  def test_frozen_models(self):
    self.summary['audits']['external'] = {'trained_on': 'elsewhere'}
    text = self.text()
    self.assertIn('trained on another cohort (elsewhere) and frozen', text)
    self.assertNotIn('folds; training', text)

  def test_patients_that_are_not_known(self):
    self.summary['run']['config_digest'] = 'abc'
    self.assertIn('had no patient in common', self.text())
    self.summary['cohort']['patients'] = 120
    self.assertNotIn('had no patient in common', self.text())
    self.assertIn('counts as its own patient', self.text())

  def test_one_split(self):
    self.summary = parts.bare(samples.sample())
    self.summary['run']['config_digest'] = 'abc'
    self.summary['folds'] = self.summary['folds'][:1]
    for arm in self.summary['arms'].values():
      arm['folds'] = arm['folds'][:1]
      arm['variability']['fold_sd'] = None
    self.summary['evaluation']['factor'] = {'value': 1.0, 'shared': False}
    for comparison in self.summary['comparisons']:
      comparison['without_factor'] = {}
    text = self.text()
    self.assertIn('There was one split. Training, validation', text)
    self.assertIn('fitted on the training part alone', text)
    self.assertIn('trained with 1 seed.', text)
    self.assertIn('was AUROC, on the test part. ', text)
    self.assertNotIn('fold', text)

  def test_seeds_that_are_not_known_are_for_the_authors(self):
    self.summary['run']['config_digest'] = 'abc'
    first, *others = self.summary['arms'].values()
    first['folds'] = [{**x, 'seeds': [0, 1]} for x in first['folds']]
    self.assertIn('trained with up to 2 seeds per fold', self.text())
    for arm in (first, *others):
      del arm['folds']
    self.assertIn('trained with [Authors: how many] seeds', self.text())

  def test_that_nothing_was_chosen_is_said_of_the_single_arm_alone(self):
    self.assertIn('that arm was not chosen on validation', self.text())
    self.assertEqual(self.text().count('not chosen'), 1)

  def test_several_repeats(self):
    self.summary = samples.sample(repeats=2)
    self.summary['run']['config_digest'] = 'abc'
    text = self.text()
    self.assertIn('There were 2 repeats of 2 folds. Training', text)
    self.summary['cohort']['division'] = 'drawn at random'
    self.assertIn('2 folds; folds were drawn at random. T', self.text())
    self.assertIn('mean over folds and repeats', text)

  def test_outcomes_are_named_by_task(self):
    for kind, words in (
      ('survival', 'the time to an event'),
      ('multilabel', 'several binary labels'),
    ):
      self.summary['task']['kind'] = kind
      self.assertIn(f'The outcome was {words} (outcome).', self.text())

  def test_preprocessing_is_that_of_the_modalities_told(self):
    self.summary['run']['config_digest'] = 'abc'
    self.assertIn('Preprocessing was fitted', self.text())
    for arm in self.summary['arms'].values():
      arm['made_of'] = made_of_test.network()
    self.assertIn(
      'Preprocessing (vocabularies, imputation, scaling, image statistics) was',
      self.text(),
    )

  def test_strategies_are_those_told(self):
    self.assertIn('strategy not stated (early_raw, joint, ', self.text())
    self.summary['arms']['joint']['strategy'] = 'late'
    self.assertIn('late fusion (joint)', self.text())

  def test_one_setting_is_no_choice(self):
    self.summary['run']['config_digest'] = 'abc'
    self.summary['audits']['tuning'] = {'trials': 1, 'chosen_by': 'luck'}
    self.assertIn('one setting of hyperparameters.', self.text())
    self.assertNotIn('luck', self.text())

  def test_what_failed_is_told(self):
    arms = self.summary['arms']
    arms['joint']['folds'] = arms['joint']['folds'][:1]
    text = self.text()
    self.assertIn('joint_wide was started but failed (loss is NaN', text)
    self.assertIn('joint has no model of 1 of 2 folds.', text)

  def test_audits_that_were_not_possible_raise_no_alarm_and_are_told(self):
    text = self.text()
    self.assertIn('3 audits looked for shortcuts', text)
    self.assertIn('Not possible: time.', text)

  def test_a_registration_is_not_said_to_have_come_first(self):
    text = self.text()
    self.assertIn('deviates from it in 1 point. [Authors: say when', text)
    self.assertNotIn('beforehand', text)
    self.summary['registration'].update(deviations=[], unchecked=['digest'])
    self.assertIn(
      'does not deviate from it and could not be checked in 1 point.',
      self.text(),
    )

  def test_counts_of_folds_that_overlap_are_not_added(self):
    for fold in self.summary['folds']:
      fold['studies'] = 120
    self.assertNotIn('events)', self.text())


if __name__ == '__main__':
  absltest.main()
