import pathlib
import shutil

from absl.testing import absltest

from experiments.studies.trials import small
from fusion_jax.ablation import config, learners
from fusion_jax.ablation import store as store_lib
from tests.ablation import runner_test


class SmallTest(absltest.TestCase):
  def test_an_arm_of_every_learner(self):
    found = small.config()
    config.check(found)
    arms = found.known_arms
    used = {arms[name].learner for name in small.ARMS}
    trained = {name for name, x in learners.LEARNERS.items() if x.learns}
    self.assertEqual(used, trained)
    for name in small.NEURAL:
      self.assertEqual(arms[name].learner, 'neural')

  def test_results_leave_out_times_alone(self):
    base = pathlib.Path(self.create_tempdir().full_path)
    for name in ('one', 'other'):
      runner_test.run(base / name, arms='run_arms=ehr_linear')
    found = small.results(base / 'one')
    self.assertEqual(found, small.results(base / 'other'))
    self.assertContainsSubset(
      {'summary.json', 'models.json', 'predictions.parquet'}, found
    )
    arms = small.arms_of_nodes(base / 'one')
    self.assertEqual(list(arms), ['ehr_linear'])
    self.assertLen(arms['ehr_linear'], 2)
    node = base / 'other' / 'nodes' / arms['ehr_linear'][0]
    record = store_lib.Store(base / 'one').record(node.name)
    shutil.rmtree(node)
    store_lib.Store(base / 'other').write(node.name, record=record, arrays={})
    self.assertNotEqual(found, small.results(base / 'other'))


if __name__ == '__main__':
  absltest.main()
