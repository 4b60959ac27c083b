"""Tests of fusion_jax.data.descriptor."""

import pathlib

from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.data import descriptor
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
      d.exclude, (descriptor.Exclusion('quality', ('0', ''), 'blurred'),)
    )

  @parameterized.parameters(
    ('numric = ["x"]', "unknown key 'numric'. Did you mean 'numeric'?"),
    ('license = "MIT"', "Did you mean 'licence'?"),
    ('version = 2', 'version = 2 is not known'),
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


if __name__ == '__main__':
  absltest.main()
