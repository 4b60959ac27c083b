"""Tests of fusion_jax.evaluation.sources."""

import pathlib

from absl.testing import absltest

from fusion_jax.core import errors
from fusion_jax.evaluation import sources

HEAD = 'study_id,patient_id,arm,label,score,split,age\n'
ROWS = (
  's1,p1,a,0,0.1,Train,50',
  's2,p2,a,1,,training,51',
  's3,p3,a,1,0.8,val,52',
  's4,p4,a,0,0.3,test,53',
  's5,p5,a,1,0.6,Testing,54',
)


class SourcesTest(absltest.TestCase):
  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.create_tempdir().full_path) / 'p.csv'

  def _write(self, rows=ROWS, head=HEAD):
    self.path.write_text(head + '\n'.join(rows) + '\n', encoding='utf-8')

  def test_rows_of_the_training_part_are_left_out(self):
    self._write()
    with self.assertRaisesRegex(errors.UserError, '--part_column=split'):
      sources.load(self.path)
    found = sources.load(self.path, part='split')
    self.assertEqual(found.predictions.part.tolist(), ['valid', 'test', 'test'])
    self.assertEqual(found.predictions.study_id.tolist(), ['s3', 's4', 's5'])
    self.assertEqual(found.rows.tolist(), [3, 4, 5])
    self.assertEqual(found.unused, ('age',))
    self.assertEqual(
      found.remarks,
      (
        "2 of 5 rows are of the training part (column 'split') and are left "
        'out.',
        "Columns that are not used: 'age'.",
      ),
    )

  def test_the_column_part_in_other_words(self):
    self._write(head=HEAD.replace('split', 'part'))
    with self.assertRaisesRegex(errors.UserError, '--part_column=part'):
      sources.load(self.path)
    found = sources.load(self.path, part='part')
    self.assertEqual(found.predictions.part.tolist(), ['valid', 'test', 'test'])

  def test_two_columns_must_agree(self):
    head = HEAD.replace('split,age', 'split,part')
    rows = [f'{x.rsplit(",", 1)[0]},valid' for x in ROWS[2:3]]
    rows += [f'{x.rsplit(",", 1)[0]},test' for x in ROWS[3:]]
    self._write(rows, head)
    for part in ('', 'split', 'part'):
      found = sources.load(self.path, part=part)
      self.assertEqual(
        found.predictions.part.tolist(), ['valid', 'test', 'test']
      )
    self._write([x.replace('val,valid', 'test,valid') for x in rows], head)
    for part in ('', 'split', 'part'):
      with self.assertRaisesRegex(errors.UserError, 'looks like the part'):
        sources.load(self.path, part=part)

  def test_values_of_a_part_are_said(self):
    rows = [x.split(',') for x in ROWS]
    self._write(
      [','.join([*x[:5], '01'[i > 1], x[6]]) for i, x in enumerate(rows)]
    )
    with self.assertRaisesRegex(errors.UserError, "'0' in .*:0=PART,1=PART"):
      sources.load(self.path)
    found = sources.load(self.path, part='split:0=train,1=test')
    self.assertEqual(set(found.predictions.part), {'test'})
    self.assertEqual(found.unused, ('age',))
    self.assertIn("(column 'split') and are left out", found.remarks[0])

  def test_ids_in_two_spellings(self):
    rows = [x.rsplit(',', 2)[0] for x in ROWS[2:]]
    head = HEAD.replace(',split,age', '')
    self._write([*rows, 'S3, p4,a,1,0.9'], head)
    found = sources.load(self.path)
    self.assertEqual(
      found.named,
      (
        "One patient in two spellings? ' p4' and 'p4'",
        "One study in two spellings? 'S3' and 's3'",
      ),
    )
    patient, study = found.remarks
    self.assertIn('1 patient (first in rows 2, 4) has ids', patient)
    self.assertIn('1 study (first in rows 1, 4) has ids', study)
    self._write(['p1,p1,a,0,0.5', 'P1,P1,a,1,0.5'], head)
    self.assertLen(sources.load(self.path).named, 1)

  def test_many_ids_in_two_spellings_are_counted(self):
    rows = [f'{x}{i},{x}{i},a,1,0.5' for x in 'pP' for i in range(30)]
    self._write(rows, HEAD.replace(',split,age', ''))
    named = sources.load(self.path).named
    self.assertLen(named, 21)
    self.assertEqual(named[-1], '... and 10 more of these.')

  def test_only_training_rows(self):
    self._write(ROWS[:2])
    with self.assertRaisesRegex(errors.UserError, 'there are no predictions'):
      sources.load(self.path, part='split')

  def test_all_is_used(self):
    self._write([x.rsplit(',', 2)[0] for x in ROWS[2:]], HEAD[:-11] + '\n')
    self.assertEqual(sources.load(self.path).remarks, ())


if __name__ == '__main__':
  absltest.main()
