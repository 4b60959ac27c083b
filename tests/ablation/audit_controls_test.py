"""Tests of audits of the experiment itself."""

import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.ablation import audit_config, audit_controls, audits
from fusion_jax.core import types
from fusion_jax.data import config as data_config
from fusion_jax.data import splits
from fusion_jax.evaluation import config as evaluation_config
from tests import tiny
from tests.ablation import audited


class PermutationTest(parameterized.TestCase):
  @parameterized.parameters(*types.TASK_KINDS)
  def test_permuted_labels_teach_nothing(self, kind):
    # Here the label follows images and records closely.
    data = tiny.cohort(audited.N, kind=kind)
    found = audited.audit(data, 'label_permutation', permutations=4)
    x = found['label_permutation']
    self.assertFalse(x['alarm'])
    self.assertLessEqual(x['low'], x['chance'])
    if kind != types.REGRESSION:
      self.assertBetween(x['chance'], x['low'], x['high'])

  def test_test_labels_that_leak_are_found(self):
    data = tiny.cohort(audited.N)
    everything = np.arange(audited.N)
    leaky = [
      splits.Split(0, i, part, part, part)
      for i, part in enumerate(
        (everything[: audited.N // 2], everything[audited.N // 2 :])
      )
    ]

    def unchanged(labels, patient, rng):
      del patient, rng
      return labels

    with absltest.mock.patch.object(audit_controls, 'permuted', unchanged):
      found = audits.run(
        data,
        leaky,
        config=audit_config.AuditsConfig(names=('label_permutation',)),
        evaluation=evaluation_config.EvaluationConfig(replicates=100),
        preprocessing=data_config.PreprocessConfig(pixel_components=4),
      )
    self.assertTrue(found['label_permutation']['alarm'])
    self.assertLen(audits.warnings(found), 1)

  def test_labels_are_only_moved(self):
    rng = np.random.default_rng(0)
    labels = np.arange(12.0)[:, None]
    patient = np.repeat(list('abcd'), 3)
    moved = audit_controls.permuted(labels, patient, rng)
    self.assertEqual(sorted(moved[:, 0]), list(range(12)))
    # Patients of equally many studies exchange them whole.
    blocks = {tuple(x) for x in moved.reshape(4, 3).tolist()}
    self.assertEqual(blocks, {tuple(x) for x in labels.reshape(4, 3).tolist()})
    self.assertFalse(np.array_equal(moved, labels))


class DuplicatesTest(absltest.TestCase):
  def test_images_shared_between_patients(self):
    data = audited.clean()
    images = tiny.images(data).copy()
    images[: audited.N // 10] = images[-(audited.N // 10) :]
    data = tiny.changed(data, images=images)
    folder = pathlib.Path(self.create_tempdir().full_path)
    found = audited.audit(data, 'duplicates', folder=folder)['duplicates']
    self.assertTrue(found['alarm'])
    self.assertEqual(found['studies'], 2 * found['pairs'])
    self.assertBetween(found['estimate'], found['low'], found['high'])
    lines = (folder / audit_controls.DUPLICATES_FILE).read_text().splitlines()
    self.assertLen(lines, 1 + found['pairs'])
    # The list of an earlier run goes with its reason.
    audited.audit(audited.clean(), 'duplicates', folder=folder)
    self.assertEqual(list(folder.iterdir()), [])


if __name__ == '__main__':
  absltest.main()
