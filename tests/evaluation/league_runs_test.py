"""Tests of fusion_jax.evaluation.league_runs."""

import pathlib

from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.evaluation import league_runs
from tests import league_samples

# What no league takes, and what is said of it.
BAD = (
  ({'version': 2}, 'is of version 2, not 3'),
  ({'comparisons': []}, 'no fusion arm was compared'),
  (
    {'evaluation': {'metric': 'auroc', 'reference': 'ehr'}},
    "compares arms with 'ehr' and not with the best single modality",
  ),
  ({'metric': 'c_index'}, 'by AUROC and .* by C-index: only gains in one'),
  ({'gains': {'joint': None}, 'se': 0.1}, 'no gain can be pooled: no fold'),
)


class ReadTest(league_samples.RunsCase):
  def test_gains_as_the_summary_states_them(self):
    a = self.write('a', name='a', gains={'joint': 0.031}, se=0.012)
    b = self.write('b', name='b')
    first, second = league_runs.read([a, b])
    self.assertEqual((first.folder, first.cohort), (a, 'a'))
    (gain,) = first.gains
    self.assertEqual(
      (gain.arm, gain.strategy, gain.single, gain.difference, gain.se),
      ('joint', 'joint', 'image', 0.031, 0.012),
    )
    self.assertLen(second.gains, 4)
    self.assertIsNone(first.study_ids)

  def test_what_is_undefined_is_left_out_with_its_reason(self):
    a = self.write(
      'a',
      gains={'joint': None, 'gated': 0.1, 'late_mean': 0.1},
      se={'joint': None, 'gated': 0.1, 'late_mean': 0.0},
    )
    first, _ = league_runs.read([a, self.write('b')])
    self.assertEqual([g.arm for g in first.gains], ['gated'])
    self.assertEqual(first.left_out['joint'], 'no fold has it')
    self.assertIn('no standard error', first.left_out['late_mean'])

  @parameterized.parameters(*BAD)
  def test_bad(self, options, message):
    folders = [self.write('a'), self.write('b', **options)]
    with self.assertRaisesRegex(errors.UserError, message):
      league_runs.read(folders)

  def test_folders(self):
    a = self.write('a')
    for folders, message in (
      ([], 'names 0 runs'),
      ([a], 'names 1 run: a league pools two or more'),
      ([a, f'{a}/../a'], 'more than once'),
      ([a, str(self.folder / 'none')], 'has no summary.json'),
    ):
      with self.subTest(message):
        with self.assertRaisesRegex(errors.UserError, message):
          league_runs.read(folders)

  def test_damaged_predictions_are_named(self):
    a = self.write('a', ids='a')
    path = pathlib.Path(a) / 'predictions.parquet'
    path.write_bytes(path.read_bytes()[:40])
    with self.assertRaisesRegex(errors.UserError, 'predictions.parquet'):
      league_runs.read([a, self.write('b')])


class CohortsTest(league_samples.RunsCase):
  def groups(self, *runs, **options):
    folders = [self.write(f'r{i}', **x) for i, x in enumerate(runs)]
    return league_runs.cohorts(league_runs.read(folders), **options)

  def test_the_same_content(self):
    found = self.groups({'name': 'a'}, {'name': 'b'}, {'name': 'a'})
    self.assertEqual(found, [[0, 2], [1]])

  def test_the_same_studies_of_another_label(self):
    runs = ({'name': 'a', 'ids': 'x'}, {'name': 'b', 'ids': 'x'})
    self.assertEqual(self.groups(*runs), [[0, 1]])
    self.assertEqual(self.groups(*runs, by_ids=False), [[0], [1]])

  def test_other_studies(self):
    runs = ({'name': 'a', 'ids': 'x'}, {'name': 'b', 'ids': 'y'})
    self.assertEqual(self.groups(*runs), [[0], [1]])

  def test_one_run_may_join_two(self):
    found = self.groups(
      {'name': 'a', 'ids': 'x'},
      {'name': 'b', 'ids': 'y'},
      {'name': 'b', 'ids': 'x'},
    )
    self.assertEqual(found, [[0, 1, 2]])


if __name__ == '__main__':
  absltest.main()
