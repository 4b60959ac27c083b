import json
import pathlib
import tempfile

from absl.testing import absltest

from experiments.studies.zoo import page, subjects
from fusion_jax.core import errors

SUBJECT = subjects.Subject('combiner', 'concat', True, ('test', 'both'))


def _row(auroc=0.95, lows=(-0.01, -0.05, -0.03), **others):
  places = zip(subjects.WHERE, lows, strict=True)
  return {
    'synergy': {
      'auroc': auroc,
      'by_seed': [auroc - 0.01, auroc + 0.01],
      'oracle': 0.98,
      'share': (auroc - 0.5) / 0.48,
    },
    'gained': [
      {'where': w, 'low': x + k / 100} for w, x in places for k in (1, 0)
    ],
    'parameters': 1234,
    'processor_seconds': 6.6,
    'date': '2026-01-02',
    'versions': {'jax': '1', 'flax': '2'},
    **others,
  }


def _cells(row, subject=SUBJECT):
  (_, found) = page.table({subject.key: row} if row else {}, [subject])
  return dict(zip(page.HEAD, found, strict=True))


class TableTest(absltest.TestCase):
  def test_lowest_bounds_and_what_is_short_of_a_claim(self):
    _, *cells = _cells(_row()).values()
    self.assertEqual(
      cells,
      [
        'combiner',
        '.94 (.950, seeds .94 to .96)',
        '-.010 (claimed)',
        '-.050',
        '**-.030 (claimed)**',
        'not run',
        '1,234',
        '7',
        '2026-01-02, jax 1, flax 2',
      ],
    )

  def test_what_was_not_run_says_so(self):
    cells = [*_cells(None).values()]
    self.assertEqual(cells.count('not run'), 3)
    self.assertEqual(cells.count('not run (claimed)'), 2)

  def test_interactions_that_are_missed_or_should_not_be(self):
    synergy = page.HEAD[2]
    self.assertStartsWith(_cells(_row(0.7))[synergy], '**')
    none = subjects.Subject('combiner', 'additive', False)
    self.assertStartsWith(_cells(_row(0.7), none)[synergy], '**')
    self.assertStartsWith(_cells(_row(0.53), none)[synergy], '.06')
    method = subjects.Subject('method', 'ogm_ge')
    self.assertStartsWith(_cells(_row(0.53), method)[synergy], '.06')

  def test_in_small(self):
    cells = [*_cells(_row(small=True)).values()]
    self.assertStartsWith(cells[-1], 'in small, 2026')


class RecordTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.folder = pathlib.Path(tempfile.mkdtemp())
    self.page = self.folder / 'methods.md'
    self.page.write_text(f'A\n\n<!-- {page.MARK} -->\n\n| old |\n\nB\n')

  def _record(self, rows):
    kept = self.folder / 'measured.json'
    page.record(rows, self.page, kept=kept)
    return page.read(kept)

  def test_rows_are_added_to_those_before(self):
    five = {'auroc': 0.8, 'oracle': 0.9}
    self._record({'combiner:concat': {**_row(), 'five': five}})
    found = self._record({'combiner:concat': _row(0.8), 'single:image': _row()})
    self.assertEqual(found['combiner:concat']['five'], five)
    self.assertEqual(found['combiner:concat']['synergy']['auroc'], 0.8)
    self.assertIn('single:image', found)

  def test_only_the_table_of_the_page_changes(self):
    self._record({'single:image': _row()})
    text = self.page.read_text()
    self.assertStartsWith(text, f'A\n\n<!-- {page.MARK} -->\n\n| part |')
    self.assertEndsWith(text, ' |\n\nB\n')
    self.assertNotIn('old', text)
    # Every part of the library has a row, run or not.
    for subject in subjects.every():
      if page.is_ours(subject):
        self.assertIn(f'| `{subject.name}` |', text)

  def test_a_page_without_the_table(self):
    self.page.write_text('A\n')
    with self.assertRaisesRegex(errors.UserError, 'has no table'):
      self._record({})

  def test_what_is_kept_with_the_code_can_be_read(self):
    for key, row in page.read().items():
      self.assertContainsSubset({'date', 'versions'}, row, key)
    json.dumps(page.read(), allow_nan=False)


if __name__ == '__main__':
  absltest.main()
