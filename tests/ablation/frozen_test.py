"""Tests of trained models applied to cohorts."""

import json

import numpy as np
from absl.testing import absltest

from fusion_jax.ablation import frozen
from fusion_jax.evaluation import predictions
from tests import tiny
from tests.ablation import config_test, runner_test

ARMS = 'run_arms=image_pca,ehr_linear,early_pca'


class FrozenTest(runner_test.RunnerTestCase):
  def setUp(self):
    super().setUp()
    self.cohort = tiny.cohort(absent=True)
    _, self.store, _ = runner_test.run(self.path, cohort=self.cohort, arms=ARMS)
    self.models = json.loads((self.path / 'models.json').read_text())
    self.config = config_test.config(*runner_test.SMALL, ARMS)

  def _frozen(self, **options):
    return frozen.Frozen(
      self.config, self.models, self.store, self.cohort, **options
    )

  def test_every_study_by_every_model(self):
    found = self._frozen().logits('early_pca')
    self.assertEqual(set(found), {(0, 0, 0), (0, 1, 0)})
    table = predictions.read(self.path / 'predictions.parquet')
    table = table.take(np.flatnonzero(table.arm == 'early_pca'))
    place = {s: i for i, s in enumerate(self.cohort.study)}
    rows = [place[s] for s in table.study_id]
    for fold, logits in ((k[1], x) for k, x in found.items()):
      here = table.fold == fold
      scores = 1 / (1 + np.exp(-logits[np.array(rows)[here]]))
      np.testing.assert_allclose(scores, table.scores[here], atol=1e-12)

  def test_some_rows_of_some_places(self):
    whole = self._frozen().logits('early_pca')
    rows = np.array([3, 5])
    found = self._frozen(
      places=[(0, 1, 0)], rows=lambda place: rows[: place[1] + 1]
    ).logits('early_pca')
    self.assertEqual(list(found), [(0, 1, 0)])
    logits = found[0, 1, 0]
    np.testing.assert_array_equal(logits[rows], whole[0, 1, 0][rows])
    self.assertEqual(np.isfinite(logits).sum(), 2)

  def test_the_place_of_a_model(self):
    entry = self.models['arms']['early_pca'][1]
    self.assertEqual(frozen.place_of(entry), (0, 1, 0))


if __name__ == '__main__':
  absltest.main()
