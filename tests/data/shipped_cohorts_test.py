"""Tests of shipped descriptors that name their modalities, on made-up twins.

The real data are looked for beside the checkout and not needed.
"""

import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from absl.testing import absltest, parameterized

from fusion_jax.data import config, preprocess, reader
from fusion_jax.data import kind as kinds
from fusion_jax.data.kinds import table
from tests.data import folders

SHARED = pathlib.Path(__file__).resolve().parents[3] / 'shared' / 'data'
KITS, PHYSIONET = 'kits19_volumes', 'physionet2012_a'
_TICKS = (
  'myocardial_infarction',
  'congestive_heart_failure',
  'peripheral_vascular_disease',
  'cerebrovascular_disease',
  'copd',
  'uncomplicated_diabetes_mellitus',
  'diabetes_mellitus_with_end_organ_damage',
  'chronic_kidney_disease',
  'malignant_lymphoma',
  'localized_solid_tumor',
  'metastatic_solid_tumor',
  'mild_liver_disease',
)
_CODES = (
  *('DiasABP', 'NIDiasABP', 'SysABP', 'NISysABP', 'MAP', 'NIMAP', 'HR'),
  *('RespRate', 'Temp', 'Weight', 'pH', 'PaCO2', 'Urine'),
)
_USUAL = {'Temp': 37, 'pH': 7.4}


def _kits(folder, n=60):
  """Writes made-up data in the shape of the KiTS19 cohort."""
  rng = np.random.default_rng(0)
  rows = []
  for i in range(n):
    rows.append(
      {
        'case_id': f'case_{i:05d}',
        'age': str(rng.integers(20, 90)),
        'gender': str(rng.choice(['male', 'female'])),
        'body_mass_index': f'{rng.uniform(18, 45):.2f}',
        'smoking_history': str(rng.choice(['never', 'current', 'previous'])),
        'pack_years': str(rng.choice(['', '0', '5', '30'])),
        'alcohol_use': str(rng.choice(['no', 'yes'])),
        'last_preop_egfr': str(rng.choice(['', '77.0', '82.0', '>=90'])),
        **{x: str(rng.integers(0, 2)) for x in _TICKS},
        'dementia': '0',
        'label_radical': str(rng.integers(0, 2)),
        'time_days': str(rng.integers(0, 900)),
        'event_death': str(rng.integers(0, 2)),
        'fold': str(i % 5),
      }
    )
  folders.write_table(folder / 'ehr.csv', rows)
  (folder / 'volumes').mkdir()
  for row in rows:
    volume = rng.integers(0, 3, (8, 8, 8), dtype=np.uint8)
    np.savez(folder / 'volumes' / f'{row["case_id"]}.npz', volume=volume)


def _physionet(folder, n=60):
  """Writes made-up data in the shape of set A of the PhysioNet challenge."""
  rng = np.random.default_rng(0)
  rows = []
  for i in range(n):
    rows.append(
      {
        'record_id': str(132539 + i),
        'age': str(rng.integers(16, 90)),
        'gender': str(rng.integers(0, 2)),
        'height': str(rng.choice(['-1', '175.3', '160'])),
        'weight': str(rng.choice(['-1', '70', '92.5'])),
        'icu_type': str(rng.integers(1, 5)),
        'saps_i': '10',
        'sofa': '5',
        'length_of_stay': '7',
        'survival_days': '-1',
        'in_hospital_death': str(int(i % 5 == 0)),
        'fold': str(i % 5),
      }
    )
  folders.write_table(folder / 'ehr.csv', rows)
  study, minutes, code, value = [], [], [], []
  # The last study has no measurement.
  for row in rows[:-1]:
    for name in _CODES:
      for at in rng.integers(0, 2880, 3):
        study.append(row['record_id'])
        minutes.append(int(at))
        code.append(name)
        value.append(_USUAL.get(name, 80) + rng.normal() / 10)
  # One that came as the prediction is made, and one that cannot be.
  study += [rows[0]['record_id']] * 2
  minutes += [2880, 100]
  code += ['Temp', 'Temp']
  value += [37.0, -17.8]
  pyarrow.parquet.write_table(
    pa.table(
      {
        'record_id': pa.array(study).dictionary_encode(),
        'minutes': pa.array(minutes, pa.int16()),
        'parameter': pa.array(code).dictionary_encode(),
        'value': pa.array(value, pa.float32()),
      }
    ),
    folder / 'series.parquet',
  )


class ShippedCohortsTest(parameterized.TestCase):
  def _inspect(self, name, folder):
    found = reader.inspect(
      config.CohortConfig(
        name=name,
        data_root=str(folder),
        cache_dir=self.create_tempdir('cache').full_path,
      )
    )
    self.assertEmpty([str(x) for x in found.problems if x.is_error])
    self.assertNotEmpty(found.cohort.licence)
    self.assertNotEmpty(found.cohort.citation)
    self.assertEqual(sorted(set(found.cohort.fold)), [0, 1, 2, 3, 4])
    return found

  def _twin(self, name, write):
    folder = pathlib.Path(self.create_tempdir('data').full_path)
    write(folder)
    return self._inspect(name, folder)

  def _real(self, name):
    folder = SHARED / name
    if not folder.is_dir():
      self.skipTest(f'the real cohort is not beside the checkout ({folder})')
    return self._inspect(name, folder)

  def _columns(self, cohort, modality):
    fitted = preprocess.Preprocessor().fit(cohort, np.arange(len(cohort)))
    return fitted.columns(cohort, modality, kinds.TREES)

  def test_twin_of_kits(self):
    found = self._twin(KITS, _kits)
    self.assertEmpty([str(x) for x in found.problems])
    cohort = found.cohort
    self.assertEqual(list(cohort.modalities), ['segmentation', 'record'])
    volumes = cohort.modalities['segmentation'].data.volumes
    self.assertEqual(volumes.shape, (60, 8, 8, 8, 3))
    # A voxel is of one class.
    np.testing.assert_array_equal(volumes.sum(-1, dtype=int), 255)
    names = cohort.modalities['record'].data.categorical_names
    self.assertIn('last_preop_egfr (bound)', names)
    outcomes = {'time_days', 'event_death', 'label_radical'}
    self.assertEmpty(outcomes & {*names})
    self.assertIn('surgeon', ' '.join(cohort.notes))

  def test_twin_of_physionet(self):
    found = self._twin(PHYSIONET, _physionet)
    cohort = found.cohort
    self.assertEqual(list(cohort.modalities), ['static', 'vitals'])
    (line,) = [str(x) for x in found.problems]
    self.assertIn("of 178 rows of 'Temp' 1 is outside plausible", line)
    self.assertIn('(-17.8) and left out', line)
    static = cohort.modalities['static']
    numeric = dict(
      zip(static.data.numeric_names, table.numeric(static).T, strict=True)
    )
    self.assertTrue(np.isnan(numeric['height']).any())
    self.assertGreater(np.nanmin(numeric['height']), 100)
    self.assertEmpty({'saps_i', 'sofa', 'length_of_stay'} & {*numeric})
    vitals = cohort.modalities['vitals']
    self.assertEqual(vitals.present.sum(), 59)
    self.assertLess(vitals.data.time.max(), 0)
    self.assertGreaterEqual(vitals.data.time.min(), -48)
    notes = ' '.join(cohort.notes)
    self.assertIn('1 is at or after the time of prediction', notes)
    self.assertIn('Temp last', self._columns(cohort, 'vitals').names)

  def test_kits(self):
    cohort = self._real(KITS).cohort
    self.assertLen(cohort, 210)
    self.assertEqual(cohort.labels.sum(), 70)
    volumes = cohort.modalities['segmentation'].data.volumes
    self.assertEqual(volumes.shape, (210, 40, 40, 40, 3))
    # Every one shows a tumour.
    self.assertTrue((volumes[..., 2] > 0).any(axis=(1, 2, 3)).all())
    data = cohort.modalities['record'].data
    self.assertLen(data.numeric_names + data.categorical_names, 20)

  def test_physionet(self):
    found = self._real(PHYSIONET)
    cohort = found.cohort
    self.assertLen(cohort, 4000)
    self.assertEqual(cohort.labels.sum(), 554)
    vitals = cohort.modalities['vitals']
    self.assertLen(vitals.data.codes, 37)
    self.assertLen(vitals.data.time, 1_652_541)
    self.assertEqual((~vitals.present).sum(), 3)
    self.assertIn('41 are at or after', ' '.join(cohort.notes))
    # Values below freezing are gone.
    x = vitals.data
    of_temperature = x.value[x.code == x.codes.index('Temp')]
    self.assertGreater(of_temperature.min(), 24)


if __name__ == '__main__':
  absltest.main()
