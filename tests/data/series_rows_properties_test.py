"""Tests that hold for whatever rows a series has."""

import math
import pathlib

import hypothesis
import numpy as np
from absl.testing import absltest, parameterized
from hypothesis import strategies as st

from tests.data import series_tables

HEADER = series_tables.HEADER


class SeriesRowsPropertiesTest(parameterized.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(self.create_tempdir().full_path)

  def _read(self, raw, *args, **options):
    return series_tables.read(self.folder, raw, *args, **options)

  def _of_rows(self, rows, **options):
    text = ''.join(f'{",".join(map(str, x))}\n' for x in rows)
    data, notes, found = self._read(
      HEADER + text, series_tables.columns(after_index='drop', **options)
    )
    return data.digest(), notes, found

  def test_order_and_late_rows_change_nothing(self):
    row = st.tuples(
      st.sampled_from(['a', 'b', 'c', 'z']),
      st.sampled_from([*range(0, 48, 7), 47.9999, -3]),
      st.sampled_from(['K', 'Na', '1.0', '042']),
      st.sampled_from(['', '1', '-1', '0', '-0', '2.50', '1e3']),
    )
    late = st.tuples(
      st.sampled_from(['a', 'b', 'c']),
      st.sampled_from([48, 48.0001, 1e6]),
      st.sampled_from(['K', '7', 'new', '']),
      st.sampled_from(['', '1', '999', 'bad']),
    )

    @hypothesis.settings(max_examples=60, deadline=None, database=None)
    @hypothesis.given(
      st.lists(row, min_size=1, max_size=12),
      st.lists(late, max_size=4),
      st.randoms(use_true_random=False),
    )
    def check(rows, after, random):
      rows = [('a', 1, 'K', 1), *rows]
      options = {'unknown': ('-1',), 'plausible': {'K': (-5, 100)}}
      once = self._of_rows(rows, **options)
      mixed = rows + after
      random.shuffle(mixed)
      again = self._of_rows(mixed, **options)
      self.assertEqual(once[0], again[0])
      self.assertEqual(once[2], again[2])
      random.shuffle(rows)
      self.assertEqual(once, self._of_rows(rows, **options))

    check()

  def test_agrees_with_reading_row_by_row(self):
    rng = np.random.default_rng(1)
    rows = []
    for _ in range(300):
      study, code = rng.choice(['a', 'b', 'x']), rng.choice(['K', 'Na'])
      value = rng.choice(['', '-1', f'{rng.normal():.3f}'])
      rows.append((str(study), float(rng.integers(0, 60)), str(code), value))
    expected = {x: [] for x in series_tables.STUDY}
    for study, hour, code, value in rows:
      if study in expected and hour < 48 and value != '-1':
        if hour - 48 >= -40:
          x = None if value == '' else round(float(value), 3)
          expected[study].append((hour - 48, code, x))
    text = ''.join(f'{",".join(map(str, x))}\n' for x in rows)
    data, _, _ = self._read(
      HEADER + text,
      series_tables.columns(after_index='drop', unknown=('-1',), window=40),
    )

    def key(x):
      return x[0], x[1], math.inf if x[2] is None else x[2]

    self.assertEqual(
      series_tables.listed(data),
      [sorted(expected[x], key=key) for x in series_tables.STUDY],
    )


if __name__ == '__main__':
  absltest.main()
