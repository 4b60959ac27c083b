"""Tests of fusion_jax.data.config."""

from absl.testing import absltest, parameterized

from fusion_jax.core import config as config_lib
from fusion_jax.core import errors
from fusion_jax.data import config


class ConfigTest(parameterized.TestCase):
  @parameterized.parameters(
    config.CohortConfig, config.SplitConfig, config.PreprocessConfig
  )
  def test_defaults_survive_json(self, cls):
    stored = config_lib.to_dict(cls())
    self.assertEqual(config_lib.from_dict(cls, stored), cls())

  def test_overrides(self):
    changed = config_lib.apply_overrides(
      config.CohortConfig(),
      ['name=null', 'n=40', 'informative_missing=true'],
      flag='--set',
    )
    self.assertEqual(
      changed, config.CohortConfig(name='null', n=40, informative_missing=True)
    )
    with self.assertRaisesRegex(errors.UserError, "Did you mean 'image_size'"):
      config_lib.apply_overrides(changed, ['imagesize=3'], flag='--set')

  @parameterized.parameters(
    ({'n': -1}, 'cohort.n = -1'),
    ({'n': 10**7}, 'cohort.n = 10000000'),
    ({'image_size': -1}, 'cohort.image_size = -1'),
    ({'image_size': 5000}, 'from 0 to 4096'),
    ({'n': 10**6, 'image_size': 64}, 'more than 2147483648 pixels'),
  )
  def test_sizes_are_bounded(self, changes, message):
    with self.assertRaisesRegex(errors.UserError, message):
      config.check(config.CohortConfig(**changes))


if __name__ == '__main__':
  absltest.main()
