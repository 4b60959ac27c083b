"""Tests of fusion_jax.data.descriptor."""

import pathlib

from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import descriptor, keys, numbers
from tests.data import folders


class DescriptorTest(parameterized.TestCase):
  def _load(self, text):
    path = pathlib.Path(self.create_tempdir('mine').full_path, 'cohort.toml')
    path.write_text(text, encoding='utf-8')
    return descriptor.load(path)

  def test_texts_and_lists(self):
    d = self._load('version = 1\n' + folders.TOML)
    self.assertEqual(d.name, 'mine')
    self.assertEqual(d.study, ('study',))
    self.assertEqual(d.label, ('label',))
    self.assertEqual(d.features, ('age', 'region', 'smokes'))
    self.assertEqual(d.named_columns()['age'], 'numeric')
    self.assertEqual(d.orientation, 'fixed')

  def test_everything(self):
    d = self._load("""
      name = "all"
      task = "survival"
      table = "t.parquet"
      study = ["patient", "scan"]
      patient = "none"
      patient_reason = "anonymised"
      time = "days"
      time_unit = "days"
      event = "died"
      positive = ["yes", 1]
      images = ["a/{scan}.png", "b/{scan}_*.png", "path"]
      missing_images = "absent"
      image_size = 48
      orientation = "free"
      numeric = ["age"]
      true_values = ["y"]
      groups = ["sex"]
      notes = "one"
      [[exclude]]
      column = "quality"
      values = [0, ""]
      reason = "blurred"
    """)
    self.assertEqual(d.patient, ())
    self.assertEqual(d.positive, ('yes', '1'))
    self.assertEqual(d.labels, ('days', 'died'))
    self.assertEqual(d.time_unit, 'days')
    self.assertEqual(d.notes, ('one',))
    self.assertEqual(
      d.exclude, (keys.Exclusion('quality', 'blurred', ('0', '')),)
    )

  @parameterized.parameters(
    ('numric = ["x"]', "unknown key 'numric'. Did you mean 'numeric'?"),
    ('license = "MIT"', "Did you mean 'licence'?"),
    ('version = 3', 'version = 3 is not known'),
    ('image_size = "big"', 'image_size must be a whole number'),
    ('groups = "sex"', 'groups must be a list of texts'),
    ('fold = 3', 'fold must be a text'),
    ('orientation = "fre"', "Unknown orientation 'fre'"),
    ('missing_images = "ok"', "Unknown choice of missing_images 'ok'"),
    ('time = "t"', 'time and event are only for survival'),
    ('classes = ["a"]', 'classes is only for'),
    ('time_unit = "days"', 'time_unit is only for survival'),
    ('patient_reason = "x"', 'only for patient = "none"'),
    ('exclude = ["x"]', 'exclude must be tables'),
    ('[[exclude]]\ncolumn = "a"\nvalues = ["x"]', 'exclude must be tables'),
    ('[[exclude]]\ncolum = "a"', "Unknown key of exclude 'colum'"),
    ('negative = ["0"]', 'negative needs the key positive'),
    ('positive = "1"\nnegative = [0, 1]', "'1' is both positive and negative"),
    ('positive_above = "0"', "positive_above must be a number, got '0'"),
    ('positive_above = true', 'positive_above must be a number'),
    ('positive_above = nan', 'positive_above must be a number'),
    (
      f'positive_above = {"9" * 400}',
      'holds a whole number of more than 64 bits',
    ),
    ('positive_above = 1\npositive = "1"', 'nothing beside positive_above'),
    ('label_separator = "|"', 'label_separator is only for one label of'),
    ('x = [', 'is not legal TOML'),
  )
  def test_an_added_fault_is_one_line(self, line, message):
    with self.assertRaises(errors.UserError) as caught:
      self._load(folders.TOML + line)
    self.assertIn(message, str(caught.exception))
    self.assertNotIn('\n', str(caught.exception))

  @parameterized.parameters(
    ('task = "binary"', 'task = "binry"', "Did you mean 'binary'?"),
    ('task = "binary"', 'task = "survival"', 'needs time and event'),
    (
      'task = "binary"',
      'task = "regression"\npositive_above = 1',
      'positive_above means nothing for task = "regression"',
    ),
    (
      'task = "binary"',
      'task = "multilabel"\nlabel_separator = "|"\npositive = "x"',
      'positive means nothing beside label_separator',
    ),
    ('label = "label"', '', 'needs the key label'),
    ('label = "label"', 'label = ""', 'the name of a column, not empty'),
    ('label = "label"', 'label = ["a", "b"]', 'task = "multilabel"'),
    ('patient = "patient"', '', "lacks the key 'patient'"),
    ('patient = "patient"', 'patient = "none"', 'needs a written'),
    ('table = "table.csv"', '', "lacks the key 'table'"),
    ('["age"]', '["age", "region"]', "'region' is listed under numeric and"),
    ('["age"]', '["label"]', "'label' is both label and a feature"),
    ('["age"]', '["patient"]', "'patient' is both patient and a feature"),
  )
  def test_a_changed_fault_is_one_line(self, old, new, message):
    with self.assertRaises(errors.UserError) as caught:
      self._load(folders.TOML.replace(old, new))
    self.assertIn(message, str(caught.exception))
    self.assertNotIn('\n', str(caught.exception))

  def test_no_such_file(self):
    with self.assertRaisesRegex(errors.UserError, 'No such cohort descriptor'):
      descriptor.load('nowhere/cohort.toml')

  def test_what_is_known_of_a_column(self):
    d = self._load("""
      task = "binary"
      table = "t.csv"
      study = "s"
      patient = "p"
      label = "y"
      numeric = ["spo2", "crp", "age"]
      unknown_codes = {"*" = ["UNK"], spo2 = [999]}
      plausible = {spo2 = [0, 100]}
      decimal = {crp = ","}
      units = {age = "Y"}
      bounds = ["crp"]
    """)
    self.assertEqual(d.codes('spo2'), ('UNK', '999'))
    self.assertEqual(d.codes('age'), ('UNK',))
    self.assertEqual(
      d.number_format('crp'), numbers.Format(decimal=',', bounds=True)
    )
    self.assertEqual(d.number_format('spo2'), numbers.Format(low=0, high=100))
    self.assertEqual(d.number_format('age'), numbers.Format(unit='Y'))
    self.assertEqual(d.named_columns()['spo2'], 'numeric')

  @parameterized.parameters(
    ('plausible = {sex = [0, 1]}', "plausible names 'sex'"),
    ('bounds = ["sex"]', "bounds names 'sex'"),
    ('units = {sex = "C"}', "units names 'sex'"),
    ('decimal = {sex = ","}', "decimal names 'sex'"),
    ('blank_false = ["age"]', "blank_false names 'age', .* boolean"),
    ('exclude_without_image = true', 'means nothing without images'),
    ('exclude_without_image = "yes"', 'must be true or false'),
  )
  def test_keys_of_columns_listed_elsewhere(self, line, message):
    with self.assertRaisesRegex(errors.UserError, message):
      self._load(f"""
        task = "binary"
        table = "t.csv"
        study = "s"
        patient = "p"
        label = "y"
        numeric = ["age"]
        categorical = ["sex"]
        {line}
      """)


if __name__ == '__main__':
  absltest.main()
