"""Settings of the evaluation."""

import dataclasses

from fusion_jax.core import errors

# The 2.5% quantile of a bootstrap needs (replicates + 1) * .025 >= 1.
_FEWEST_REPLICATES = 39


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
  """How arms are compared; docs/statistics.md says what each number means.

  Attributes:
    margin: differences smaller than this are of no interest: two arms are
      equivalent if the 90% interval of their difference lies inside
      (-margin, margin), in the unit of the metric.
    replicates: number r of patient bootstrap replicates.
    seed: of the bootstrap; the same seed gives the same intervals.
    metric: what arms are compared by; empty for the task's primary metric.
  """

  margin: float = 0.02
  replicates: int = 2000
  seed: int = 0
  metric: str = ''

  def __post_init__(self):
    if not 0 < self.margin < float('inf'):
      raise errors.UserError(
        f'evaluation.margin={self.margin}: expected a positive number.'
      )
    if self.replicates < _FEWEST_REPLICATES:
      raise errors.UserError(
        f'evaluation.replicates={self.replicates}: a 95% interval needs at '
        f'least {_FEWEST_REPLICATES}.'
      )
    if self.seed < 0:
      raise errors.UserError(
        f'evaluation.seed={self.seed}: expected 0 or a positive whole number.'
      )
