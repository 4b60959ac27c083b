"""Tests of faults of many rows."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import row_faults, tables


class RowFaultsTest(parameterized.TestCase):
  def _told(self, texts, parts=1):
    faults = row_faults.Faults()
    for rows in np.array_split(np.arange(len(texts)), parts):
      faults.add('odd', 'x', rows, lambda i, rows=rows: texts[rows[i]])
    findings = tables.Findings('t.csv')
    faults.tell(findings, lambda rows: rows + 2)
    return [str(x) for x in findings.finished()]

  @parameterized.parameters(1, 2, 5)
  def test_says_what_findings_say(self, parts):
    for texts in (
      ['a'],
      ['a', 'a', 'a'],
      ['a', 'b', 'a', 'c', 'd'],
      ['a'] * 30,
      ['a'] * 30 + ['b'],
    ):
      findings = tables.Findings('t.csv')
      for i, text in enumerate(texts):
        findings.add(text, line=i + 2, column='x', kind='odd')
      expected = [str(x) for x in findings.finished()]
      self.assertEqual(self._told(texts, parts), expected)

  def test_does_not_word_every_fault(self):
    said = []
    faults = row_faults.Faults()
    for _ in range(3):
      faults.add(
        'odd', 'x', np.arange(100_000), lambda i: said.append(i) or 'a'
      )
    self.assertLess(len(said), 5000)
    self.assertEqual(faults.count('odd'), 300_000)
    self.assertEqual((faults.first('odd'), faults.first('even')), ('a', ''))
    faults.drop('odd')
    self.assertEqual(faults.count('odd'), 0)
    findings = tables.Findings('t.csv')
    faults.tell(findings, lambda rows: rows)
    self.assertEqual(findings.finished(), [])

  def test_nothing(self):
    self.assertEqual(self._told([]), [])


if __name__ == '__main__':
  absltest.main()
