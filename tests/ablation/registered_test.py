"""Tests of registrations that come after the results."""

import json

from absl.testing import absltest

from fusion_jax.ablation import registered
from fusion_jax.ablation import store as store_lib
from tests import tiny
from tests.ablation import config_test, runner_test

ARMS = 'run_arms=ehr_linear,early_pca'


class RegisteredTest(runner_test.RunnerTestCase):
  def setUp(self):
    super().setUp()
    self.file = self.path.parent / 'fixed.json'
    self.file.write_text(
      json.dumps(
        {
          'metric': 'auroc',
          'margin': 0.02,
          'arms': ['ehr_linear', 'early_pca'],
          'reference': 'best_single',
          'estimand': 'min_single',
        }
      )
    )
    self.given = f'evaluation.registered={self.file}'

  def _run(self, *overrides):
    report, _, _ = runner_test.run(
      self.path, *overrides, cohort=tiny.cohort(), arms=ARMS
    )
    return report.summary

  def test_given_before(self):
    for overrides in ([self.given], [], [self.given]):
      summary = self._run(*overrides)
    self.assertEmpty(summary['registration']['deviations'])
    self.assertFalse(summary['registration']['after_results'])
    self.assertIn('is as registered', summary['question']['sentence'])

  def test_given_after(self):
    self._run()
    # It does not become one that came first by being given twice.
    for _ in range(2):
      summary = self._run(self.given)
      found = summary['registration']
      self.assertTrue(found['after_results'])
      self.assertLen(found['deviations'], 1)
      self.assertIn('after results were seen', found['deviations'][0])
      self.assertIn(found['deviations'][0], summary['warnings'])
      self.assertIn(
        'registered after results were seen', summary['question']['sentence']
      )
      self.assertNotIn('is as registered', summary['question']['sentence'])

  def test_another_file_after_results(self):
    self._run(self.given)
    self.file.write_text(self.file.read_text().replace('0.02', '0.03'))
    found = self._run(self.given, 'evaluation.margin=0.03')['registration']
    self.assertTrue(found['after_results'])

  def test_a_log_that_does_not_say_so(self):
    self._run()
    log = self.path / 'log.jsonl'
    log.write_text('{"event": "end", "failures": {}}\n{"broken\n')
    config = config_test.config(self.given)
    store = store_lib.Store(self.path)
    self.assertEqual(registered.after(store, config), 'an earlier day')
    log.unlink()
    (self.path / 'summary.json').unlink()
    (self.path / 'checksums.json').unlink(missing_ok=True)
    self.assertEqual(registered.after(store, config), '')


if __name__ == '__main__':
  absltest.main()
