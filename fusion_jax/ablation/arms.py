"""The arms of an ablation, as data: what each is made of and what it claims."""

import dataclasses
from collections.abc import Mapping, Sequence

from fusion_jax.core import errors, registry, spec, types
from fusion_jax.encoders import protocol
from fusion_jax.fusion import late
from fusion_jax.fusion import protocol as fusion_protocol

SINGLE = 'single'
EARLY = 'early'
JOINT = 'joint'
LATE = 'late'
UPSTREAM = 'upstream'
# The order of every table; upstream arms train for others and are in none.
STRATEGIES = (SINGLE, EARLY, JOINT, LATE, UPSTREAM)

NEURAL = 'neural'
ELASTIC_NET = 'elastic_net'
TREES = 'trees'
RULE = 'rule'
LEARNERS = (NEURAL, ELASTIC_NET, TREES, RULE)

IMAGES = 'images'
PIXELS = 'pixels'
FEATURES = 'features'
IMAGE_INPUTS = (IMAGES, PIXELS, FEATURES)

EXTRACTOR = 'extractor'

_BOTH = (types.IMAGE, types.EHR)
_TWO_LAYERS = 'concat(hidden=(64,64))'


@dataclasses.dataclass(frozen=True)
class ArmConfig:
  """What one arm is made of.

  Attributes:
    summary: one line for listings.
    strategy: 'single', 'early', 'joint', 'late' or 'upstream'.
    type: 'I' or 'II' where the review distinguishes them, else empty.
    learner: 'neural', 'elastic_net', 'trees' or 'rule'.
    modalities: those it sees.
    image_input: 'images', 'pixels' (reduced by the preprocessing) or
      'features' (of the frozen image encoder of an upstream arm).
    image_encoder: neural only: spec of an image encoder, 'raw' for vectors.
    ehr_encoder: neural only: spec of a table encoder.
    combiner: neural only: spec of a combiner.
    rule: 'rule' only: a late rule.
    upstream: arms whose features or predictions it needs.
  """

  summary: str
  strategy: str
  learner: str
  modalities: tuple[str, ...]
  type: str = ''
  image_input: str = ''
  image_encoder: str = ''
  ehr_encoder: str = ''
  combiner: str = ''
  rule: str = ''
  upstream: tuple[str, ...] = ()


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


def _neural(summary, strategy, modalities=_BOTH, **parts) -> ArmConfig:
  return ArmConfig(summary, strategy, NEURAL, modalities, **parts)


def _late(rule: str, summary: str, image='image', ehr='ehr') -> ArmConfig:
  return ArmConfig(summary, LATE, RULE, _BOTH, rule=rule, upstream=(image, ehr))


ARMS: Mapping[str, ArmConfig] = {
  'image': _neural(
    'image encoder alone',
    SINGLE,
    (types.IMAGE,),
    image_input=IMAGES,
    image_encoder='resnet',
    combiner='additive',
  ),
  'ehr': _neural(
    'EHR encoder alone',
    SINGLE,
    (types.EHR,),
    ehr_encoder='mlp',
    combiner='additive',
  ),
  'ehr_linear': ArmConfig(
    'elastic net on the EHR', SINGLE, ELASTIC_NET, (types.EHR,)
  ),
  'ehr_trees': ArmConfig(
    'gradient boosting on the EHR', SINGLE, TREES, (types.EHR,)
  ),
  'image_linear': ArmConfig(
    "elastic net on a frozen image encoder's features",
    SINGLE,
    ELASTIC_NET,
    (types.IMAGE,),
    image_input=FEATURES,
    upstream=(EXTRACTOR,),
  ),
  'image_pca': ArmConfig(
    'elastic net on PCA of pixels and a colour histogram',
    SINGLE,
    ELASTIC_NET,
    (types.IMAGE,),
    image_input=PIXELS,
  ),
  'early_raw': _neural(
    'reduced pixels and raw EHR into one MLP',
    EARLY,
    type='I',
    image_input=PIXELS,
    image_encoder='raw',
    ehr_encoder='raw',
    combiner=_TWO_LAYERS,
  ),
  'early_pca': ArmConfig(
    'reduced pixels and raw EHR into one elastic net',
    EARLY,
    ELASTIC_NET,
    _BOTH,
    type='I',
    image_input=PIXELS,
  ),
  'early_features': _neural(
    'frozen image features and raw EHR into one MLP',
    EARLY,
    type='II',
    image_input=FEATURES,
    image_encoder='raw',
    ehr_encoder='raw',
    combiner=_TWO_LAYERS,
    upstream=(EXTRACTOR,),
  ),
  'early_trees': ArmConfig(
    'frozen image features and EHR into gradient boosting',
    EARLY,
    TREES,
    _BOTH,
    type='II',
    image_input=FEATURES,
    upstream=(EXTRACTOR,),
  ),
  'joint': _neural(
    'both encoders and an MLP head trained together',
    JOINT,
    type='I',
    image_input=IMAGES,
    image_encoder='resnet',
    ehr_encoder='mlp',
    combiner='concat',
  ),
  'joint_raw_ehr': _neural(
    'image encoder and MLP head trained together, raw EHR',
    JOINT,
    type='II',
    image_input=IMAGES,
    image_encoder='resnet',
    ehr_encoder='raw',
    combiner='concat',
  ),
  'joint_additive': _neural(
    'both encoders and one linear layer: additive, no interactions',
    JOINT,
    type='I',
    image_input=IMAGES,
    image_encoder='resnet',
    ehr_encoder='mlp',
    combiner='additive',
  ),
  'late_mean': _late('mean', 'mean of the two predictions'),
  'late_vote': _late('vote', 'vote of the two predictions'),
  'late_weighted': _late('weighted', 'weighted mean, weights from validation'),
  'late_stack': _late('stack', 'meta-classifier on the two predictions'),
  'late_linear': _late(
    'mean', 'mean of two elastic nets', image='image_pca', ehr='ehr_linear'
  ),
  EXTRACTOR: _neural(
    'image encoders trained on either half of the training part',
    UPSTREAM,
    (types.IMAGE,),
    image_input=IMAGES,
    image_encoder='resnet',
    combiner='additive',
  ),
}


def claims(arm: ArmConfig) -> Claims:
  """What an arm made of these parts can do."""
  if arm.learner == NEURAL:
    parts = [
      known.get(spec.parse(getattr(arm, name)).name)
      for name, known in _registries(arm).items()
      if getattr(arm, name)
    ]
    tasks = set(types.TASK_KINDS)
    for part in parts:
      tasks &= set(part.claims.get('tasks', types.TASK_KINDS))
    interactions = bool(parts[0].claims.get('interactions', False))
  elif arm.learner == RULE:
    tasks = set(late.TASKS[arm.rule])
    interactions = arm.rule == late.VOTE
  else:
    tasks = set(types.TASK_KINDS)
    interactions = arm.learner == TREES
  if len(arm.modalities) == 1:
    absent = 'prevalence'
  elif arm.learner == RULE:
    absent = 'left out'
  elif arm.learner == NEURAL:
    absent = 'indicator'
  else:
    absent = 'indicator' if arm.learner == ELASTIC_NET else 'missing'
  ordered = tuple(k for k in types.TASK_KINDS if k in tasks)
  return Claims(ordered, interactions and len(arm.modalities) > 1, absent)


def _registries(arm: ArmConfig) -> dict[str, registry.Registry]:
  """By field that holds a spec, what it is looked up in."""
  vectors = arm.image_input in (PIXELS, FEATURES)
  return {
    'combiner': fusion_protocol.COMBINERS,
    'image_encoder': protocol.VECTOR if vectors else protocol.IMAGE,
    'ehr_encoder': protocol.TABLE,
  }


def check(arms: Mapping[str, ArmConfig]) -> None:
  """Checks every arm's parts.

  Raises:
    UserError: naming the arm and the part that is unknown, missing or unused.
  """
  for name, arm in arms.items():
    _check_arm(name, arm, arms)


def _check_arm(name, arm, arms):
  where = f'arms.{name}'
  _known(f'{where}.strategy', 'strategy', arm.strategy, STRATEGIES)
  _known(f'{where}.learner', 'learner', arm.learner, LEARNERS)
  for modality in arm.modalities or ('',):
    _known(f'{where}.modalities', 'modality', modality, _BOTH)
  for other in arm.upstream:
    _known(f'{where}.upstream', 'arm', other, arms)
  sees_image = types.IMAGE in arm.modalities and arm.learner != RULE
  sees_ehr = types.EHR in arm.modalities
  neural = arm.learner == NEURAL
  uses = {
    'image_input': (sees_image, IMAGE_INPUTS),
    'image_encoder': (neural and sees_image, None),
    'ehr_encoder': (neural and sees_ehr, None),
    'combiner': (neural, None),
    'rule': (arm.learner == RULE, late.RULES),
  }
  for part, (used, legal) in uses.items():
    value = getattr(arm, part)
    if used and legal is None:
      _registries(arm)[part].check(value, where=f'{where}.{part}')
    elif used:
      _known(f'{where}.{part}', part.replace('_', ' '), value, legal)
    elif value:
      raise errors.UserError(
        f"{where}.{part}='{value}': a {arm.learner} arm of "
        f'{" and ".join(arm.modalities)} has no {part.replace("_", " ")}.'
      )
  needed = {FEATURES: 1}.get(arm.image_input, 0)
  needed = len(arm.modalities) if arm.learner == RULE else needed
  if len(arm.upstream) != needed:
    raise errors.UserError(
      f'{where}.upstream={",".join(arm.upstream)}: expected {needed} arms.'
    )
  for other, modality in zip(arm.upstream, arm.modalities, strict=False):
    fits = arms[other].modalities == (modality,)
    if arm.image_input == FEATURES:
      fits = arms[other].strategy == UPSTREAM
    if not fits:
      raise errors.UserError(
        f"{where}.upstream: '{other}' does not give what is needed of the "
        f'{modality}.'
      )


def _known(where, kind, value, legal):
  if value not in legal:
    raise errors.unknown_name(kind, value, legal, where=where)


def check_names(
  arms: Mapping[str, ArmConfig], requested: Sequence[str]
) -> None:
  """Checks names of arms to run.

  Raises:
    UserError: for one that is unknown or is no arm of the table.
  """
  for name in requested:
    if name not in _listed(arms):
      raise errors.unknown_name('arm', name, _listed(arms), where='--arms')


def _listed(arms) -> list[str]:
  return [n for n, a in arms.items() if a.strategy != UPSTREAM]


def select(
  arms: Mapping[str, ArmConfig],
  requested: Sequence[str],
  *,
  task: types.Task,
  modalities: Sequence[str],
) -> tuple[list[str], list[str]]:
  """The arms to run, in the order of the table, and why others are not.

  Args:
    arms: all known arms.
    requested: names asked for; empty for all that are possible.
    task: what is predicted.
    modalities: those the cohort has.

  Returns:
    Names of the arms of the table, including those that a requested arm needs
    the predictions of, and one warning per arm left out.

  Raises:
    UserError: for an unknown name, or a named arm that cannot be run.
  """
  check_names(arms, requested)
  listed = _listed(arms)
  chosen, warnings = set(), []
  for name in requested or listed:
    reason = _obstacle(arms[name], task, modalities)
    if not reason:
      chosen.add(name)
      chosen.update(u for u in arms[name].upstream if u in listed)
    elif requested:
      raise errors.UserError(f"Arm '{name}' {reason}")
    else:
      warnings.append(f"Arm '{name}' was left out: it {reason}")
  if not chosen:
    raise errors.UserError(
      f'No arm can be run on a {task.kind} cohort with '
      f'{" and ".join(modalities) or "no modality"}.'
    )
  ordered = sorted(
    (n for n in listed if n in chosen),
    key=lambda n: STRATEGIES.index(arms[n].strategy),
  )
  return ordered, warnings


def _obstacle(arm, task, modalities) -> str:
  supported = claims(arm).tasks
  if task.kind not in supported:
    return f'does not support {task.kind} tasks, only {", ".join(supported)}.'
  missing = [m for m in arm.modalities if m not in modalities]
  if missing:
    return f'needs {" and ".join(missing)} data, which the cohort lacks.'
  return ''
