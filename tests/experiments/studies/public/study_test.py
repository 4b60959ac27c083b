"""Tests of experiments.studies.public.study."""

import dataclasses
import json
import pathlib
import shutil
import tempfile
from unittest import mock

import pytest
from absl.testing import absltest

from experiments.studies.public import page, study, tasks
from fusion_jax.core import errors
from fusion_jax.data import reader
from fusion_jax.evaluation import league, league_runs

SETTINGS = (
  'cohort.n=150',
  'cohort.image_size=16',
  'splits.folds=2',
  'small_below=0',
  'evaluation.replicates=200',
)
TASK = tasks.Task('small', 'Small', 'complementary', '', SETTINGS, ())
OTHER = tasks.Task('other', 'Other', 'redundant', '', SETTINGS, ())
TRAINED = tasks.Stage(
  'trained',
  ('late_pca=late_mean(image=image_pca,ehr=ehr_linear)',),
  run_arms=('ehr_linear', 'image_pca', 'early_pca'),
)
RECIPES = tasks.Stage(
  'frozen',
  (),
  run_arms=('ehr_trees', 'image_pca'),
  recipes=('ehr_trees', 'image_pca'),
)
STAGES = (TRAINED, RECIPES)


@pytest.mark.slow
class StudyTest(absltest.TestCase):
  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    made = tempfile.TemporaryDirectory()
    cls.addClassCleanup(made.cleanup)
    cls.folder = pathlib.Path(made.name)
    # Pages of runs, which take longer than all else, have tests of their own.
    with mock.patch.object(study.output, 'write'):
      for task in (TASK, OTHER):
        for stage in STAGES:
          study.run(stage, task, '', cls.folder)
    cls.found = study.against(TASK, cls.folder, STAGES)
    study.against(OTHER, cls.folder, STAGES)

  def test_fusion_is_held_against_the_best_recipe(self):
    self.assertEqual(
      {x['arm'] for x in self.found['rows']}, {'early_pca', 'late_pca'}
    )
    best = max(
      self.found['recipes'],
      key=lambda x: self.found['recipes'][x]['estimate'],
    )
    self.assertEqual(self.found['best'], best)
    summary = json.loads(
      (self.folder / 'trained/small/summary.json').read_text()
    )
    for row in self.found['rows']:
      own = summary['arms'][row['arm']]['metrics']['auroc']['estimate']
      recipe = self.found['recipes'][best]['estimate']
      self.assertAlmostEqual(row['difference'], own - recipe, places=9)
      self.assertLess(row['low'], row['difference'])
    path = self.folder / 'trained/small' / study.AGAINST
    self.assertEqual(json.loads(path.read_text())['rows'], self.found['rows'])

  def test_what_is_finished_is_not_run_again(self):
    path = self.folder / 'trained/small/summary.json'
    before = path.stat().st_mtime_ns
    study.run(TRAINED, TASK, '/nowhere', self.folder)
    self.assertEqual(path.stat().st_mtime_ns, before)

  def test_page_has_every_arm_and_both_comparisons(self):
    runs = league_runs.read(
      [str(self.folder / 'trained' / x.name) for x in (TASK, OTHER)]
    )
    pooled = league.summarise(runs, shared=league.INDEPENDENT)
    target = self.folder / 'docs'
    page.write(self.folder, pooled, (TASK, OTHER), [target], STAGES)
    text = (target / page.PAGE).read_text()
    self.assertTrue((target / 'figures/league_forest.svg').is_file())
    for name in ('`early_pca`', '`late_pca`', '`image_pca`', 'ehr_trees'):
      self.assertIn(name, text)
    self.assertIn('### Small', text)
    self.assertIn('of 2 tasks', text)
    self.assertIn('every fusion arm | 2 |', text)
    self.assertIn('(figures/league_methods.svg)', text)
    self.assertNotIn(str(self.folder), text)

  def test_other_folds_are_not_compared(self):
    folder = pathlib.Path(self.create_tempdir().full_path)
    shutil.copytree(self.folder / 'trained', folder / 'trained')
    with mock.patch.object(study.output, 'write'):
      study.run(RECIPES, TASK, '', folder, ['splits.seed=1'])
    with self.assertRaises(errors.UserError):
      study.against(TASK, folder, STAGES)


class TasksTest(absltest.TestCase):
  def test_newer_arms_can_be_made_of_the_cohorts(self):
    """Their modalities are those of the built-in worlds."""
    task = dataclasses.replace(TASK, arms=tasks.NEWER)
    config = study.configured(tasks.TRAINED, task, '')
    self.assertContainsSubset(
      [x.partition('=')[0] for x in tasks.NEWER], config.known_arms
    )
    for task in tasks.TASKS:
      path, _ = reader.locate(task.descriptor, self.create_tempdir().full_path)
      self.assertTrue(path.is_file())

  def test_recipes_are_last(self):
    self.assertTrue(tasks.STAGES[-1].recipes)


if __name__ == '__main__':
  absltest.main()
