"""Tests of what names of columns suggest."""

import re
import tomllib

from absl.testing import absltest, parameterized

from fusion_jax.data import drafting
from tests.data import drafts


class DraftingTest(parameterized.TestCase):
  @parameterized.parameters(
    ('Patient ID', 'patient_id'),
    ('patientId', 'patient_id'),
    ('Follow-up #', 'follow_up'),
    ('M/F', 'm_f'),
    ('  ', ''),
  )
  def test_plain(self, name, expected):
    self.assertEqual(drafting.plain(name), expected)

  @parameterized.parameters(
    ('Patient ID', True),
    ('patientid', True),
    ('Subject', True),
    ('bcr_patient_barcode', True),
    ('MRN', True),
    ('Patient Age', False),
    ('inpatient_days', False),
    ('mrn_date', False),
  )
  def test_patients(self, name, expected):
    found = re.search(drafting.PATIENT, drafting.plain(name))
    self.assertEqual(bool(found), expected)

  @parameterized.parameters(
    'died',
    'discharge_code',
    'biopsed',
    'in_icu',
    'In-hospital death',
    'vital_status',
    'length_of_stay',
    'days_to_death',
    'label_dx_type',
    'survival',
    'histology',
  )
  def test_what_is_made_after_a_prediction(self, name):
    self.assertTrue(drafting.is_later(name))

  @parameterized.parameters(
    'icu_type',
    'smoking_history',
    'age_at_diagnosis',
    'prior_treatment',
    'last_preop_egfr',
    'heart_rate',
    'lost_weight',
    'diet',
  )
  def test_what_is_not(self, name):
    self.assertFalse(drafting.is_later(name))

  @parameterized.parameters(
    ('doi', True),
    ('License', True),
    ('source', True),
    ('folder', True),
    ('fileName', True),
    ('clinical_notes', True),
    ('resource_use', False),
    ('profile', False),
    ('location', False),
  )
  def test_how_data_were_collected(self, name, expected):
    self.assertEqual(drafting.is_collected(name), expected)

  @parameterized.parameters(
    ('column 1', ['0', '1', '2'], True),
    ('Unnamed: 0', ['1', '2', '3'], True),
    ('column 1', ['0', '1', '3'], False),
    ('column 1', ['a', 'b', 'c'], False),
    ('age', ['1', '2', '3'], False),
  )
  def test_columns_that_count_rows(self, name, cells, expected):
    made = drafts.of({name: cells})
    self.assertEqual(made.counts_rows(name), expected)

  def test_distinct_rows(self):
    made = drafts.draft(a=['1', '1', '2'], b=['x', 'y', 'x'], c=['1', '', '2'])
    self.assertFalse(made.is_distinct('a'))
    self.assertTrue(made.is_distinct('a', 'b'))
    self.assertFalse(made.is_distinct('a', 'c'))
    self.assertEqual(made.blanks('c'), 1)

  def test_values_are_legal_toml(self):
    value = {'*': ['a"b', 'é'], 'x y': [1]}
    text = f'k = {drafting.toml(value)}'
    self.assertEqual(tomllib.loads(text), {'k': value})


if __name__ == '__main__':
  absltest.main()
