"""Tests of experiments.studies.table2.table."""

import io
import pathlib
from unittest import mock

import rich.console
from absl.testing import absltest

from experiments.studies.table2 import claims, table, work
from fusion_jax.ablation import progress
from fusion_jax.core import errors


class TableTest(absltest.TestCase):
  def _work(self, settings=work.QUICK):
    folder = pathlib.Path(self.create_tempdir('out').full_path)
    console = rich.console.Console(file=io.StringIO())
    return work.Work(folder, settings, progress.Progress(console))

  def test_every_claim_has_an_experiment(self):
    self.assertEqual(list(table.ROWS), list(claims.CLAIMS))

  def test_names_of_rows(self):
    self.assertEqual(table.check_rows(['levels', 'data']), ['data', 'levels'])
    self.assertLen(table.check_rows([]), 7)
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'models'"):
      table.check_rows(['model'])

  def test_finished_rows_are_kept(self):
    at = self._work()
    found = table.build(at, [claims.MODELS])
    self.assertEqual(list(found['rows']), [claims.MODELS])
    self.assertLen(found['not_measured'], 6)
    self.assertTrue(found['quick'])
    never = mock.Mock(side_effect=AssertionError)
    with mock.patch.dict(table.ROWS, {claims.MODELS: never}):
      self.assertEqual(table.build(at, [claims.MODELS]), found)

  def test_other_settings_are_not_mixed(self):
    at = self._work()
    table.build(at, [claims.MODELS])
    other = work.Work(at.folder, work.Settings(), at.progress)
    self.assertEqual(table.build(other, [])['rows'], {})


if __name__ == '__main__':
  absltest.main()
