"""What the library claims, on worlds whose truth is known."""

import io
import pathlib

import numpy as np
import pytest
import rich.console
from absl.testing import absltest, parameterized

from fusion_jax.ablation import progress, runner, store
from fusion_jax.data import splits, synthetic
from fusion_jax.evaluation import metrics, predictions
from tests.ablation import config_test

pytestmark = pytest.mark.slow

ADDITIVE = ('late_mean', 'late_weighted', 'late_stack', 'joint_additive')


class ClaimsTest(parameterized.TestCase):
  def run_world(self, world, arms, *overrides):
    """The summary of a run, and the run's folder."""
    folder = pathlib.Path(self.create_tempdir().full_path) / 'run'
    config = config_test.config(
      f'cohort.name={world}',
      f'run_arms={",".join(arms)}',
      'evaluation.replicates=500',
      'parallel.devices=1',
      *overrides,
    )
    quiet = progress.Progress(rich.console.Console(file=io.StringIO()))
    report = runner.run(config, store.Store(folder), quiet)
    self.assertEmpty(report.failures)
    return report.summary, folder

  def aurocs(self, summary):
    return {
      arm: values['metrics']['auroc']['estimate']
      for arm, values in summary['arms'].items()
    }

  def oracles(self, cohort, folder):
    """AUROC of the best possible scores on the very studies tested."""
    table = predictions.read(folder / 'predictions.parquet')
    tested = set(table.study_id[table.part == 'test'])
    rows = np.isin(cohort.study, list(tested))
    return {
      name: metrics.evaluate(
        cohort.task, cohort.labels[rows], scores[rows][:, None], None
      )['auroc'].estimate
      for name, scores in cohort.oracle.items()
    }

  def one_split(self, cohort, folds=5):
    """Settings of the first of some folds alone."""
    config = config_test.config(f'splits.folds={folds}').splits
    path = pathlib.Path(self.create_tempdir().full_path) / 'split.csv'
    splits.save(splits.make_splits(cohort, config)[:1], cohort, path)
    return 'splits.scheme=file', f'splits.file={path}'

  def test_synergy_is_found_by_joint_fusion_alone(self):
    found, best = [], []
    arms = ('image', 'ehr', 'ehr_linear', 'joint', *ADDITIVE)
    for seed in range(5):
      cohort = synthetic.make('synergy', n=2000, size=32, seed=seed)
      summary, folder = self.run_world(
        'synergy',
        arms,
        'cohort.n=2000',
        f'cohort.seed={seed}',
        *self.one_split(cohort, folds=2),
      )
      found.append(self.aurocs(summary))
      best.append(self.oracles(cohort, folder)['both'])
    mean = {arm: np.mean([x[arm] for x in found]) for arm in arms}
    oracle = np.mean(best)
    self.assertGreaterEqual(oracle, 0.9)
    self.assertGreaterEqual((mean['joint'] - 0.5) / (oracle - 0.5), 0.7, mean)
    for arm in ('image', 'ehr', 'ehr_linear', *ADDITIVE):
      self.assertBetween(mean[arm], 0.45, 0.55, mean)

  def test_nothing_is_superior_where_there_is_nothing(self):
    summary, _ = self.run_world('null', (), 'cohort.n=500')
    verdicts = {c['arm']: c['verdict'] for c in summary['comparisons']}
    self.assertLen(verdicts, 12)
    self.assertNotIn('superior', verdicts.values(), verdicts)

  def test_complementary_fusion_comes_near_the_best_possible(self):
    fused, best = [], []
    # Worlds on which no default was chosen.
    for seed in (10, 11, 12):
      cohort = synthetic.make('complementary', n=4000, size=32, seed=seed)
      summary, folder = self.run_world(
        'complementary',
        ('image', 'ehr', 'joint', 'late_mean', 'late_stack'),
        'cohort.n=4000',
        f'cohort.seed={seed}',
        *self.one_split(cohort),
      )
      found = self.aurocs(summary)
      fused.append([found[a] for a in ('joint', 'late_mean', 'late_stack')])
      oracle = self.oracles(cohort, folder)
      best.append([max(oracle['image'], oracle['ehr']), oracle['both']])
    single, both = np.mean(best, axis=0)
    reached = np.mean(fused, axis=0).max()
    self.assertGreaterEqual(both - single, 0.08)
    self.assertGreaterEqual(reached, single + 0.9 * (both - single))

  def test_second_stages_lose_nothing_to_an_image_that_says_nothing(self):
    summary, _ = self.run_world(
      'ehr_only',
      ('ehr', 'ehr_trees', 'early_features', 'early_trees'),
      'cohort.n=3000',
      'splits.folds=2',
    )
    found = self.aurocs(summary)
    self.assertGreaterEqual(found['early_features'], found['ehr'] - 0.02)
    self.assertGreaterEqual(found['early_trees'], found['ehr_trees'] - 0.02)


if __name__ == '__main__':
  absltest.main()
