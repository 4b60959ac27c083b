"""Drafts of folders with more than images and one table."""

import pathlib

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import config, draft, reader

N = 30
ROOT = pathlib.Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / 'shared' / 'data'


class DraftTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.root = pathlib.Path(self.create_tempdir().full_path)
    rng = np.random.default_rng(0)
    rows = ['stay,patient_id,label,crp']
    rows += [
      f'{100 + i},p{i // 2},{i % 2},{rng.integers(9, 99)}' for i in range(N)
    ]
    (self.root / 'table.csv').write_text('\n'.join(rows) + '\n')

  def _volumes(self):
    (self.root / 'ct').mkdir()
    for i in range(N - 2):
      np.savez(self.root / f'ct/{100 + i}.npz', volume=np.ones((4, 4, 4)))

  def _series(self):
    rng = np.random.default_rng(1)
    rows = ['stay,hours_before,item,value']
    for i in range(N):
      for k in range(3):
        rows.append(f'{100 + i},{-rng.integers(1, 40)},hr,{60 + k}')
    (self.root / 'vitals.csv').write_text('\n'.join(rows) + '\n')

  def _vectors(self):
    np.savez(
      self.root / 'note_vectors.npz',
      study=np.array([str(100 + i) for i in range(N)]),
      vector=np.ones((N, 5)),
    )

  def test_without_any_it_stays_version_1(self):
    self.assertIn('version = 1', draft.propose(self.root))

  def test_volumes_and_vectors_can_be_opened(self):
    self._volumes()
    self._vectors()
    text = draft.propose(self.root)
    self.assertIn('path = "ct/{stay}.npz"  # 28 of 30 values', text)
    self.assertIn('missing = "absent"', text)
    self.assertIn('[modalities.note_vectors]\nkind = "vector"', text)
    path = self.root / 'cohort.toml'
    path.write_text(text)
    cohort = reader.open_cohort(
      config.CohortConfig(
        name=str(path), cache_dir=self.create_tempdir().full_path
      )
    )
    self.assertEqual(
      {name: x.kind for name, x in cohort.modalities.items()},
      {'ehr': 'table', 'ct': 'volume', 'note_vectors': 'vector'},
    )
    self.assertEqual(cohort.present['ct'].sum(), 28)

  def test_a_table_of_rows_by_time_is_a_series(self):
    self._series()
    text = draft.propose(self.root)
    for line in (
      '[modalities.vitals]\nkind = "series"\ntable = "vitals.csv"',
      'time = "hours_before"',
      'time_unit = "hours"',
      'code = "item"  # such as hr',
      'value = "value"',
      '# index = 0  # LOOK AT THIS',
    ):
      self.assertIn(line, text)

  @parameterized.parameters(
    ('kits19_volumes', 'path = "volumes/{case_id}.npz"  # 210 of 210'),
    ('physionet2012_a', 'table = "series.parquet"'),
  )
  def test_public(self, name, line):
    if not (SHARED / name).is_dir():
      self.skipTest(f'{SHARED / name} is not here')
    text = draft.propose(SHARED / name)
    self.assertIn('version = 2', text)
    self.assertIn(line, text)


if __name__ == '__main__':
  absltest.main()
