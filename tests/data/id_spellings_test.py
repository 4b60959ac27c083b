"""Tests of fusion_jax.data.id_spellings."""

from absl.testing import absltest, parameterized

from fusion_jax.data import descriptor, id_spellings, records
from tests.data import folders


class IdSpellingsTest(parameterized.TestCase):
  def _problems(self, patients, toml=folders.TOML, studies=()):
    table = folders.rows()
    for row, name in zip(table, patients, strict=False):
      row['patient'] = name
    for row, name in zip(table, studies, strict=False):
      row['study'] = name
    folder = folders.write(
      self.create_tempdir().full_path, table=table, toml=toml
    )
    r = records.read(descriptor.load(folder / 'cohort.toml'), folder)
    id_spellings.check(r)
    self.assertLen(r, 24)
    return [(x.severity, str(x)) for x in r.findings.finished()]

  @parameterized.parameters(
    ('101', '101.0'), ('101', '00101'), ('Q7', 'q7'), ('Q 7', 'Q7')
  )
  def test_one_patient_in_two_spellings(self, one, other):
    ((severity, text),) = self._problems(['a', one, 'b', other, one])
    self.assertEqual(severity, 'warning')
    self.assertStartsWith(
      text,
      f"table.csv, line 5, column 'patient': patient '{other}' is written like "
      f"'{one}' on line 3 but for case, blanks",
    )

  def test_three_spellings_and_accents(self):
    found = self._problems(['7', '07', '7.0', 'Jos\xe9', 'Jose\u0301'])
    self.assertLen(found, 3)
    self.assertIn(
      r"patient 'Jose\u0301' is written like 'Jos\xe9'", found[2][1]
    )

  def test_studies(self):
    toml = folders.TOML.replace(
      'patient = "patient"', 'patient = "none"\npatient_reason = "no ids"'
    )
    ((_, text),) = self._problems((), toml, studies=['s1', 'S1'])
    self.assertIn("line 3, column 'study': study 'S1' is written like", text)
    toml = folders.TOML.replace('patient = "patient"', 'patient = "study"')
    ((_, text),) = self._problems((), toml, studies=['s1', 'S1'])
    self.assertIn("patient 'S1' is written like", text)

  def test_nothing_to_say(self):
    self.assertEqual(self._problems(['1', '1', '10', 'P1', 'Q1']), [])


if __name__ == '__main__':
  absltest.main()
