from absl.testing import absltest, parameterized

from fusion_jax.core import config, errors
from fusion_jax.evaluation import config as evaluation_config


class EvaluationConfigTest(parameterized.TestCase):
  def test_round_trip(self):
    settings = evaluation_config.EvaluationConfig(
      margin=0.01, metric='brier', horizons=(365.0, 0.5)
    )
    self.assertEqual(
      config.from_dict(
        evaluation_config.EvaluationConfig, config.to_dict(settings)
      ),
      settings,
    )

  def test_horizons_are_set_as_a_list(self):
    settings = config.apply_overrides(
      evaluation_config.EvaluationConfig(), ['horizons=30,0.5'], flag='--set'
    )
    self.assertEqual(settings.horizons, (30.0, 0.5))

  @parameterized.parameters(
    ({'margin': 0.0}, 'margin=0.0'),
    ({'margin': float('nan')}, 'margin=nan'),
    ({'replicates': 38}, 'replicates=38.*at least 39'),
    ({'seed': -1}, 'seed=-1'),
    ({'interval': 'bac'}, "'bac'.*evaluation.interval.*Did you mean 'bca'"),
    ({'permutations': -1}, 'permutations=-1'),
    ({'horizons': (1.0, 0.0)}, 'horizons: 0.0 is not a positive number'),
    ({'horizons': (float('nan'),)}, 'horizons: nan'),
    ({'horizons': (float('inf'),)}, 'horizons: inf'),
    ({'horizons': (1.2345678,)}, '1.2345678 .* at most six digits'),
    ({'horizons': (2.0, 0.5, 2.0)}, 'horizons=2,0.5,2: a time is given twice'),
  )
  def test_bad_values(self, values, message):
    with self.assertRaisesRegex(errors.UserError, message):
      evaluation_config.EvaluationConfig(**values)


if __name__ == '__main__':
  absltest.main()
