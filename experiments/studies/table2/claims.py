"""What the review's Table 2 says, and what it takes to agree with it.

Huang et al. (2020, npj Digital Medicine 3:136), Table 2: seven properties of
early, joint and late fusion. Every cell is tested by checks, each of which
finds that one arm has the property, has it not, or that the data do not say.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from fusion_jax.ablation import arm as arm_lib

STRATEGIES = (arm_lib.EARLY, arm_lib.JOINT, arm_lib.LATE)

YES, NO, UNCLEAR = 'yes', 'no', 'unclear'
AGREES, QUALIFIED, DISAGREES = 'agrees', 'qualified', 'disagrees'
OUTCOMES = (AGREES, QUALIFIED, DISAGREES)

MISSING = 'missing'
INTERACTIONS = 'interactions'
FEATURES = 'features'
DATA = 'data'
MODELS = 'models'
DESIGN = 'design'
LEVELS = 'levels'


@dataclasses.dataclass(frozen=True)
class Claim:
  """One row of the table.

  Attributes:
    text: the property.
    review: by strategy, the review's answer in its sense.
  """

  text: str
  review: Mapping[str, str]


def _claim(text, early, joint, late) -> Claim:
  return Claim(text, dict(zip(STRATEGIES, (early, joint, late), strict=True)))


CLAIMS: Mapping[str, Claim] = {
  MISSING: _claim(
    'predicts with modalities missing', NO, 'no, unless specialised', YES
  ),
  INTERACTIONS: _claim('models interactions', YES, YES, NO),
  FEATURES: _claim(
    'learns more compatible features of each modality', NO, YES, NO
  ),
  DATA: _claim('does not need much data', NO, NO, YES),
  MODELS: _claim(
    'does not need several models trained',
    'yes, unless image features come from a CNN',
    YES,
    NO,
  ),
  DESIGN: _claim('does not need meticulous design', YES, NO, YES),
  LEVELS: _claim('joins at different abstraction levels', NO, YES, NO),
}


@dataclasses.dataclass(frozen=True)
class Check:
  """What one measurement says of one arm.

  Attributes:
    arm: whose.
    about: what was measured, where an arm has several checks.
    expected: what the review lets one expect: 'yes' or 'no'.
    found: 'yes', 'no' or 'unclear'.
    estimate: the number; NaN where there is none.
    low: end of its 95% interval; NaN if it has none.
    high: the other end.
    details: other numbers, JSON-ready.
  """

  arm: str
  about: str
  expected: str
  found: str
  estimate: float = math.nan
  low: float = math.nan
  high: float = math.nan
  details: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  def to_json(self) -> dict[str, Any]:
    """With null for what is undefined."""
    found = dataclasses.asdict(self)
    for name in ('estimate', 'low', 'high'):
      if math.isnan(found[name]):
        found[name] = None
    return found


@dataclasses.dataclass(frozen=True)
class Row:
  """What an experiment found for one claim.

  Attributes:
    setup: the experiment, in a sentence or two.
    measure: what estimates and intervals are of.
    criterion: when an arm has the property.
    checks: by strategy.
    decimals: of the estimates, for tables.
  """

  setup: str
  measure: str
  criterion: str
  checks: Mapping[str, Sequence[Check]]
  decimals: int = 3


def outcome(checks: Sequence[Check]) -> str:
  """'agrees' if all checks find what the review says.

  'disagrees' if all find the opposite, 'qualified' otherwise: some arms,
  conditions or modalities differ, or the data do not say.

  Raises:
    ValueError: if there is no check.
  """
  if not checks:
    raise ValueError('A cell without a check has no outcome.')
  if all(c.found == c.expected for c in checks):
    return AGREES
  opposite = {YES: NO, NO: YES}
  if all(c.found == opposite[c.expected] for c in checks):
    return DISAGREES
  return QUALIFIED


def to_json(name: str, row: Row) -> dict[str, Any]:
  """A row as review_table.json holds it."""
  claim = CLAIMS[name]
  return {
    'property': claim.text,
    'setup': row.setup,
    'measure': row.measure,
    'criterion': row.criterion,
    'decimals': row.decimals,
    'cells': {
      strategy: {
        'review': claim.review[strategy],
        'outcome': outcome(row.checks[strategy]),
        'checks': [c.to_json() for c in row.checks[strategy]],
      }
      for strategy in STRATEGIES
    },
  }
