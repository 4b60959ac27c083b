"""Settings of the evaluation."""

import dataclasses

from fusion_jax.core import errors

# The 2.5% quantile of a bootstrap needs (replicates + 1) * .025 >= 1.
_FEWEST_REPLICATES = 39
MOST_REPLICATES = 100_000
MOST_PERMUTATIONS = 1_000_000

BOOTSTRAP = 'bootstrap'
BCA = 'bca'
DELONG = 'delong'
INTERVALS = (BOOTSTRAP, BCA, DELONG)


@dataclasses.dataclass(frozen=True)
class EvaluationConfig:
  """How arms are compared; docs/statistics.md says what each number means.

  Attributes:
    interval: of an arm: the patient bootstrap ('bootstrap': on the logit scale
      for metrics in (0, 1), percentiles for others), or bias-corrected and
      accelerated ('bca'); 'delong' has no resamples: binary AUROC on one fold
      with one study a patient only.
    permutations: random swaps of the paired permutation test; 0 for no test.
    min_group: fewest patients of a subgroup that is reported.
    min_events: fewest studies of a subgroup with the event, and without it.
    registered: a file that fixed metric, margin, arms and reference before;
      deviations are reported. Empty for none.
    margin: differences smaller than this are of no interest: two arms are
      equivalent if the 90% interval of their difference lies inside
      (-margin, margin), in the unit of the metric.
    replicates: number r of patient bootstrap replicates.
    seed: of the bootstrap; the same seed gives the same intervals.
    metric: what arms are compared by; empty for the task's primary metric.
    horizons: survival only: times at which survival is predicted, in the unit
      of the labels; empty for the quartiles of the cohort's event times.
  """

  margin: float = 0.02
  replicates: int = 2000
  seed: int = 0
  metric: str = ''
  horizons: tuple[float, ...] = ()
  interval: str = BOOTSTRAP
  permutations: int = 0
  min_group: int = 20
  min_events: int = 10
  registered: str = ''

  def __post_init__(self):
    if not 0 < self.margin < float('inf'):
      raise errors.UserError(
        f'evaluation.margin={self.margin}: expected a positive number.'
      )
    if self.replicates > MOST_REPLICATES:
      raise errors.UserError(
        f'evaluation.replicates={self.replicates}: expected a whole number of '
        f'at most {MOST_REPLICATES}.'
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
    if self.interval not in INTERVALS:
      raise errors.unknown_name(
        'interval', self.interval, INTERVALS, where='evaluation.interval'
      )
    for name in ('min_group', 'min_events'):
      if getattr(self, name) < 1:
        raise errors.UserError(
          f'evaluation.{name}={getattr(self, name)}: expected a whole number '
          'of at least 1.'
        )
    if not 0 <= self.permutations <= MOST_PERMUTATIONS:
      raise errors.UserError(
        f'evaluation.permutations={self.permutations}: expected a whole number '
        f'from 0 to {MOST_PERMUTATIONS}.'
      )
    for time in self.horizons:
      # Columns are named by the time as %g writes it.
      if not 0 < time < float('inf') or float(f'{time:g}') != time:
        raise errors.UserError(
          f'evaluation.horizons: {time} is not a positive number of at most '
          'six digits.'
        )
    if len(set(self.horizons)) < len(self.horizons):
      raise errors.UserError(
        'evaluation.horizons='
        f'{",".join(f"{t:g}" for t in self.horizons)}: a time is given twice.'
      )
