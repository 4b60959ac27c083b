from absl.testing import absltest, parameterized

from fusion_jax.ablation import roles
from fusion_jax.core import errors

OURS = ('late_mean', 'ehr', 'joint', 'image')
THEIRS = ('ct', 'labs', 'both')


class AssignTest(parameterized.TestCase):
  def _are(self, present, singles, fusions, /, **named):
    found = roles.assign(present, **named)
    self.assertEqual((found.singles, found.fusions), (singles, fusions))
    return found.warnings

  def test_names_of_the_library(self):
    told = self._are(OURS, ('image', 'ehr'), ('joint', 'late_mean'))
    self.assertEmpty(told)

  def test_one_kind_named(self):
    expected = ('ct', 'labs'), ('both',)
    for named in ({'singles': ['ct', 'labs']}, {'fusions': ['both']}):
      self.assertEmpty(self._are(THEIRS, *expected, **named))

  def test_both_kinds_named(self):
    self._are(THEIRS, ('ct',), ('both',), singles=['ct'], fusions=['both'])

  def test_taken_as_fusion_is_said(self):
    told = self._are(THEIRS, (), ('labs', 'both'), reference='ct')
    self.assertEqual(
      told,
      (
        "Taken as fusion, as not named otherwise: 'labs', 'both'. Name single "
        'modalities with --singles.',
      ),
    )
    (line,) = self._are(
      ('ehr', 'image', 'mine'), ('image', 'ehr'), ('mine',), reference='ehr'
    )
    self.assertIn("otherwise: 'mine'.", line)

  def test_reference_beside_named_roles(self):
    self.assertEmpty(
      self._are(THEIRS, ('ct',), ('both',), singles=['ct'], reference='labs')
    )
    self.assertEmpty(
      self._are(THEIRS, ('labs',), ('both',), fusions=['both'], reference='ct')
    )

  def test_reference_that_is_fusion(self):
    for present, named in (
      (OURS, {'reference': 'joint'}),
      (OURS, {'reference': 'joint', 'fusions': ['joint', 'late_mean']}),
      (OURS, {'reference': 'joint', 'singles': ['image', 'ehr']}),
    ):
      found = roles.assign(present, **named)
      self.assertSameElements(found.singles, ('image', 'ehr'))
      self.assertEqual(found.fusions, ('late_mean',))
      (line,) = found.warnings
      self.assertStartsWith(line, "The reference 'joint' is fusion itself")

  @parameterized.parameters(
    ({}, "Is arm 'ct' a single modality or fusion"),
    ({'singles': ['lab']}, r"'lab' \(--singles\). Did you mean 'labs'"),
    ({'fusions': ['bth']}, r"'bth' \(--fusions\). Did you mean 'both'"),
    ({'reference': 'cta'}, r"'cta' \(--reference\). Did you mean 'ct'"),
    ({'singles': ['ct'], 'fusions': ['ct']}, 'in both'),
    ({'singles': THEIRS}, "No fusion arm is left.*modalities 'ct', 'labs', 'b"),
    (
      {'fusions': ['ct'], 'reference': 'ct'},
      "arm is left.*, the reference 'ct",
    ),
    ({'fusions': THEIRS}, "nothing to compare 'ct', 'labs', 'both' with"),
  )
  def test_bad_names(self, settings, message):
    with self.assertRaisesRegex(errors.UserError, message) as caught:
      roles.assign(THEIRS, **settings)
    self.assertLen(str(caught.exception).splitlines(), 1)

  def test_no_fusion_arm_in_the_file(self):
    for present, reference in (
      (('image', 'ehr'), ''),
      (('image', 'ehr'), 'image'),
      (('mine',), 'mine'),
    ):
      with self.assertRaisesRegex(errors.UserError, 'No fusion arm is left'):
        roles.assign(present, reference=reference)


if __name__ == '__main__':
  absltest.main()
