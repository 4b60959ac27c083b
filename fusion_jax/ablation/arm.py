"""An arm as data: what it sees, what it is made of and what it claims.

Nothing here names a modality or knows a learner. Arms are made by families.py
and by arm_text.py, checked by roster.py and trained by learners.py.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

from fusion_jax.ablation import views
from fusion_jax.core import types

SINGLE = 'single'
EARLY = 'early'
JOINT = 'joint'
LATE = 'late'
UPSTREAM = 'upstream'
# The order of every table; upstream arms train for others and are in none.
STRATEGIES = (SINGLE, EARLY, JOINT, LATE, UPSTREAM)

IMAGING, RECORD = types.IMAGING, types.RECORD
SIDES = (IMAGING, RECORD)

# The name of every encoder without parameters.
PLAIN = 'raw'


@dataclasses.dataclass(frozen=True)
class Modality:
  """A modality of a cohort, as far as arms are concerned.

  Attributes:
    name: as the cohort names it.
    kind: 'image', 'table', ... (data/kind.py).
    side: 'imaging' or 'record'.
  """

  name: str
  kind: str
  side: str


@dataclasses.dataclass(frozen=True)
class Input:
  """What an arm sees of one modality.

  Attributes:
    kind: of the modality.
    encoder: spec of what encodes it; '' where the learner has no encoders.
    of: the arm that gives it its features or logits; '' for other views.
    view: one of `views.ALL`.
  """

  kind: str
  encoder: str = ''
  of: str = ''
  view: str = views.RAW


@dataclasses.dataclass(frozen=True)
class Arm:
  """What one arm is made of.

  Attributes:
    summary: one line for listings.
    strategy: one of STRATEGIES.
    learner: a name of `learners.LEARNERS`, such as 'neural' or 'trees'.
    inputs: by modality, in the order in which the arm joins them.
    type: 'I' or 'II' where the review distinguishes them, else empty.
    combiner: spec of what joins the encoders; '' where there are none.
    exchanges: by number of stages that encoders have done, spec of what then
      passes between them.
    rule: spec of a late rule; '' where no predictions are joined.
    train: by name, settings of the learner's own group of the configuration
      that this arm replaces.
  """

  summary: str
  strategy: str
  learner: str
  inputs: Mapping[str, Input]
  type: str = ''
  combiner: str = ''
  rule: str = ''
  train: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  exchanges: Mapping[int, str] = dataclasses.field(default_factory=dict)

  @property
  def modalities(self) -> tuple[str, ...]:
    """Those it sees."""
    return tuple(self.inputs)

  @property
  def upstream(self) -> tuple[str, ...]:
    """The arms it stands on, each once."""
    return tuple(dict.fromkeys(x.of for x in self.inputs.values() if x.of))

  @property
  def extracts(self) -> bool:
    """Whether it is there for the features that its encoders give others."""
    return self.strategy == UPSTREAM

  @property
  def second_stage(self) -> tuple[str, ...]:
    """The modalities of which it sees the features of other arms' encoders."""
    return tuple(m for m, x in self.inputs.items() if x.view in views.ENCODED)

  @property
  def halved(self) -> bool:
    """Whether an encoder that it sees was trained on a half (learner.py)."""
    return any(x.view == views.FEATURES for x in self.inputs.values())

  @property
  def reduced(self) -> tuple[str, ...]:
    """The modalities of which it sees what the preprocessing reduces."""
    return tuple(m for m, x in self.inputs.items() if x.view == views.REDUCED)

  @property
  def terms(self) -> dict[str, tuple[str, tuple[str, ...]]]:
    """What a late rule joins: by term, an arm and the modalities it is for.

    A term has the name of the first of its modalities.
    """
    by_arm: dict[str, list[str]] = {}
    for modality, x in self.inputs.items():
      by_arm.setdefault(x.of, []).append(modality)
    return {ms[0]: (of, tuple(ms)) for of, ms in by_arm.items()}


@dataclasses.dataclass(frozen=True)
class Claims:
  """What an arm says it can do; the tests hold it to that.

  Attributes:
    tasks: kinds of tasks it can be trained for.
    interactions: whether one modality's effect on the logits may depend on
      another's value.
    absent: what stands for a modality that a study lacks.
  """

  tasks: tuple[str, ...]
  interactions: bool
  absent: str


def review_type(strategy: str, inputs: Mapping[str, Input]) -> str:
  """'I' or 'II' as the review (Huang et al. 2020) tells them apart, or ''.

  Early fusion of type II joins extracted features, of type I inputs. Joint
  fusion of type II has a modality without an encoder that learns.
  """
  seen = {x.view for x in inputs.values()}
  if strategy == EARLY:
    return 'II' if seen & {*views.ENCODED} else 'I'
  if strategy == JOINT:
    plain = any(x.encoder == PLAIN for x in inputs.values())
    return 'II' if plain else 'I'
  return ''
