"""Tests of names in columns of many rows."""

import numpy as np
import pyarrow as pa
from absl.testing import absltest

from fusion_jax.core import errors
from fusion_jax.data import row_cells, row_names, tables


def texts(*cells) -> row_cells.Texts:
  return row_cells.texts(pa.array(cells, pa.string()))


class RowNamesTest(absltest.TestCase):
  def test_numbers_hold_over_parts(self):
    names = row_names.Names({'', 'na'})
    self.assertEqual(
      names.add(texts('b', 'a', 'NA', None, 'b')).tolist(), [0, 1, -1, -1, 0]
    )
    self.assertEqual(names.add(texts('c', 'a', '1.0')).tolist(), [2, 1, 3])
    self.assertEqual(names.texts, ['b', 'a', 'c', '1.0'])
    self.assertEqual(
      (names.of('1'), names.of('a'), names.of('x')), ([3], [1], [])
    )
    self.assertLen(names, 4)

  def test_what_is_too_long_for_a_name_is_refused_where_it_is_told(self):
    note = 'x' * 1001
    with self.assertRaisesRegex(errors.UserError, "^column 'c': 'x.* 1,001"):
      row_names.Names({''}, where="column 'c'").add(texts('a', note))
    self.assertEqual(row_names.Names({''}).add(texts(note)).tolist(), [0])

  def test_studies_of_one_column(self):
    studies = row_names.Studies(np.array(['7', '8']), 1)
    ids, blank = studies.add([texts('8.0', '7.0', '', '9.0', '8.0')])
    self.assertEqual(studies.places(ids).tolist(), [1, 0, -1, -1, 1])
    self.assertEqual(blank[0].tolist(), [False, False, True, False, False])
    self.assertEqual(
      studies.known()[ids].tolist(), [True, True, False, False, True]
    )
    self.assertEqual(studies.others(), ['9.0'])
    # A name in the column: no number in it is spelt anew.
    ids, _ = studies.add([texts('x', '8.0', '7')])
    self.assertEqual(studies.places(ids).tolist(), [-1, 1, 0])
    self.assertEqual(studies.known()[ids].tolist(), [False, False, True])

  def test_a_name_as_the_cohort_writes_it_is_meant_first(self):
    studies = row_names.Studies(np.array(['7', '7.0']), 1)
    ids, _ = studies.add([texts('7.0')])
    self.assertEqual(studies.places(ids).tolist(), [1])
    self.assertTrue(studies.known()[ids].all())

  def test_studies_of_three_columns(self):
    rng = np.random.default_rng(0)
    cohort = np.array(['a/1/x', 'b/2/y', 'a/3/y'])
    studies = row_names.Studies(cohort, 3)
    for _ in range(4):
      parts = [
        rng.choice(np.array(x, object), 200)
        for x in (['a', 'b', None], ['1.0', '2.0', '3.0'], ['x', 'y', ''])
      ]
      ids, _ = studies.add([texts(*x) for x in parts])
      rows = zip(*parts, strict=True)
      expected = []
      for row in rows:
        name = '/'.join((x or '').removesuffix('.0') for x in row)
        expected.append(cohort.tolist().index(name) if name in cohort else -1)
      self.assertEqual(studies.places(ids).tolist(), expected)
      self.assertEqual(
        (studies.places(ids) >= 0).tolist(), studies.known()[ids].tolist()
      )

  def test_nothing(self):
    for count in (1, 2):
      studies = row_names.Studies(np.array(['a']), count)
      ids, _ = studies.add([texts()] * count)
      self.assertEqual(ids.tolist(), [])
      ids, _ = studies.add([texts('', None)] * count)
      self.assertEqual(ids.tolist(), [-1, -1])

  def test_names_written_alike(self):
    studies = row_names.Studies(np.array(['p1', 'p2', 'p3']), 1)
    ids, _ = studies.add([texts('P01', 'p2', 'q', 'p 3')])
    findings = tables.Findings('t.csv')
    studies.say_alike(np.array([1]), findings, ('stay',))
    found = [str(x) for x in findings.finished()]
    self.assertLen(found, 1)
    self.assertIn(
      "column 'stay': rows of study 'P01' are ignored, but it is "
      "written like 'p1'",
      found[0],
    )
    self.assertIn('(2 studies in all)', found[0])
    findings = tables.Findings('t.csv')
    studies.say_alike(np.array([0, 1, 2]), findings, ('stay',))
    self.assertEqual(findings.finished(), [])

  def test_spellings(self):
    self.assertEqual(row_names.spellings_of('7.0'), ('7.0', '7'))
    for name in ('7', '07', '7.5', 'a', '250.00'):
      self.assertEqual(row_names.spellings_of(name), (name,))


if __name__ == '__main__':
  absltest.main()
