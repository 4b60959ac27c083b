"""A cohort of five modalities through runs, controls and robustness."""

import dataclasses
import itertools
import json
from unittest import mock

import numpy as np
from absl.testing import absltest
from sklearn import metrics

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import changes, external, progress, robustness, runner
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import errors
from fusion_jax.data import five, modality, reader, synthetic
from fusion_jax.data.kinds import vector
from fusion_jax.evaluation import config as config_lib
from fusion_jax.evaluation import controls, predictions
from tests.ablation import changes_test, runner_test
from tests.evaluation import shapley_test

FIVE = (
  f'cohort.name={five.NAME}',
  'cohort.n=160',
  'preprocess.series_codes=3',
  'preprocess.volume_size=6',
  'evaluation.replicates=60',
)
ARMS = 'run_arms=ehr_linear,image_pca,early_pca,late_linear'


class FiveModalitiesTest(runner_test.RunnerTestCase):
  def test_classical_arms_controls_and_robustness(self):
    report, store, _ = runner_test.run(
      self.path, *FIVE, 'controls.conditions=all', arms=ARMS
    )
    self.assertEmpty(report.failures)
    summary = report.summary
    self.assertEmpty([x for x in summary['warnings'] if 'could not' in x])
    self.assertEqual(set(summary['controls']), {'early_pca', 'late_linear'})
    table = predictions.read(store.path / 'predictions.parquet')
    self.assertEqual(set(table.available), set(five.MODALITIES))
    self._check_shapley(summary, table)
    for condition in ('image_permuted', 'ehr_absent', 'image_noise', 'emap'):
      self.assertIn(condition, set(table.condition))
    made = json.loads((self.path / 'summary.json').read_text())
    self.assertIn('early_pca', made['arms'])
    extended = robustness.extend(
      external.open_run(self.path),
      train_missing=(),
      fractions=(),
      arms=(),
      progress=progress.Progress(runner_test.rich.console.Console(quiet=True)),
    )
    curves = json.dumps(extended['missing'])
    for name in five.MODALITIES:
      self.assertIn(f'"{name}"', curves)

  def _check_shapley(self, summary, table):
    """Values against the definition, from nothing but the predictions."""
    for arm, entry in summary['controls'].items():
      found = entry['shapley']
      self.assertEqual(list(found), [*five.MODALITIES, 'all'])

      def auroc(seen, arm=arm):
        lost = frozenset(five.MODALITIES) - seen
        names = [
          c
          for c in set(table.condition)
          if frozenset(_lost(c)) == lost and c.endswith(('_absent', 'intact'))
        ]
        self.assertNotEmpty(names, str(sorted(seen)))
        of_fold = []
        for fold in set(table.fold):
          here = (table.fold == fold) & (table.part == 'test')
          here &= (table.arm == arm) & (table.condition == names[0])
          of_fold.append(
            metrics.roc_auc_score(table.labels[here], table.scores[here])
          )
        return np.mean(of_fold) if seen else 0.5

      value = {
        frozenset(s): auroc(frozenset(s)) if s else 0.5
        for k in range(6)
        for s in itertools.combinations(five.MODALITIES, k)
      }
      expected = shapley_test.by_orders(five.MODALITIES, value)
      for m in five.MODALITIES:
        self.assertAlmostEqual(found[m]['estimate'], expected[m], places=9)
        self.assertBetween(
          found[m]['estimate'], found[m]['low'], found[m]['high']
        )
      whole = summary['arms'][arm]['metrics']['auroc']['estimate'] - 0.5
      self.assertAlmostEqual(found['all']['estimate'], whole)
      sides = entry['shapley_of_sides']
      for side, modalities in entry['sides'].items():
        self.assertAlmostEqual(
          sides[side]['estimate'], sum(expected[m] for m in modalities)
        )
      # The table of predictions tells as much.
      again = controls.summarise(
        table,
        singles=['ehr_linear', 'image_pca'],
        fusions=[arm],
        config=config_lib.EvaluationConfig(replicates=60),
      )
      for m in five.MODALITIES:
        self.assertAlmostEqual(
          again[arm]['shapley'][m]['estimate'], expected[m]
        )
    self.assertIn('imaging (xray, ct)', entry['sentence'])

  def test_a_twin_gets_the_same_and_noise_gets_nothing(self):
    cohort = synthetic.make_five(n=400, size=16, seed=0)
    rng = np.random.default_rng(0)
    noise = vector.Data(rng.normal(size=(400, 3)).astype(np.float32))
    labs = cohort.oracle['labs'].astype(np.float32)
    twin = vector.Data(np.stack([labs, labs], 1))
    changed = {
      'note': modality.Modality.of('vector', 'record', noise),
      'vitals': modality.Modality.of('vector', 'record', twin),
      'labs': modality.Modality.of('vector', 'record', twin),
    }
    cohort = cohort.with_modalities(changed, digest='twins')
    config = runner_test.config_test.config(
      *runner_test.SMALL, *FIVE, 'controls.conditions=shapley', ARMS
    )
    config = dataclasses.replace(
      config,
      modalities=tuple(
        arm_lib.Modality(m, x.kind, x.side)
        for m, x in cohort.modalities.items()
      ),
    )
    with mock.patch.object(reader, 'open_cohort', return_value=cohort):
      report = runner.run(
        config,
        store_lib.Store(self.path),
        progress.Progress(runner_test.rich.console.Console(quiet=True)),
      )
    found = report.summary['controls']['early_pca']
    self.assertEmpty(found['conditions'])
    value = {m: x['estimate'] for m, x in found['shapley'].items()}
    self.assertAlmostEqual(value['labs'], value['vitals'], places=3)
    self.assertGreater(value['labs'], 0.02)
    self.assertAlmostEqual(value['note'], 0, delta=0.01)
    self.assertGreater(value['all'], 0.2)

  def test_what_no_modality_is_called_is_one_line(self):
    with self.assertRaisesRegex(errors.UserError, "Unknown encoder 'x'|'xra'"):
      runner_test.run(
        self.path, *FIVE, '--arm=own=joint(xra=resnet)', arms='run_arms=own'
      )


def _lost(condition):
  """The modalities that a condition withholds; () of the intact one."""
  sides = {'image': ('xray', 'ct'), 'ehr': ('labs', 'vitals', 'note')}
  names = condition.removesuffix('_absent').split('+')
  return sum((sides.get(x, (x,)) for x in names if x != 'intact'), ())


class SidesTest(absltest.TestCase):
  def test_the_modalities_of_a_side_move_together(self):
    cohort = synthetic.make_five(n=40, size=16, seed=0)
    splits = changes_test.splits_of(cohort)
    moved, done = changes.change(cohort, 'image_permuted', splits, seed=0)
    self.assertLen(done, len(splits))
    rows = moved.modalities['xray'].rows
    np.testing.assert_array_equal(rows, moved.modalities['ct'].rows)
    self.assertTrue((rows != np.arange(40)).any())
    for name in ('labs', 'vitals', 'note'):
      self.assertIs(moved.modalities[name], cohort.modalities[name])
    one, _ = changes.change(cohort, 'vitals_absent', splits, seed=0)
    tested = np.concatenate([s.test for s in splits])
    self.assertFalse(one.present['vitals'][tested].any())
    self.assertTrue(one.present['labs'].all())
    noisy, _ = changes.change(cohort, 'ehr_noise', splits, seed=0)
    for name in ('labs', 'vitals', 'note'):
      self.assertTrue(noisy.present[name][tested].any())
      self.assertIsNot(
        noisy.modalities[name].data, cohort.modalities[name].data
      )
    with self.assertRaisesRegex(errors.UserError, "mean 'vitals'"):
      changes.change(cohort, 'vital_absent', splits, seed=0)


if __name__ == '__main__':
  absltest.main()
