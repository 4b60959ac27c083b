"""Tests of audits of facts: each planted shortcut is found, by its name."""

import dataclasses
import pathlib

import numpy as np
import pytest
from absl.testing import absltest

from fusion_jax.ablation import audit_config, audits
from fusion_jax.data import config as data_config
from fusion_jax.data import reader, splits
from fusion_jax.evaluation import config as evaluation_config
from tests import imports, tiny
from tests.ablation import audited
from tests.data import folders

PAD = imports.ROOT.parent / 'shared' / 'data' / 'pad_ufes20_lesions'


class ShortcutsTest(absltest.TestCase):
  def _only(self, data, name, alarms=None):
    """`name` alarms, and so do `alarms`; nothing else does."""
    names = [x for x in audit_config.NAMES if x != 'label_permutation']
    found = audited.audit(data, *names)
    rang = {k for k, x in found.items() if x['alarm']}
    self.assertEqual(rang, {name, *(alarms or ())})
    self.assertGreater(found[name]['estimate'], 0.7)
    lines = audits.warnings(found)
    self.assertLen(lines, len(rang))
    self.assertIn('AUROC', ' '.join(lines))
    self.assertIn(f'{found[name]["estimate"]:.3f}', ' '.join(lines))
    return found[name]

  def test_missing_values_tied_to_the_label(self):
    data = audited.clean()
    numeric = tiny.numeric(data).copy()
    gap = audited.positive(data) ^ (
      np.random.default_rng(0).random(audited.N) < 0.1
    )
    numeric[:, 1] = np.where(gap, np.nan, 1.0)
    self._only(tiny.changed(data, numeric=numeric), 'missingness')

  def test_unknown_codes_tied_to_the_label(self):
    data = audited.clean()
    side = tiny.categorical(data).copy()
    side[audited.positive(data), 0] = 'UNK'
    codes = {tiny.categorical_names(data)[0]: ('UNK',)}
    coded = tiny.changed(data, categorical=side, unknown_codes=codes)
    found = self._only(coded, 'missingness')
    self.assertIn(
      f'values declared unknown ({tiny.categorical_names(data)[0]} is UNK)',
      found['sentence'],
    )
    # An ordinary level is no business of this audit.
    other = tiny.changed(data, categorical=side)
    self.assertFalse(
      audited.audit(other, 'missingness')['missingness']['alarm']
    )

  def test_absent_images_tied_to_the_label(self):
    data = audited.clean()
    mask = tiny.image_mask(data).copy()
    mask[audited.positive(data)] = False
    images = np.where(mask[:, :, None, None, None], tiny.images(data), 0)
    data = tiny.changed(data, image_mask=mask, images=images)
    # Facts about images that are not there must not repeat it.
    self._only(data, 'missingness')

  def test_row_order_tied_to_the_label(self):
    data = audited.clean()
    # Patients stay together and keep their names.
    of_patient = np.bincount(np.arange(audited.N) // 2, audited.positive(data))[
      np.arange(audited.N) // 2
    ]
    data = data.subset(np.argsort(of_patient, kind='stable'))
    shuffled = np.random.default_rng(0).permutation(audited.N)
    data = dataclasses.replace(
      data,
      study=np.array([f's{i:04d}' for i in shuffled]),
      patient=_renamed(data.patient),
    )
    self._only(data, 'row_order')

  def test_brightness_tied_to_the_label(self):
    data = audited.clean()
    images = tiny.images(data) // 2
    images[audited.positive(data)] += 40
    self._only(tiny.changed(data, images=images), 'brightness')

  def test_borders_tied_to_the_label(self):
    data = audited.clean()
    images = tiny.images(data).copy()
    images[audited.positive(data), :, :1] = 128
    found = self._only(
      tiny.changed(data, images=images), 'acquisition', ['brightness']
    )
    self.assertIn('made in different ways', found['sentence'])

  def test_file_facts_tied_to_the_label(self):
    data = audited.clean()
    size = np.where(audited.positive(data), 2000.0, 1000.0)
    rng = np.random.default_rng(0)
    path = rng.permutation(audited.N).astype(float)
    data = tiny.changed(
      data, image_facts={'file size': size, 'path number': path}
    )
    self._only(data, 'acquisition')

  def test_study_names_tied_to_the_label(self):
    data = audited.clean()
    names = np.array(
      [
        f'{"mal" if y else "ben"}{i}'
        for i, y in zip(_shuffled(), audited.positive(data), strict=True)
      ]
    )
    found = self._only(dataclasses.replace(data, study=names), 'identifiers')
    self.assertGreater(found['estimate'], 0.99)

  def test_numbers_in_names_tied_to_the_label(self):
    data = audited.clean()
    number = _shuffled() + 1000 * audited.positive(data)
    names = np.array([f'x{i:06d}' for i in number])
    self._only(dataclasses.replace(data, study=names), 'identifiers')

  def test_groups_tied_to_the_label(self):
    data = audited.clean()
    site = np.where(audited.positive(data), 'tertiary', 'primary')
    self._only(dataclasses.replace(data, site=site), 'subgroup_only')

  def test_time_tied_to_the_label(self):
    data = audited.clean()
    day = np.random.default_rng(0).random(audited.N) + audited.positive(data)
    self._only(dataclasses.replace(data, index_time=day), 'time')

  def test_the_margin(self):
    data = audited.clean()
    score = audited.positive(data) + np.random.default_rng(0).normal(
      size=audited.N
    )
    data = dataclasses.replace(data, index_time=score)
    self.assertTrue(audited.audit(data, 'time')['time']['alarm'])
    self.assertFalse(audited.audit(data, 'time', margin=0.4)['time']['alarm'])

  def test_what_two_halves_share_by_chance_is_no_alarm(self):
    # Rows of this world are in random order; halves of it happen to agree.
    data = reader.open_cohort(
      data_config.CohortConfig(name='complementary', n=300, image_size=16)
    )
    found = audits.run(
      data,
      splits.make_splits(data, data_config.SplitConfig(folds=2)),
      config=audit_config.AuditsConfig(names=('row_order',)),
      evaluation=evaluation_config.EvaluationConfig(),
      preprocessing=data_config.PreprocessConfig(),
    )['row_order']
    self.assertGreater(found['estimate'], 0.6)
    self.assertFalse(found['alarm'])
    self.assertIn('no alarm', found['sentence'])


HISTORY = """
task = "binary"
table = "table.csv"
study = "study"
patient = "patient"
label = "label"
numeric = ["age", "diameter"]
boolean = ["smokes"]
unknown_codes = ["UNK"]
"""


class HistoryTest(absltest.TestCase):
  """History that was taken only of lesions under suspicion."""

  def test_a_generated_twin(self):
    rng = np.random.default_rng(0)
    table = []
    for i in range(audited.N):
      label = int(rng.random() < 0.44)
      taken = label or rng.random() < 0.27
      table.append(
        {
          'study': f's{rng.integers(10**9):09d}',
          'patient': f'p{i // 2:03d}',
          'age': str(rng.integers(20, 90)),
          'diameter': str(rng.integers(2, 20)) if taken else '',
          'smokes': rng.choice(['True', 'False', 'UNK']) if taken else '',
          'label': str(label),
        }
      )
    folder = folders.write(
      pathlib.Path(self.create_tempdir().full_path) / 'twin',
      table=table,
      toml=HISTORY,
      images=False,
    )
    data = reader.open_cohort(data_config.CohortConfig(name=str(folder)))
    found = audited.audit(data, 'missingness')['missingness']
    # Sensitivity 1 and specificity .73 of one indicator.
    self.assertBetween(found['estimate'], 0.82, 0.92)
    self.assertTrue(found['alarm'])

  @pytest.mark.slow
  def test_pad_ufes20_with_all_columns(self):
    if not PAD.is_dir():
      self.skipTest(f'no {PAD}')
    config = data_config.CohortConfig(
      name='pad_ufes20_all_columns',
      data_root=str(PAD),
      image_size=8,
      cache_dir=self.create_tempdir().full_path,
    )
    data = reader.open_cohort(config)
    # Which answers are 'unknown' tells a little more: first without it.
    history = tiny.changed(data, unknown_codes={})
    for cohort, name, least, most in (
      (history, 'missingness', 0.86, 0.885),
      (data, 'missingness', 0.87, 0.91),
      (data, 'acquisition', 0.6, 0.7),
      (data, 'row_order', 0.72, 0.8),
    ):
      found = audits.run(
        cohort,
        splits.make_splits(cohort, data_config.SplitConfig()),
        config=audit_config.AuditsConfig(names=(name,)),
        evaluation=evaluation_config.EvaluationConfig(replicates=200),
        preprocessing=data_config.PreprocessConfig(),
      )[name]
      self.assertTrue(found['alarm'], name)
      self.assertBetween(found['estimate'], least, most)


def _shuffled():
  return np.random.default_rng(7).permutation(audited.N)


def _renamed(patient):
  """(n,) the same patients under names in random order."""
  _, place = np.unique(patient, return_inverse=True)
  order = np.random.default_rng(8).permutation(place.max() + 1)
  return np.array([f'q{order[i]:04d}' for i in place])


if __name__ == '__main__':
  absltest.main()
