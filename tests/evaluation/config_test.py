from absl.testing import absltest, parameterized

from fusion_jax.core import config, errors
from fusion_jax.evaluation import config as evaluation_config


class EvaluationConfigTest(parameterized.TestCase):
  def test_round_trip(self):
    settings = evaluation_config.EvaluationConfig(margin=0.01, metric='brier')
    self.assertEqual(
      config.from_dict(
        evaluation_config.EvaluationConfig, config.to_dict(settings)
      ),
      settings,
    )

  @parameterized.parameters(
    ({'margin': 0.0}, 'margin=0.0'),
    ({'margin': float('nan')}, 'margin=nan'),
    ({'replicates': 38}, 'replicates=38.*at least 39'),
    ({'seed': -1}, 'seed=-1'),
  )
  def test_bad_values(self, values, message):
    with self.assertRaisesRegex(errors.UserError, message):
      evaluation_config.EvaluationConfig(**values)


if __name__ == '__main__':
  absltest.main()
