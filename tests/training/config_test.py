import dataclasses

from absl.testing import absltest, parameterized

from fusion_jax.core import errors
from fusion_jax.training import config as training_config


class CheckTest(parameterized.TestCase):
  def test_the_default_is_legal(self):
    training_config.check(training_config.TrainingConfig())

  @parameterized.parameters(
    ('epochs', 0),
    ('batch_size', 0),
    ('learning_rate', -1.0),
    ('learning_rate', float('nan')),
    ('warmup', 1.5),
    ('patience', 0),
    ('average', 2.0),
    ('crop', 0.6),
    ('accumulate', 0),
  )
  def test_impossible_values_are_named(self, name, value):
    config = dataclasses.replace(
      training_config.TrainingConfig(), **{name: value}
    )
    with self.assertRaisesRegex(errors.UserError, f'^training.{name}='):
      training_config.check(config)

  def test_unknown_balance(self):
    config = training_config.TrainingConfig(class_balance='balancd')
    with self.assertRaisesRegex(errors.UserError, "mean 'balanced'"):
      training_config.check(config)

  @parameterized.parameters(
    ('dtype', 'float16', "mean 'bfloat16'"),
    ('optimizer', 'adam', r"mean 'adamw'\?"),
    ('optimizer', 'sgd(momentum=high)', 'training.optimizer.*a number'),
    ('schedule', 'cosin', "mean 'cosine'"),
    ('groups', ('encoders',), 'training.groups'),
  )
  def test_unknown_parts(self, name, value, message):
    config = dataclasses.replace(
      training_config.TrainingConfig(), **{name: value}
    )
    with self.assertRaisesRegex(errors.UserError, message):
      training_config.check(config)


if __name__ == '__main__':
  absltest.main()
