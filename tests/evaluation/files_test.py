import gzip
import json
import pathlib
import stat

import numpy as np
import pyarrow as pa
import pyarrow.parquet
from absl.testing import absltest

from fusion_jax.core import errors, types
from fusion_jax.evaluation import files

BINARY = types.Task(types.BINARY, ('y',))


class ParquetTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'p.parquet'

  def _write(self, metadata=None, **columns):
    table = pa.table(
      {
        'study_id': [1, 2],
        'patient_id': ['a', 'b'],
        'arm': pa.array(['x', 'x']).dictionary_encode(),
        'label': [True, False],
        'score': pa.array([0.5, 0.25], pa.float32()),
        **columns,
      }
    )
    pyarrow.parquet.write_table(
      table.replace_schema_metadata(metadata), self.path
    )

  def test_types_of_other_writers(self):
    self._write(available_image=[1, 0], fold=pa.array([0, 1], pa.uint8()))
    found = files.read(self.path, None).columns
    self.assertEqual(found['task'].kind, types.BINARY)
    self.assertEqual(found['study_id'].tolist(), ['1', '2'])
    self.assertEqual(found['arm'].tolist(), ['x', 'x'])
    self.assertEqual(found['labels'].tolist(), [[1.0], [0.0]])
    self.assertEqual(found['scores'].tolist(), [[0.5], [0.25]])
    self.assertEqual(found['available']['image'].tolist(), [True, False])
    self.assertEqual(found['fold'].tolist(), [0, 1])

  def test_given_task_needs_its_own_columns(self):
    self._write()
    task = types.Task(types.SURVIVAL, ('t', 'e'))
    with self.assertRaisesRegex(errors.UserError, "no column 'time', 'event'"):
      files.read(self.path, task)

  def test_newer_version(self):
    self._write({b'fusion_jax': json.dumps({'version': 2}).encode()})
    with self.assertRaisesRegex(errors.UserError, 'version 2'):
      files.read(self.path, None)

  def test_wrong_types(self):
    self._write(fold=[[1], [2]])
    with self.assertRaisesRegex(errors.UserError, "'fold' holds list"):
      files.read(self.path, None)
    self._write(available_image=[2, 0])
    with self.assertRaisesRegex(errors.UserError, 'true or false'):
      files.read(self.path, None)

  def test_numbers_of_folds_fit_a_float(self):
    self._write(fold=[0.0, 1e30])
    with self.assertRaisesRegex(errors.UserError, 'row 2.*whole number'):
      files.read(self.path, None)

  def test_a_binary_label_is_0_or_1(self):
    self._write(label=[2.0, 1.0])
    with self.assertRaisesRegex(errors.UserError, 'label is 1 or 2; a binary'):
      files.read(self.path, None)
    task = types.Task(types.REGRESSION, ('y',))
    self.assertEqual(files.read(self.path, task).columns['task'], task)

  def test_a_column_occurs_once(self):
    path = self.path.with_suffix('.csv')
    path.write_text('study_id,score,score\ns1,0.5,0.5\n')
    with self.assertRaisesRegex(errors.UserError, "several columns 'score'"):
      files.read(path, None)

  def test_what_columns_there_are_is_said(self):
    path = self.path.with_suffix('.csv')
    path.write_text('study_id:label\ns1:0\n')
    with self.assertRaisesRegex(
      errors.UserError, "no column 'label'; it has 'study_id:label'"
    ):
      files.read(path, None)

  def test_text_as_spreadsheets_save_it(self):
    text = (
      'sep=;\r\nstudy_id;patient_id;arm;label;score\r\n'
      '01;p\xe9;x;1;0.75\r\n02;q;x;0;0.25\r\n'
    )
    path = self.path.with_suffix('.csv')
    for raw in (
      text.encode(),
      text.encode('utf-8-sig'),
      text.encode('utf-16'),
      gzip.compress(text.encode()),
      text.split('\r\n', 1)[1].replace(';', '\t').encode(),
    ):
      path.write_bytes(raw)
      found = files.read(path, None).columns
      self.assertEqual(found['study_id'].tolist(), ['01', '02'])
      self.assertEqual(found['patient_id'].tolist(), ['p\xe9', 'q'])
      self.assertEqual(found['scores'].tolist(), [[0.75], [0.25]])
    path.write_bytes(text.replace('0.75', '0,75').encode())
    with self.assertRaisesRegex(errors.UserError, 'Write decimal points'):
      files.read(path, None)
    path.write_bytes(text.encode('latin-1'))
    with self.assertRaisesRegex(errors.UserError, 'line 3, is not utf-8'):
      files.read(path, None)

  def test_null_labels_are_unknown(self):
    self._write(label=pa.array([None, 1.0]))
    found = files.read(self.path, BINARY).columns
    np.testing.assert_array_equal(found['labels'], [[np.nan], [1.0]])

  def test_other_columns_are_left_alone(self):
    self._write(hospital=['u', 'v'])
    content = files.read(self.path, None)
    self.assertNotIn('hospital', content.columns)
    self.assertEqual(content.unused, ('hospital',))


class CsvTest(absltest.TestCase):
  def test_formulas_are_quoted_and_come_back(self):
    path = pathlib.Path(self.create_tempdir().full_path) / 'p.csv'
    names = np.array(['=1+1', '-7', "'@x"], object)
    files.write(
      path,
      BINARY,
      {
        'study_id': names,
        'patient_id': names,
        'arm': np.array(['a', 'a', 'a']),
        'label': np.array([0.0, 1.0, 1.0]),
        'score': np.array([0.5, 0.25, 0.125]),
      },
    )
    self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
    text = path.read_text()
    for cell in ('"\'=1+1"', '"-7"', '"\'\'@x"'):
      self.assertIn(f'{cell},{cell},', text)
    found = files.read(path, None).columns
    self.assertEqual(found['study_id'].tolist(), names.tolist())
    self.assertEqual(found['patient_id'].tolist(), names.tolist())


if __name__ == '__main__':
  absltest.main()
