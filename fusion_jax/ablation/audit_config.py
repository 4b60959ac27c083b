"""Settings of the audits."""

import dataclasses

from fusion_jax.core import errors

MISSINGNESS = 'missingness'
ACQUISITION = 'acquisition'
BRIGHTNESS = 'brightness'
IDENTIFIERS = 'identifiers'
ROW_ORDER = 'row_order'
TIME = 'time'
SUBGROUP_ONLY = 'subgroup_only'
LABEL_PERMUTATION = 'label_permutation'
DUPLICATES = 'duplicates'
NAMES = (
  MISSINGNESS,
  ACQUISITION,
  BRIGHTNESS,
  IDENTIFIERS,
  ROW_ORDER,
  TIME,
  SUBGROUP_ONLY,
  LABEL_PERMUTATION,
  DUPLICATES,
)
ALL = 'all'
NONE = 'none'

# A spread needs two values.
_FEWEST_PERMUTATIONS = 2
_MOST_PERMUTATIONS = 1000


@dataclasses.dataclass(frozen=True)
class AuditsConfig:
  """Which audits are made; docs/audits.md says what each one means.

  Attributes:
    names: 'all', 'none' or names of audits.
    margin: an audit alarms if the lower bound of its interval exceeds chance
      by more than this, in the unit of the metric.
    permutations: how often labels are permuted for `label_permutation`.
    duplicates: largest share of test studies with a near-duplicate image
      among the training studies of another patient that is not an alarm.
  """

  names: tuple[str, ...] = (ALL,)
  margin: float = 0.05
  permutations: int = 5
  duplicates: float = 0.01

  @property
  def wanted(self) -> tuple[str, ...]:
    """The audits to make, in their own order."""
    if self.names in ((), (NONE,)):
      return ()
    return tuple(x for x in NAMES if x in self.names or ALL in self.names)


def check(config: AuditsConfig) -> None:
  """Checks the settings.

  Raises:
    UserError: naming the value and the legal ones.
  """
  legal = (ALL, NONE, *NAMES)
  for name in config.names:
    if name not in legal:
      raise errors.unknown_name('audit', name, legal, where='audits.names')
  if NONE in config.names and len(config.names) > 1:
    raise errors.UserError(
      f"audits.names={','.join(config.names)}: '{NONE}' stands alone."
    )
  for name in ('margin', 'duplicates'):
    value = getattr(config, name)
    if not 0 <= value < 1:
      raise errors.UserError(
        f'audits.{name}={value}: expected a number from 0 to below 1.'
      )
  if not _FEWEST_PERMUTATIONS <= config.permutations <= _MOST_PERMUTATIONS:
    raise errors.UserError(
      f'audits.permutations={config.permutations}: expected a whole number '
      f'from {_FEWEST_PERMUTATIONS} to {_MOST_PERMUTATIONS}.'
    )
