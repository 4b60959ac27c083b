"""Tests of the audits' settings."""

from absl.testing import absltest, parameterized

from fusion_jax.ablation import audit_config
from fusion_jax.core import errors


class AuditsConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    (('all',), audit_config.NAMES),
    (('none',), ()),
    ((), ()),
    (('time', 'missingness'), ('missingness', 'time')),
  )
  def test_wanted(self, names, expected):
    config = audit_config.AuditsConfig(names=names)
    audit_config.check(config)
    self.assertEqual(config.wanted, expected)

  @parameterized.parameters(
    ({'names': ('missingnes',)}, "Did you mean 'missingness'"),
    ({'names': ('none', 'time')}, 'stands alone'),
    ({'margin': -0.1}, 'audits.margin=-0.1'),
    ({'duplicates': 1.0}, 'audits.duplicates=1.0'),
    ({'permutations': 1}, 'audits.permutations=1'),
  )
  def test_bad_settings(self, changes, message):
    with self.assertRaisesRegex(errors.UserError, message):
      audit_config.check(audit_config.AuditsConfig(**changes))


if __name__ == '__main__':
  absltest.main()
