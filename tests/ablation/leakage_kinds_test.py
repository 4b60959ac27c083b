"""Whole runs in which test studies have something else of one kind.

As leakage_test.py, for a cohort of all kinds. Of series, whatever is measured
at or after the prediction changes nothing at all, from the files on.
"""

import dataclasses
import functools
import pathlib

import numpy as np
import pytest
from absl.testing import absltest, parameterized

from fusion_jax.core import errors, types
from fusion_jax.data import config as data_config
from fusion_jax.data import five, reader
from fusion_jax.data import splits as splits_lib
from fusion_jax.evaluation import predictions
from tests.ablation import config_test, leakage_test, runner_test
from tests.data import spoiled

CLASSICAL = ('ehr_linear', 'ehr_trees', 'image_pca', 'early_pca')
NEURAL = ('image', 'ehr', 'joint')
SIDES = {
  'image': (five.IMAGE, five.VOLUME),
  'ehr': (five.TABLE, five.SERIES, five.VECTOR),
}
SETTINGS = (
  f'cohort.name={five.NAME}',
  'splits.scheme=file',
  'splits.folds=0',
  'preprocess.series_codes=3',
  'preprocess.volume_size=4',
)


@functools.cache
def _cohort():
  return five.make(
    n=80, size=8, seed=1, task=types.Task(types.BINARY, ('label',))
  )


def _sees(arm, modality):
  """Whether an arm of these runs sees a modality."""
  side = next(s for s, x in SIDES.items() if modality in x)
  return arm.partition('_')[0] in (side, 'early', 'joint')


class KindsLeakageTest(leakage_test.LeakageTestCase):
  def runs(self, arms, modalities):
    """The folders of runs in which each of `modalities` was changed, by it.

    With the run in which nothing was changed, under '', and the splits.
    """
    base = pathlib.Path(self.create_tempdir().full_path)
    splits = splits_lib.make_splits(
      _cohort(), config_test.config('splits.folds=2').splits
    )
    splits_lib.save(splits, _cohort(), base / 'splits.csv')
    for changed in ('', *modalities):
      cohort = _cohort()
      if changed:
        cohort = spoiled.changed(cohort, changed, splits[0].test)
      report, _, _ = runner_test.run(
        base / f'run-{changed}',
        *SETTINGS,
        f'splits.file={base / "splits.csv"}',
        cohort=cohort,
        arms=f'run_arms={",".join(arms)}',
      )
      self.assertEmpty(report.failures)
    return base, splits

  def check(self, arms, modalities):
    base, splits = self.runs(arms, modalities)
    for changed in modalities:
      paths = [base / 'run-', base / f'run-{changed}']
      with self.subTest(changed):
        found = self.differences(paths, splits, 0)
        self.assertContainsSubset(arms, found)
        for arm, names in found.items():
          told = _sees(arm, changed) if arm else False
          self.assertEqual(
            names, {leakage_test.TEST_LOGITS} if told else set(), arm
          )
        # Fold 1 trains on what was changed. What is fitted of a modality that
        # an arm does not see is kept beside its models all the same.
        found = self.differences(paths, splits, 1)
        for arm in arms:
          learnt = {
            x for x in found[arm] if not x.startswith(leakage_test.FITTED)
          }
          self.assertEqual(
            bool(learnt - {leakage_test.TEST_LOGITS}), _sees(arm, changed), arm
          )

  def test_of_elastic_nets_and_trees(self):
    self.check(CLASSICAL, five.MODALITIES)

  @pytest.mark.slow
  def test_of_networks(self):
    self.check(NEURAL, five.MODALITIES)


TOML = """
version = 2
task = "binary"
table = "table.csv"
study = "study"
patient = "patient"
label = "label"

[modalities.vitals]
kind = "series"
table = "vitals.csv"
time = "hour"
code = "item"
value = "value"
time_unit = "hours"
index = 48
after_index = "{after}"

[modalities.labs]
kind = "table"
numeric = ["crp"]
"""
STUDIES = 60


class AfterTheIndexTest(parameterized.TestCase):
  """Rows of a series at or after the time of the prediction."""

  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    rng = np.random.default_rng(0)
    rows, before = ['study,patient,label,crp'], []
    for i in range(STUDIES):
      rows.append(f's{i},p{i // 2},{i % 2},{rng.integers(1, 99)}')
      for hour in rng.uniform(0, 48, 5):
        value = rng.normal(80 + 10 * (i % 2), 9)
        before.append((f's{i}', hour, rng.choice(['hr', 'bp']), value))
    self.table = '\n'.join(rows) + '\n'
    self.before = before

  def open(self, name, late=(), after='drop'):
    """The cohort of a folder whose series has `late` rows as well."""
    folder = self.root / name
    folder.mkdir()
    (folder / 'table.csv').write_text(self.table)
    (folder / 'cohort.toml').write_text(TOML.format(after=after))
    # Late rows lie between the others.
    rows = list(self.before)
    for k, row in enumerate(late):
      rows.insert(7 * k % len(rows), row)
    lines = ['study,hour,item,value', *(','.join(map(str, r)) for r in rows)]
    (folder / 'vitals.csv').write_text('\n'.join(lines) + '\n')
    return reader.open_cohort(
      data_config.CohortConfig(
        name=str(folder), cache_dir=str(self.root / 'cache')
      )
    )

  def late(self, seed):
    """Rows at the prediction and after it, of old codes and of new ones."""
    rng = np.random.default_rng(seed)
    return [
      (
        f's{rng.integers(STUDIES)}',
        rng.choice([48.0, 48.001, 60.5, 1e4]),
        rng.choice(['hr', 'bp', 'a new code', '0']),
        rng.choice(['', '1e6', '-3', '85']),
      )
      for _ in range(40)
    ]

  def run_of(self, cohort, *arms):
    path = self.root / f'run-{cohort.name}'
    report, _, _ = runner_test.run(
      path,
      f'cohort.name={self.root / cohort.name}',
      'preprocess.series_codes=3',
      cohort=cohort,
      arms=f'run_arms={",".join(arms)}',
    )
    self.assertEmpty(report.failures)
    table = predictions.read(path / 'predictions.parquet')
    return runner_test.keys(path), table

  def same_predictions(self, *arms):
    """Rows that are added, changed and taken away: one run and its twins."""
    cohorts = [
      self.open('without'),
      self.open('added', self.late(0)),
      self.open('changed', self.late(1)),
    ]
    (keys, table), *others = (self.run_of(c, *arms) for c in cohorts)
    for name in ('added', 'changed'):
      self.assertIn('40', ' '.join(map(str, cohorts[1].notes)), name)
    for other_keys, other in others:
      # Nodes of the same content, so that one would stand for the other.
      self.assertEqual(keys, other_keys)
      for field in dataclasses.fields(table):
        one, two = (getattr(x, field.name) for x in (table, other))
        if isinstance(one, np.ndarray) and one.dtype.kind == 'f':
          self.assertEqual(one.tobytes(), two.tobytes(), field.name)

  def test_change_nothing_of_elastic_nets(self):
    self.same_predictions('ehr_linear')

  @pytest.mark.slow
  def test_change_nothing_of_networks(self):
    self.same_predictions('ehr_linear', 'ehr')

  def test_a_row_before_it_would_be_noticed(self):
    one = self.open('before')
    self.before.append(('s0', 47.999, 'hr', 85.0))
    two = self.open('one more')
    self.assertNotEqual(
      *(c.modalities['vitals'].data.digest() for c in (one, two))
    )

  def test_are_an_error_unless_said_so(self):
    with self.assertRaisesRegex(errors.UserError, 'at or after'):
      self.open('error', [('s3', 48.0, 'hr', 80.0)], after='error')


if __name__ == '__main__':
  absltest.main()
