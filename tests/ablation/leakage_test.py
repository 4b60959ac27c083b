"""Tests that nothing that is fitted has seen a test row, in whole runs.

Two runs differ in everything about the test rows of fold 0. All that is saved
of fold 0 must be the same bit for bit, but what is said of these rows. Fold 1
trains on them, so there everything must differ: that shows the comparison
would notice.
"""

import dataclasses
import json
import pathlib
from unittest import mock

import jax
import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.ablation import classical_learners, nodes, rule_learner
from fusion_jax.ablation import store as store_lib
from fusion_jax.core import types
from fusion_jax.data import preprocess
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import references
from fusion_jax.training import checkpoints
from tests import tiny
from tests.ablation import config_test, runner_test

FITTED = 'fitted.npz/'
TEST_LOGITS = nodes.LOGITS.format(part='test')
LATE = ('late_mean', 'late_weighted', 'late_stack')
# Late rules on arms that need no compiler.
CLASSICAL = ('ehr_linear', 'ehr_trees', 'image_pca', 'early_pca', *LATE)
CLASSICAL_LATE = tuple(
  f'--arm={x}={x}(image=image_pca,ehr=ehr_linear)' for x in LATE
)
# Tuned by an inner cross-validation, as most cohorts are (not as in tiny runs).
SMALL = 'small_below=1000'
NEURAL = (
  'image',
  'ehr',
  'image_linear',
  'early_raw',
  'early_features',
  'early_trees',
  'joint',
  *LATE,
)


def changed(cohort, at):
  """`cohort` with everything about the studies `at` replaced."""
  rng = np.random.default_rng(7)
  images, mask = tiny.images(cohort).copy(), tiny.image_mask(cohort).copy()
  images[at] = rng.integers(0, 256, images[at].shape)
  mask[at[::4]] = False
  images[at[::4]] = 0
  numeric, categorical = (
    tiny.numeric(cohort).copy(),
    tiny.categorical(cohort).copy(),
  )
  numeric[at] = 1e6 * rng.normal(size=numeric[at].shape)
  numeric[at[1::4]] = np.nan
  categorical[at] = 'unseen'
  categorical[at[1::4]] = None
  labels = cohort.labels.copy()
  labels[at] = {
    types.MULTICLASS: lambda y: (y + 1) % len(tiny.CLASSES),
    types.REGRESSION: lambda y: 1000.0 - 7.0 * y,
    types.SURVIVAL: lambda y: np.stack([100.0 / y[:, 0], 1 - y[:, 1]], 1),
  }.get(cohort.task.kind, lambda y: 1 - y)(labels[at])
  return tiny.changed(
    cohort,
    digest=f'{cohort.digest}-changed',
    images=images,
    image_mask=mask,
    numeric=numeric,
    categorical=categorical,
    labels=labels,
  )


def model(folder):
  """By file and name, all that is saved of a node's models."""
  found = {}
  for path in sorted(folder.rglob('*')):
    name = path.relative_to(folder).as_posix()
    if path.suffix == '.npz':
      with np.load(path, allow_pickle=False) as f:
        found |= {f'{name}/{k}': f[k] for k in f.files}
    elif path.name == 'facts.json':
      params = checkpoints.load(path.parent)[0].params
      for place, x in jax.tree_util.tree_leaves_with_path(params):
        found[f'{name}{jax.tree_util.keystr(place)}'] = x
      facts = json.loads(path.read_text())
      # Levels and codes belong to what is fitted, which only cannot hold text.
      found[f'{FITTED}texts'] = json.dumps(facts.pop('texts', None))
      found[name] = json.dumps(facts)
    elif path.suffix == '.json' and 'tree' not in path.parts:
      found[name] = path.read_text()
  return found


def fitted(path, fold, known):
  """By arm and name, what a run has fitted and predicted of one fold.

  `known` are the rows whose encoded features count. Node keys hold the
  cohort's digest, so nodes are told apart by their arms.
  """
  store = store_lib.Store(path)
  models = json.loads((path / store_lib.MODELS).read_text())
  summary = json.loads((path / store_lib.SUMMARY).read_text())
  found = {
    ('', 'reference'): json.dumps(
      summary['best_single']['picked_on_validation']['by_fold'][fold]
    )
  }
  for arm, chosen in models['arms'].items():
    (best,) = [x for x in chosen if x['fold'] == fold]
    key = best['key']
    result = store.read(key)
    found[arm, 'trial'] = str(best['trial'])
    for name in ('valid_loss', 'best_epoch', 'history', 'parameters', 'notes'):
      found[arm, name] = json.dumps(result.record[name])
    for name, values in result.arrays.items():
      if name.startswith('features'):
        values = values[known]
      found[arm, name] = values
    saved = model(store.model_folder(key))
    found |= {(arm, name): x for name, x in saved.items()}
  return found


class LeakageTestCase(parameterized.TestCase):
  def pair(self, arms, *overrides, kind=types.BINARY, change=changed):
    """Both runs' folders, and the two splits."""
    base = pathlib.Path(self.create_tempdir().full_path)
    cohort = tiny.cohort(kind=kind, absent=True)
    config = config_test.config('splits.folds=2').splits
    splits = splits_lib.make_splits(cohort, config)
    splits_lib.save(splits, cohort, base / 'splits.csv')
    paths = []
    for data in (cohort, change(cohort, splits[0].test)):
      paths.append(base / data.digest)
      report, _, _ = runner_test.run(
        paths[-1],
        'splits.scheme=file',
        'splits.folds=0',
        f'splits.file={base / "splits.csv"}',
        *overrides,
        cohort=data,
        arms=f'run_arms={",".join(arms)}',
      )
      self.assertEmpty(report.failures)
    return paths, splits

  def differences(self, paths, splits, fold):
    """By arm, the names of what is not the same in both runs."""
    known = np.concatenate([splits[fold].train, splits[fold].valid])
    one, other = (fitted(path, fold, known) for path in paths)
    found = {}
    # Boosting may keep no round in one of them, which then saves no trees.
    for arm, name in sorted(one.keys() | other.keys()):
      x, y = one.get((arm, name)), other.get((arm, name))
      if isinstance(x, np.ndarray) and isinstance(y, np.ndarray):
        same = x.dtype == y.dtype and x.shape == y.shape
        same = same and x.tobytes() == y.tobytes()
      else:
        same = type(x) is type(y) and x == y
      found.setdefault(arm, set())
      if not same:
        found[arm].add(name)
    return found

  def assert_blind(self, paths, splits, expected):
    """Fold 0 has not seen what was changed; fold 1 has."""
    found = self.differences(paths, splits, 0)
    self.assertContainsSubset(expected, found)
    for arm, names in found.items():
      told = {TEST_LOGITS} if arm in expected else set()
      self.assertEqual(names, told, arm)
    for arm, names in self.differences(paths, splits, 1).items():
      self.assertNotEmpty(names - {TEST_LOGITS}, arm)


class ClassicalLeakageTest(LeakageTestCase):
  def test_test_rows_change_nothing(self):
    self.assert_blind(*self.pair(CLASSICAL, *CLASSICAL_LATE), CLASSICAL)

  @pytest.mark.slow
  def test_of_small_cohorts(self):
    arms = (*CLASSICAL, 'late_linear')
    self.assert_blind(*self.pair(arms, *CLASSICAL_LATE, SMALL), arms)

  @parameterized.product(kind=types.TASK_KINDS[1:], small=((), (SMALL,)))
  @pytest.mark.slow
  def test_of_other_tasks(self, kind, small):
    found = self.pair(CLASSICAL, *CLASSICAL_LATE, *small, kind=kind)
    self.assert_blind(*found, CLASSICAL)

  def test_trials_are_chosen_without_test_rows(self):
    arms = ('ehr_linear', 'ehr_trees')
    self.assert_blind(*self.pair(arms, 'trials=2'), arms)


class PlantedLeakTest(LeakageTestCase):
  """Leaks made on purpose: the comparison must notice each."""

  def leaking(self, owner, name, leak, arms, *overrides):
    real = getattr(owner, name)

    def call(*args, **given):
      return leak(real, *args, **given)

    with mock.patch.object(owner, name, call):
      return self.differences(*self.pair(arms, *overrides), 0)

  def test_preprocessing_fitted_on_all_rows(self):
    def leak(real, self, cohort, at):
      del at
      return real(self, cohort, np.arange(len(cohort)))

    arms = ('ehr_linear', 'early_pca')
    found = self.leaking(preprocess.Preprocessor, 'fit', leak, arms)
    self.assertIn('fitted.npz/ehr/fit/centre', found['ehr_linear'])
    self.assertIn('fitted.npz/image/reduction/components', found['early_pca'])
    for arm in arms:
      self.assertIn('0/linear.npz/coefficients', found[arm])

  @parameterized.parameters(
    (
      classical_learners.ElasticNet,
      'train',
      'ehr_linear',
      '0/linear.npz/coefficients',
    ),
    (
      classical_learners.ElasticNet,
      'valid',
      'ehr_linear',
      '0/linear.npz/coefficients',
    ),
    (
      classical_learners.Trees,
      'train',
      'ehr_trees',
      '0/trees.npz/0/forest/value',
    ),
    (
      classical_learners.Trees,
      'valid',
      'ehr_trees',
      '0/trees.npz/0/forest/value',
    ),
    (rule_learner.Rule, 'valid', 'late_weighted', 'rule.json'),
    (rule_learner.Rule, 'valid', 'late_stack', 'rule.json'),
  )
  def test_learners_that_use_test_rows(self, learner, part, arm, name):
    def leak(real, self, jobs, on_epoch=None):
      def with_test(split):
        rows = np.concatenate([getattr(split, part), split.test])
        return dataclasses.replace(split, **{part: np.sort(rows)})

      return real(
        self,
        [dataclasses.replace(j, split=with_test(j.split)) for j in jobs],
        on_epoch,
      )

    found = self.leaking(
      learner,
      'fit',
      leak,
      (arm,),
      *CLASSICAL_LATE,
    )
    self.assertIn(name, found[arm])

  def test_a_reference_chosen_on_test_rows(self):
    def leak(real, task, test, valid, **given):
      del valid
      return real(task, test, test, **given)

    arms = ('ehr_linear', 'image_pca')
    found = self.leaking(references, 'choose', leak, arms)
    self.assertEqual(found[''], {'reference'})


class ExtractorLeakageTest(LeakageTestCase):
  """Second stages on a linear extractor, which compiles in a moment."""

  def test_test_rows_change_nothing(self):
    self._check()

  @pytest.mark.slow
  def test_of_small_cohorts(self):
    self._check(SMALL)

  def _check(self, *small):
    arms = ('ehr_linear', 'image_linear', 'early_trees')
    found = self.pair(
      arms,
      *small,
      '--arm=extractor=extractor(image=reduced(encoder=raw))',
    )
    self.assert_blind(*found, arms)


@pytest.mark.slow
class NeuralLeakageTest(LeakageTestCase):
  def test_test_rows_change_nothing(self):
    self.assert_blind(*self.pair(NEURAL), NEURAL)

  def test_second_stages_of_small_cohorts(self):
    arms = ('ehr_linear', 'image_linear', 'early_features')
    self.assert_blind(*self.pair(arms, SMALL), arms)


if __name__ == '__main__':
  absltest.main()
