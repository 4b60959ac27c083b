"""How neural models are trained."""

import dataclasses
import math

from fusion_jax.core import errors
from fusion_jax.training import optimizers, pretrained, protocol

CLASS_BALANCES = ('none', 'balanced')
DTYPES = ('float32', 'bfloat16')


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
  """Configuration of neural training, stopped early by validation.

  Attributes:
    epochs: most passes over the training part; more where these would be
      fewer than `least_steps` steps, as in small cohorts.
    least_steps: steps that training is given at least.
    batch_size: studies a step.
    learning_rate: peak of the schedule.
    weight_decay: decoupled, on kernels and embeddings only.
    optimizer: spec of one of `optimizers.OPTIMIZERS`.
    schedule: spec of one of `optimizers.SCHEDULES`: the course of the rate
      after the warm-up.
    warmup: fraction of all steps in which the rate rises linearly.
    init: MODALITY=LAYOUT:PATH, weights that a modality's encoder starts from
      (pretrained.py); its pixels are then scaled as theirs were.
    groups: REGEX:RATE, factors on the learning rate of the parameters in whose
      path the expression is found; 0 freezes them. The first that fits counts.
    patience: epochs without a lower validation loss before a model stops;
      more where these would be fewer than `least_patience` steps.
    least_patience: steps without a lower validation loss that a model is given
      at least.
    average: decay of the moving average of the parameters, which is what is
      validated and kept (Polyak and Juditsky 1992); 0 for none.
    clip_norm: largest global gradient norm; 0 for no limit.
    dtype: of the forward and backward pass in training, 'float32' or
      'bfloat16'; parameters, losses and predictions are float32 in any case.
    accumulate: parts in which a batch is passed through the model one after
      the other, to save memory; the step is that of the whole batch but for
      dropout and statistics over studies, which are drawn and taken by part.
    methods: specs of `protocol.METHODS`, applied in order around the step.
    watch: whether, by epoch, the validation loss of what is predicted from
      each modality alone and the norm of its encoder's gradients are kept.
    members: models that an arm trains from seeds of their own, whose
      probabilities are averaged: a deep ensemble. An arm that trains on halves
      has one for each half in any case.
    remat: whether the backward pass computes each encoder stage again instead
      of keeping what is inside it, to save memory.
    save_minutes: minutes between two times that a fleet in training is kept
      on disk, to go on from after it was killed; 0 for never.
    save_epochs: likewise, epochs.
    save_steps: likewise, steps, counted over all epochs.
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
  optimizer: str = 'adamw'
  schedule: str = 'cosine'
  warmup: float = 0.1
  init: tuple[str, ...] = ()
  groups: tuple[str, ...] = ()
  patience: int = 8
  least_patience: int = 200
  average: float = 0.98
  clip_norm: float = 1.0
  dtype: str = 'float32'
  accumulate: int = 1
  members: int = 1
  remat: bool = False
  methods: tuple[str, ...] = ()
  watch: bool = False
  save_minutes: float = 10.0
  save_epochs: int = 0
  save_steps: int = 0
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
    ('accumulate', 1, 1024),
    ('members', 1, 100),
    ('save_minutes', 0, None),
    ('save_epochs', 0, None),
    ('save_steps', 0, None),
    ('crop', 0, 0.5),
    ('brightness', 0, 1),
  ):
    value = getattr(config, name)
    if not low <= value <= (float('inf') if high is None else high):
      legal = f'at least {low}' if high is None else f'from {low} to {high}'
      raise errors.UserError(
        f'training.{name}={value}: expected a number {legal}.'
      )
  for name, legal in (('class_balance', CLASS_BALANCES), ('dtype', DTYPES)):
    value = getattr(config, name)
    if value not in legal:
      raise errors.unknown_name(f'training.{name} value', value, legal)
  optimizers.OPTIMIZERS.check(config.optimizer, where='training.optimizer')
  optimizers.SCHEDULES.check(config.schedule, where='training.schedule')
  optimizers.parse_groups(config.groups)
  pretrained.parse(config.init)
  for method in config.methods:
    protocol.METHODS.check(method, where='training.methods')
