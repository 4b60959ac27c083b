"""Tests of series in files of every kind, and of many rows."""

import csv
import datetime
import gzip
import io
import pathlib
import time
import tracemalloc

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import series_rows, tables
from tests import imports
from tests.data import series_tables

HEADER = series_tables.HEADER
REAL = imports.ROOT.parent / 'shared' / 'data' / 'physionet2012_a'
# As many codes and studies, and as irregular, as the PhysioNet challenge.
TWIN_STUDIES, TWIN_CODES = 400, 37


def twin(rng) -> pa.Table:
  """A table made like the PhysioNet one: minutes up to 2880, few repeats."""
  n = 120_000
  at = np.sort(rng.integers(0, TWIN_STUDIES, n))
  codes = np.array([f'Code{k}' for k in range(TWIN_CODES - 1)] + ['Na'])
  share = rng.dirichlet(np.full(TWIN_CODES, 0.5))
  value = np.round(rng.normal(50, 20, n), 1).astype(np.float32)
  value[rng.random(n) < 0.01] = -1
  return pa.table(
    {
      'record_id': pa.array((132539 + at).astype(str)).dictionary_encode(),
      'minutes': pa.array(rng.integers(0, 2881, n), pa.int16()),
      'parameter': pa.array(
        codes[rng.choice(TWIN_CODES, n, p=share)]
      ).dictionary_encode(),
      'value': pa.array(value),
    }
  )


class SeriesRowsFilesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def _read(self, raw, *args, **options):
    return series_tables.read(self.folder, raw, *args, **options)

  def test_files_of_every_kind_hold_the_same(self):
    rows = [
      ('a', 1.5, 'K', 4.5),
      ('b', 2.0, 'é', None),
      ('a', 0.5, 'K;', 3.0),
      ('z', 5.0, 'K', 3.0),
    ]
    names = ['stay', 'hour', 'item', 'value']

    def text(delimiter):
      out = io.StringIO()
      writer = csv.writer(out, delimiter=delimiter)
      writer.writerow(names)
      writer.writerows(['' if x is None else x for x in row] for row in rows)
      return out.getvalue()

    table = pa.table(
      dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
    )
    pyarrow.parquet.write_table(table, self.folder / 't.parquet')
    nulled = table.set_column(0, 'stay', table['stay'].dictionary_encode())
    pyarrow.parquet.write_table(nulled, self.folder / 't2.parquet')
    book = openpyxl.Workbook()
    for row in [names, *rows]:
      book.active.append(row)
    book.save(self.folder / 't.xlsx')
    lines = [str(dict(zip(names, x, strict=True))) for x in rows]
    json = '\n'.join(lines).replace("'", '"').replace('None', 'null')
    files = {
      't.csv': text(','),
      't2.csv': text(';').encode('utf-16'),
      't3.csv': 'sep=;\n' + text(';'),
      't4.csv': text(',').encode('utf-8-sig'),
      't5.csv': text('|').encode('cp1252'),
      't6.csv': text(',').replace('\r\n', '\n').removesuffix('\n'),
      't7.csv': text(';').encode('utf-16-le'),
      't.tsv': text('\t'),
      't.csv.gz': gzip.compress(text(',').encode()),
      't2.csv.gz': gzip.compress(text(';').encode('utf-16')),
      't.jsonl': json,
      't.parquet': None,
      't2.parquet': None,
      't.xlsx': None,
    }
    digests = {}
    for name, raw in files.items():
      encoding = 'cp1252' if name == 't5.csv' else 'utf-8'
      data, notes, found = self._read(
        raw, series_tables.columns(table=name, encoding=encoding)
      )
      digests[name] = data.digest(), notes, tuple(found)
    self.assertLen(set(digests.values()), 1, digests)
    self.assertEqual(data.codes, ('K', 'K;', 'é'))

  def test_parquet_types(self):
    moment = datetime.datetime(2024, 3, 1, 10, 0, 0, 500000)
    zoned = moment.replace(tzinfo=datetime.UTC)
    for times in (
      pa.array([moment, None], pa.timestamp('ns')),
      pa.array([zoned, None], pa.timestamp('us', 'Europe/Paris')),
      pa.array(['2024-03-01T10:00:00.5', '']),
    ):
      table = pa.table(
        {
          'stay': pa.array([7, 8], pa.int64()),
          'hour': times,
          'item': pa.array([11.0, 12.0]),
          'value': pa.array([1, 2], pa.decimal128(5, 2)),
        }
      )
      pyarrow.parquet.write_table(table, self.folder / 't.parquet')
      data, _, found = self._read(
        None,
        series_tables.columns(table='t.parquet', time_unit='', index=None),
        study=np.array(['7', '8']),
        index_time=np.full(2, tables.days('2024-03-01T12:00')),
      )
      self.assertEqual(series_tables.listed(data), [[(-2.0, '11', 1.0)], []])
      self.assertEqual(
        found, ["t.parquet, row 2, column 'hour': the time is blank."]
      )

  def test_types_that_are_neither_numbers_nor_text(self):
    table = pa.table(
      {
        'stay': ['a'],
        'hour': [1],
        'item': ['K'],
        'value': pa.array([[1.0]], pa.list_(pa.float64())),
        'span': pa.array([1], pa.duration('s')),
      }
    )
    pyarrow.parquet.write_table(table, self.folder / 't.parquet')
    for key, name in (('value', 'value'), ('time', 'span'), ('code', 'value')):
      with self.assertRaisesRegex(
        errors.UserError, f"column '{name}': values of type .* cannot be read"
      ):
        self._read(
          None, series_tables.columns(table='t.parquet', **{key: name})
        )

  def test_damaged_files_are_said_in_one_line(self):
    packed = gzip.compress((HEADER + 'a,1,K,1\n' * 9).encode())
    for name, raw in (
      ('t.parquet', b'PAR1junk'),
      ('t.csv.gz', packed[:-12]),
      ('t.csv', b'PAR1' + bytes(99)),
      ('t.csv', (HEADER + 'a,1,\xe9,1\n').encode('cp1252')),
      ('t.csv', HEADER.replace('item', 'hour')),
    ):
      with self.assertRaisesRegex(errors.UserError, f"'.*{name}'"):
        self._read(raw, series_tables.columns(table=name))

  def test_memory_does_not_grow_with_rows_of_others(self):
    n = 400_000
    table = pa.table(
      {
        'stay': pa.array(np.arange(n) % 1000).cast(pa.string()),
        'hour': np.zeros(n),
        'item': pa.array(['K'] * n),
        'value': np.zeros(n),
      }
    )
    pyarrow.parquet.write_table(table, self.folder / 't.parquet')
    tracemalloc.start()
    try:
      data, _, _ = self._read(
        None,
        series_tables.columns(table='t.parquet'),
        study=np.array(['7', '8']),
      )
      peak = tracemalloc.get_traced_memory()[1]
    finally:
      tracemalloc.stop()
    self.assertLen(data.time, 800)
    # An object a row would take fifty bytes of each.
    self.assertLess(peak, 40 * n)

  def _physionet(self, study, **options):
    given = {
      'table': 'series.parquet',
      'study': ('record_id',),
      'time': 'minutes',
      'code': 'parameter',
      'value': 'value',
      'time_unit': 'minutes',
      'index': 2880.0,
      'after_index': 'drop',
      'unknown': ('-1',),
    }
    c = series_rows.SeriesColumns(**{**given, **options})
    findings = tables.Findings(c.table)
    data, notes = series_rows.read(c, self.folder, study, None, findings)
    data.check('series', len(study))
    return data, notes, [str(x) for x in findings.finished()]

  def test_a_twin_of_physionet(self):
    table = twin(np.random.default_rng(0))
    pyarrow.parquet.write_table(table, self.folder / 'series.parquet')
    flat = pa.table({k: table[k].cast(pa.string()) for k in table.column_names})
    pyarrow.csv.write_csv(flat, self.folder / 'series.csv')
    study = np.array([str(132539 + i) for i in range(TWIN_STUDIES + 1)])
    data, notes, found = self._physionet(study)
    self.assertEqual(found, [])
    minutes = table['minutes'].to_numpy()
    unknown = table['value'].to_numpy() == -1
    late = int((minutes >= 2880).sum())
    self.assertLen(data.time, int(((minutes < 2880) & ~unknown).sum()))
    self.assertIn(
      f'of 120,000 rows {late} are at or after the time of prediction and left '
      'out',
      notes,
    )
    self.assertIn('Na', data.codes)
    self.assertLen(data.codes, TWIN_CODES)
    self.assertFalse(data.present[-1])
    again, _, _ = self._physionet(study, table='series.csv')
    self.assertEqual(data.digest(), again.digest())

  def test_physionet(self):
    if not (REAL / 'series.parquet').is_file():
      self.skipTest('the data of the PhysioNet challenge are not here')
    with (REAL / 'ehr.csv').open() as file:
      study = np.array([x['record_id'] for x in csv.DictReader(file)])
    self.folder = REAL
    start = time.monotonic()
    data, notes, found = self._physionet(
      study, unknown=(), plausible={'Temp': (20, 45), 'FiO2': (0.21, 1)}
    )
    # Three seconds on an idle machine of two cores.
    self.assertLess(time.monotonic() - start, 30)
    self.assertLen(data.codes, 37)
    self.assertIn('of 1,654,892 rows 41 are at or after', notes[0])
    self.assertIn("of 82,470 rows of 'Temp' 124 are outside", notes[1])
    self.assertLen(data.time, 1_654_892 - 41 - 124)
    self.assertLen(found, 1)


if __name__ == '__main__':
  absltest.main()
