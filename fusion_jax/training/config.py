"""How neural models are trained."""

import dataclasses
import math

from fusion_jax.core import errors

CLASS_BALANCES = ('none', 'balanced')


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
  """Configuration of neural training (AdamW, early stopping on validation).

  Attributes:
    epochs: most passes over the training part; more where these would be
      fewer than `least_steps` steps, as in small cohorts.
    least_steps: steps that training is given at least.
    batch_size: studies a step.
    learning_rate: peak of the schedule.
    weight_decay: decoupled, on kernels and embeddings only.
    warmup: fraction of all steps in which the rate rises linearly; it then
      falls to 0 along a cosine.
    patience: epochs without a lower validation loss before a model stops;
      more where these would be fewer than `least_patience` steps.
    least_patience: steps without a lower validation loss that a model is given
      at least.
    average: decay of the moving average of the parameters, which is what is
      validated and kept (Polyak and Juditsky 1992); 0 keeps the last ones.
    clip_norm: largest global gradient norm.
    class_balance: 'none', or 'balanced' to weight each class (binary,
      multiclass) by the inverse of its share of the training part.
    augment: whether training images are changed at random.
    flip: mirror and quarter turns, only where the cohort's orientation is
      free.
    crop: largest shift, as a fraction of the image's side.
    brightness: largest change of brightness and contrast, in standard
      deviations of the training pixels.
  """

  epochs: int = 30
  least_steps: int = 600
  batch_size: int = 32
  learning_rate: float = 1e-3
  weight_decay: float = 0.05
  warmup: float = 0.1
  patience: int = 8
  least_patience: int = 200
  average: float = 0.98
  clip_norm: float = 1.0
  class_balance: str = 'none'
  augment: bool = True
  flip: bool = True
  crop: float = 0.06
  brightness: float = 0.1


def epochs_and_patience(config: TrainingConfig, steps: int) -> tuple[int, int]:
  """Most epochs, and epochs of patience, where one epoch is `steps` steps."""
  return (
    max(config.epochs, math.ceil(config.least_steps / steps)),
    max(config.patience, math.ceil(config.least_patience / steps)),
  )


def check(config: TrainingConfig) -> None:
  """Checks values that no training could use.

  Raises:
    UserError: naming the first bad value and the legal ones.
  """
  for name, low, high in (
    ('epochs', 1, 100_000),
    ('least_steps', 0, 1_000_000),
    ('batch_size', 1, 65_536),
    ('learning_rate', 0, 1000),
    ('weight_decay', 0, 1000),
    ('warmup', 0, 1),
    ('patience', 1, None),
    ('least_patience', 0, None),
    ('average', 0, 1),
    ('clip_norm', 0, None),
    ('crop', 0, 0.5),
    ('brightness', 0, 1),
  ):
    value = getattr(config, name)
    if not low <= value <= (float('inf') if high is None else high):
      legal = f'at least {low}' if high is None else f'from {low} to {high}'
      raise errors.UserError(
        f'training.{name}={value}: expected a number {legal}.'
      )
  if config.class_balance not in CLASS_BALANCES:
    raise errors.unknown_name(
      'training.class_balance value', config.class_balance, CLASS_BALANCES
    )
