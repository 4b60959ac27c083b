"""What is asked: every registered part, in an arm that shows what it does."""

import dataclasses
from collections.abc import Mapping, Sequence

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import views
from fusion_jax.core import errors, registry, spec
from fusion_jax.data import cohort as cohort_lib
from fusion_jax.fusion import late
from fusion_jax.fusion import protocol as fusion_protocol
from fusion_jax.training import protocol as training_protocol

SINGLE, COMBINER, EXCHANGE = 'single', 'combiner', 'exchange'
METHOD, RULE = 'method', 'rule'
KINDS = (SINGLE, COMBINER, EXCHANGE, METHOD, RULE)
_REGISTRIES = {
  COMBINER: fusion_protocol.COMBINERS,
  EXCHANGE: fusion_protocol.EXCHANGES,
  METHOD: training_protocol.METHODS,
  RULE: late.RULES,
}
# Where a modality may be absent: a claim of `missing` names some, or is True.
TRAINING, TEST, BOTH = 'training', 'test', 'both'
WHERE = (TEST, TRAINING, BOTH)
# What joins encoders where the combiner is not what is asked: a method is one
# of the default head, an exchange has all interactions to itself.
_OF_METHODS, _OF_EXCHANGES = 'concat', 'additive'
# An exchange follows the stems, so that what encoders do is still to come: one
# that adds something of the others is additive without it.
_STAGE = 0
# Most of what sizes a part in small, by the names that arguments have.
_SMALL = {'width': 16, 'depth': 2, 'heads': 2, 'hidden': (16,), 'dropout': 0.1}


@dataclasses.dataclass(frozen=True)
class Subject:
  """One row.

  Attributes:
    kind: one of KINDS.
    name: of the part; of a single, the modality.
    interactions: whether it claims them; None where that is not its to claim.
    missing: the places of WHERE in which it claims to handle an absent
      modality.
  """

  kind: str
  name: str
  interactions: bool | None = None
  missing: tuple[str, ...] = ()

  @property
  def key(self) -> str:
    """What --rows names."""
    return f'{self.kind}:{self.name}'


def every() -> list[Subject]:
  """All registered combiners, exchanges, methods and late rules."""
  found = []
  for kind, known in _REGISTRIES.items():
    for name in known.names():
      claims = known.get(name).claims
      interactions = {
        COMBINER: claims.get('interactions', False),
        EXCHANGE: claims.get('interactions', True),
        METHOD: claims.get('interactions'),
      }.get(kind)
      if kind == RULE:
        # Whatever it is of: no model below it has seen more than one modality.
        interactions = False
      found.append(Subject(kind, name, interactions, places(claims)))
  return found


def places(claims: Mapping) -> tuple[str, ...]:
  """Where a part claims to handle an absent modality.

  Raises:
    ValueError: for a claim of a place that is none of WHERE.
  """
  claimed = claims.get('missing', False)
  if isinstance(claimed, bool):
    return WHERE if claimed else ()
  if unknown := {*claimed} - {*WHERE}:
    raise ValueError(f'missing={claimed}: unknown {sorted(unknown)}')
  return tuple(x for x in WHERE if x in claimed)


def chosen(keys: Sequence[str]) -> list[Subject]:
  """Those that `keys` name by kind or as KIND:NAME; all if there are none.

  Raises:
    UserError: for a key of none.
  """
  known = every()
  for key in keys:
    if not any(key in (x.key, x.kind) for x in known):
      legal = [*_REGISTRIES, *(x.key for x in known)]
      raise errors.unknown_name('row', key, legal, where='--rows')
  return [x for x in known if not keys or x.key in keys or x.kind in keys]


def arm(
  subject: Subject,
  cohort: cohort_lib.Cohort,
  encoders: Mapping[str, tuple[str, str]],
  *,
  small: bool = False,
) -> arm_lib.Arm:
  """The arm that shows what a subject does with a cohort's modalities.

  Args:
    subject: whose row it is.
    cohort: whose modalities it sees.
    encoders: by kind of modality, its view and encoder.
    small: whether the part and what joins encoders are of a few numbers.
  """

  def of(known: registry.Registry, name: str) -> str:
    return in_small(known, name) if small else name

  if subject.kind == RULE:
    inputs = {
      m: arm_lib.Input(x.kind, of=m, view=views.LOGITS)
      for m, x in cohort.modalities.items()
    }
    return arm_lib.Arm(
      subject.key, arm_lib.LATE, 'rule', inputs, rule=subject.name
    )
  seen = {
    m: arm_lib.Input(x.kind, encoders[x.kind][1], view=encoders[x.kind][0])
    for m, x in cohort.modalities.items()
    if subject.kind != SINGLE or m == subject.name
  }
  made = arm_lib.Arm(subject.key, arm_lib.JOINT, 'neural', seen)
  if subject.kind == SINGLE:
    return dataclasses.replace(
      made, strategy=arm_lib.SINGLE, combiner=_OF_EXCHANGES
    )
  combiners = fusion_protocol.COMBINERS
  if subject.kind == COMBINER:
    combiner = of(combiners, subject.name)
    return dataclasses.replace(made, combiner=combiner)
  if subject.kind == EXCHANGE:
    exchange = of(fusion_protocol.EXCHANGES, subject.name)
    return dataclasses.replace(
      made, combiner=_OF_EXCHANGES, exchanges={_STAGE: exchange}
    )
  claims = training_protocol.METHODS.get(subject.name).claims
  return dataclasses.replace(
    made,
    combiner=of(combiners, claims.get('combiner', _OF_METHODS)),
    train={'methods': (of(training_protocol.METHODS, subject.name),)},
  )


def in_small(known: registry.Registry, name: str) -> str:
  """The spec of a part with its sizes in small, where it has them."""
  given = {}
  for argument, most in _SMALL.items():
    default = getattr(known.get(name).arguments.get(argument), 'default', None)
    # A name may mean something else to another package's part.
    if type(default) is type(most):
      given[argument] = min(default, most)
  return str(known.check(spec.Spec(name, given)))
