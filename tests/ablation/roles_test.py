from absl.testing import absltest, parameterized

from fusion_jax.ablation import roles
from fusion_jax.core import errors

OURS = ('late_mean', 'ehr', 'joint', 'image')
THEIRS = ('ct', 'labs', 'both')


class AssignTest(parameterized.TestCase):
  def test_names_of_the_library(self):
    self.assertEqual(
      roles.assign(OURS), (('image', 'ehr'), ('joint', 'late_mean'))
    )

  def test_one_kind_named(self):
    expected = ('ct', 'labs'), ('both',)
    self.assertEqual(roles.assign(THEIRS, singles=['ct', 'labs']), expected)
    self.assertEqual(roles.assign(THEIRS, fusions=['both']), expected)

  def test_both_kinds_named(self):
    self.assertEqual(
      roles.assign(THEIRS, singles=['ct'], fusions=['both']),
      (('ct',), ('both',)),
    )

  def test_reference(self):
    self.assertEqual(
      roles.assign(THEIRS, reference='ct'), ((), ('labs', 'both'))
    )
    self.assertEqual(
      roles.assign(('ehr', 'image', 'mine'), reference='ehr'),
      (('image', 'ehr'), ('mine',)),
    )
    self.assertEqual(
      roles.assign(OURS, reference='joint'), (('image', 'ehr'), ('late_mean',))
    )
    self.assertEqual(
      roles.assign(THEIRS, singles=['ct'], reference='labs'),
      (('ct',), ('both',)),
    )

  @parameterized.parameters(
    ({}, "Is arm 'ct' a single modality or fusion"),
    ({'singles': ['lab']}, r"'lab' \(--singles\). Did you mean 'labs'"),
    ({'fusions': ['bth']}, r"'bth' \(--fusions\). Did you mean 'both'"),
    ({'reference': 'cta'}, r"'cta' \(--reference\). Did you mean 'ct'"),
    ({'singles': ['ct'], 'fusions': ['ct']}, 'in both'),
  )
  def test_bad_names(self, settings, message):
    with self.assertRaisesRegex(errors.UserError, message):
      roles.assign(THEIRS, **settings)


if __name__ == '__main__':
  absltest.main()
