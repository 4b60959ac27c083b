"""Tests of fusion_jax.data.labels."""

import numpy as np
from absl.testing import absltest, parameterized

from fusion_jax.data import descriptor, records
from tests.data import folders

NAN = float('nan')


def toml(task, keys, label='label = "label"'):
  text = folders.TOML.replace('"binary"', f'"{task}"')
  text = text.replace('label = "label"', label)
  return text.replace('["UNK"]', '["UNK", "?", -1]') + keys


class _Read(parameterized.TestCase):
  def _read(self, values, text):
    """Rows with `values` as labels, each given value once and then again."""
    table = folders.rows()
    for i, row in enumerate(table):
      row['label'] = values[i % len(values)]
      row['days'] = str(1 + i % 2)
    folder = folders.write(
      self.create_tempdir().full_path, table=table, toml=text, images=False
    )
    text = text.replace('images = "images/{study}.png"\n', '')
    (folder / 'cohort.toml').write_text(text, encoding='utf-8')
    return records.read(descriptor.load(folder / 'cohort.toml'), folder)

  def _labels(self, values, text):
    r = self._read(values, text)
    self.assertEqual([str(x) for x in r.findings.finished()], [])
    return r.labels[: len(values)].tolist()

  def _problems(self, values, text):
    return [str(x) for x in self._read(values, text).findings.finished()]


class LabelsTest(_Read):
  @parameterized.parameters('-1', '-1.0', '?', 'UNK')
  def test_a_declared_unknown_is_unknown_in_multilabel(self, code):
    text = toml('multilabel', 'positive = ["1"]\n')
    found = self._labels(('1.0', '0.0', code, ''), text)
    np.testing.assert_array_equal(found, [[1], [0], [NAN], [NAN]])

  @parameterized.product(
    code=('-1', '?'), positive=('positive = ["1"]', ''), task=(0, 1, 2)
  )
  def test_elsewhere_it_is_an_error_in_each_row(self, code, positive, task):
    kind, label, values = (
      ('binary', 'label = "label"', ('1', '0', code)),
      ('survival', 'time = "days"\nevent = "label"', ('1', '0', code)),
      ('multiclass', 'label = "label"', ('1', '0', '2', code)),
    )[task]
    positive = '' if kind == 'multiclass' else positive
    problems = self._problems(values, toml(kind, positive, label))
    self.assertLen(problems, 4)
    self.assertIn(
      f'{24 // len(values) - 3} more of these (unknown code): lines ',
      problems[-1],
    )
    self.assertStartsWith(
      problems[0],
      f"table.csv, line {len(values) + 1}, column 'label': '{code}' is an "
      f'unknown code (unknown_codes), but a {kind} label must be known',
    )
    self.assertIn('[[exclude]]', problems[0])

  def test_an_unknown_number_is_no_label_of_a_regression(self):
    problems = self._problems(('3.5', '2', '-1'), toml('regression', ''))
    self.assertLen(problems, 4)
    self.assertIn("line 4, column 'label': '-1' is an unknown", problems[0])
    self.assertIn('5 more of these (unknown code)', problems[-1])

  @parameterized.parameters('binary', 'multilabel')
  def test_other_values_are_listed_with_counts(self, task):
    values = ('1', '0', '0', '2', 'unknown', '0')
    (problem,) = self._problems(values, toml(task, 'positive = ["1"]'))
    self.assertIn(
      "values neither of positive = ['1'] nor of negative = []: '0' in 12 "
      "rows, '2' in 4 rows, 'unknown' in 4 rows. Say with the key negative",
      problem,
    )
    (problem,) = self._problems(
      values, toml(task, 'positive = ["1"]\nnegative = [0, 2]')
    )
    self.assertIn("negative = ['0', '2']: 'unknown' in 4 rows.", problem)
    keys = 'positive = ["1"]\nnegative = [0, 2, "unknown"]'
    found = self._labels(values, toml(task, keys))
    self.assertEqual(found, [[1], [0], [0], [0], [0], [0]])

  def test_a_value_alone_in_one_column_of_many_is_listed(self):
    keys = 'positive = ["1"]'
    text = toml('multilabel', keys, 'label = ["label", "days"]')
    # The column days holds 1 and 2.
    problems = self._problems(('1', '0'), text)
    self.assertLen(problems, 2)
    self.assertIn("column 'days': values neither", problems[1])
    self.assertIn("'2' in 12 rows", problems[1])
    found = self._labels(('1', '2', '2'), text)
    self.assertEqual(found, [[1, 1], [0, 0], [0, 1]])

  def test_one_other_value_means_zero(self):
    text = toml('binary', 'positive = ["mel", "bcc"]')
    self.assertEqual(self._labels(('mel', 'nv', 'bcc'), text), [[1], [0], [1]])

  def test_what_is_named_for_the_label_is_no_unknown_code(self):
    text = toml('binary', 'positive = ["1"]\nnegative = [-1]')
    self.assertEqual(self._labels(('1', '-1'), text), [[1], [0]])

  @parameterized.parameters(
    (('1.0', '0.5'), 'positive = [1]', [[1], [0]]),
    (('True', 'False'), 'positive = [true]', [[1], [0]]),
    (('042', '42'), 'positive = ["042"]', [[1], [0]]),
    (('250.0', '250.00'), 'positive = ["250.00"]', [[0], [1]]),
  )
  def test_values_are_compared_as_the_column_is_spelt(
    self, values, keys, expected
  ):
    self.assertEqual(self._labels(values, toml('binary', keys)), expected)

  def test_above_a_number(self):
    text = toml('binary', 'positive_above = 0')
    found = self._labels(('0', '0.5', '1', '0.0', '2.0'), text)
    self.assertEqual(found, [[0], [1], [1], [0], [1]])
    problems = self._problems(('0', '0.5', '1', '-1', 'mild', ''), text)
    self.assertLen(problems, 12)
    text = ' '.join(problems)
    self.assertIn("line 5, column 'label': '-1' is an unknown code", text)
    self.assertIn("line 6, column 'label': 'mild' is not a number", text)
    self.assertIn("line 7, column 'label': the label is blank", text)
    text = toml('multilabel', 'positive_above = 0.5')
    found = self._labels(('0.5', '0.6', '', '?'), text)
    np.testing.assert_array_equal(found, [[0], [1], [NAN], [NAN]])

  def test_codes_are_classes_of_their_own(self):
    values = ('250.0', '250.00', '042', '42')
    r = self._read(values, toml('multiclass', ''))
    self.assertEqual(r.findings.finished(), [])
    self.assertEqual(r.task.names, ('042', '42', '250.0', '250.00'))
    self.assertEqual(r.labels[:4, 0].tolist(), [2, 3, 0, 1])
    keys = 'classes = ["42", "042", "250.00", "250.0"]'
    r = self._read(values, toml('multiclass', keys))
    self.assertEqual(r.labels[:4, 0].tolist(), [3, 2, 1, 0])

  def test_classes_are_named_as_they_are_declared(self):
    r = self._read(('1.0', '0.5', '0.0'), toml('multiclass', ''))
    self.assertEqual(r.task.names, ('0.0', '0.5', '1.0'))
    keys = 'classes = [0, 0.5, 1]'
    r = self._read(('1.0', '0.5', '0.0'), toml('multiclass', keys))
    self.assertEqual(r.findings.finished(), [])
    self.assertEqual(r.task.names, ('0', '0.5', '1'))
    self.assertEqual(r.labels[:3, 0].tolist(), [2, 1, 0])


class SeparatedTest(_Read):
  CELLS = ('Edema|Effusion', 'No Finding', 'Effusion', '', '?')

  def test_labels_in_one_cell(self):
    text = toml('multilabel', 'label_separator = "|"\n')
    r = self._read(self.CELLS, text + 'negative = "No Finding"')
    self.assertEqual(r.findings.finished(), [])
    self.assertEqual(r.task.names, ('Edema', 'Effusion'))
    np.testing.assert_array_equal(
      r.labels[:5], [[1, 1], [0, 0], [0, 1], [NAN, NAN], [NAN, NAN]]
    )

  def test_a_finding_of_none_is_a_label_unless_negative_names_it(self):
    r = self._read(self.CELLS, toml('multilabel', 'label_separator = "|"'))
    self.assertEqual(r.task.names, ('Edema', 'Effusion', 'No Finding'))
    self.assertEqual(r.labels[:2].tolist(), [[1, 1, 0], [0, 0, 1]])

  def test_classes_leave_no_label_out_without_a_word(self):
    keys = 'label_separator = "|"\nclasses = ["Effusion", "Hernia"]\n'
    problems = self._problems(self.CELLS, toml('multilabel', keys))
    self.assertIn("no study has the label 'Hernia'", ' '.join(problems))
    self.assertIn("'Edema' in 5 rows, 'No Finding' in 5", ' '.join(problems))
    keys = 'label_separator = "|"\nclasses = ["Effusion", "Edema"]\n'
    keys += 'negative = ["No Finding"]'
    r = self._read(self.CELLS, toml('multilabel', keys))
    self.assertEqual(r.task.names, ('Effusion', 'Edema'))
    self.assertEqual(r.labels[:3].tolist(), [[1, 1], [0, 0], [1, 0]])

  def test_cells_that_contradict_themselves(self):
    text = toml('multilabel', 'label_separator = "|"\nnegative = "none"')
    values = ('a|none', 'b|?', '|', 'a | b|', 'none')
    problems = self._problems(values, text)
    self.assertLen(problems, 5)
    self.assertIn('7 more of these (unknown label)', problems[3])
    self.assertIn("line 3, column 'label': 'b|?' names no", problems[0])
    self.assertIn("line 4, column 'label': '|' names no label", problems[1])
    self.assertIn("5 cells such as 'a|none' name a label", problems[-1])
    r = self._read(values, text)
    self.assertEqual(r.labels[[0, 3, 4]].tolist(), [[1, 0], [1, 1], [0, 0]])


if __name__ == '__main__':
  absltest.main()
