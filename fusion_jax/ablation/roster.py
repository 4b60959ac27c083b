"""Which arms can be run: checks of their parts, claims, and the choice."""

from collections.abc import Mapping, Sequence

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import learners, neural_learner, views
from fusion_jax.core import errors, registry, types
from fusion_jax.data import kind as kind_lib
from fusion_jax.encoders import protocol
from fusion_jax.fusion import late
from fusion_jax.fusion import protocol as fusion_protocol

Arms = Mapping[str, arm_lib.Arm]

# What the library gives to builders, where only the arguments of a part are
# looked at.
_STAND_INS = {
  'axis_name': None,
  'levels': 2,
  'num_codes': 2,
  'num_outputs': 1,
}


def registries() -> tuple[registry.Registry, ...]:
  """Of all parts that a spec can name."""
  return (
    *(protocol.encoders(kind) for kind in kind_lib.KINDS.names()),
    fusion_protocol.COMBINERS,
    fusion_protocol.EXCHANGES,
    late.RULES,
    *neural_learner.Neural.parts.values(),
  )


def claims(arm: arm_lib.Arm) -> arm_lib.Claims:
  """What an arm made of these parts can do."""
  tasks, interactions, absent = learners.of(arm).claims(arm)
  several = len(arm.modalities) > 1
  return arm_lib.Claims(
    tuple(k for k in types.TASK_KINDS if k in tasks),
    bool(interactions) and several,
    absent if several else 'prevalence',
  )


def parts(arm: arm_lib.Arm) -> dict[str, tuple[registry.Registry, str]]:
  """By place in the arm, each spec and the registry that knows its part."""
  found = {
    m: (protocol.encoders(views.encoder_kind(x)), x.encoder)
    for m, x in arm.inputs.items()
    if x.encoder
  }
  if arm.combiner:
    found['combiner'] = fusion_protocol.COMBINERS, arm.combiner
  if arm.rule:
    found['rule'] = late.RULES, arm.rule
  for k, text in arm.exchanges.items():
    found[f'exchange_{k}'] = fusion_protocol.EXCHANGES, text
  return found


def check(arms: Arms) -> None:
  """Checks every arm's parts.

  Raises:
    UserError: naming the arm and the part that is unknown, missing or unused.
  """
  for name, arm in arms.items():
    _check_arm(f'arms.{name}', arm, arms)


def _check_arm(where, arm, arms):
  _known(f'{where}.strategy', 'strategy', arm.strategy, arm_lib.STRATEGIES)
  _known(f'{where}.learner', 'learner', arm.learner, learners.LEARNERS)
  cls = learners.of(arm)
  if not arm.inputs:
    raise errors.UserError(f'{where}: an arm sees at least one modality.')
  for m, x in arm.inputs.items():
    _check_input(f'{where}.{m}', m, x, arm, arms)
  for place, used, value in (
    ('combiner', cls.encodes, arm.combiner),
    ('rule', cls.joins, arm.rule),
    *((m, cls.encodes, x.encoder) for m, x in arm.inputs.items()),
  ):
    if used and not value:
      raise errors.UserError(
        f'{where}.{place}: a part such as name(argument=value) is missing.'
      )
    if value and not used:
      what = 'encoder' if place in arm.inputs else place
      raise errors.UserError(
        f"{where}.{place}='{value}': an arm of the learner '{arm.learner}' "
        f'has no {what}.'
      )
  for place, (known, text) in parts(arm).items():
    _try(known, text, f'{where}.{place}')
  if arm.extracts and (len(arm.inputs) > 1 or not cls.encodes):
    raise errors.UserError(
      f'{where}: an arm whose features others use encodes one modality.'
    )
  if arm.exchanges and (
    not cls.encodes or len(arm.inputs) < 2 or arm.second_stage
  ):
    raise errors.UserError(
      f'{where}: exchanges are for networks that encode several modalities.'
    )
  for name in arm.train:
    if name not in cls.settings:
      raise errors.unknown_name('setting', name, cls.settings, where=where)


def _check_input(where, modality, x, arm, arms):
  cls = learners.of(arm)
  _known(where, 'view', x.view, views.ALL)
  if not cls.reads(x):
    raise errors.UserError(
      f"{where}: an arm of the learner '{arm.learner}' cannot see the view "
      f"'{x.view}' of a modality of kind '{x.kind}'."
    )
  if x.view not in views.UPSTREAM:
    if x.of:
      raise errors.UserError(
        f"{where}: the view '{x.view}' is of no arm, not of '{x.of}'."
      )
    return
  _known(where, 'arm', x.of, arms)
  other = arms[x.of]
  if x.view in views.ENCODED:
    if x.view == views.FEATURES and x.encoder not in ('', arm_lib.PLAIN):
      raise errors.UserError(
        f'{where}: features of an arm are joined as they are; '
        f"'{x.encoder}' would not be used."
      )
    fits = other.extracts and other.modalities == (modality,)
    if fits and learners.of(other).learns == (x.view == views.PRETRAINED):
      right = {views.FEATURES, views.PRETRAINED} - {x.view}
      raise errors.UserError(
        f"{where}: what '{x.of}' gives is seen as {right.pop()}(of={x.of})."
      )
  else:
    term = tuple(m for m, y in arm.inputs.items() if y.of == x.of)
    fits = not other.extracts and set(other.modalities) == set(term)
  if not fits:
    raise errors.UserError(
      f"{where}: '{x.of}' does not give what is needed of the {modality}."
    )


def _try(known: registry.Registry, text: str, where: str) -> None:
  """Checks a part and makes it once: builders refuse some values."""
  part = known.check(text, where=where)
  if not {*known.get(part.name).given} <= _STAND_INS.keys():
    return  # It is given what only a cohort tells.
  try:
    known.build(part, **_STAND_INS)
  except errors.UserError as e:
    raise errors.UserError(f'{where}: {e}') from None


def _known(where, kind, value, legal):
  if value not in legal:
    raise errors.unknown_name(kind, value, legal, where=where)


def check_names(arms: Arms, requested: Sequence[str]) -> None:
  """Checks names of arms to run.

  Raises:
    UserError: for one that is unknown or is no arm of the table.
  """
  for name in requested:
    if name not in listed(arms):
      raise errors.unknown_name('arm', name, listed(arms), where='--arms')


def listed(arms: Arms) -> list[str]:
  """The arms of the table, in its order."""
  found = [n for n, a in arms.items() if not a.extracts]
  return sorted(found, key=lambda n: arm_lib.STRATEGIES.index(arms[n].strategy))


def select(
  arms: Arms,
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
  table = listed(arms)
  chosen, warnings = set(), []
  for name in requested or table:
    reason = _obstacle(arms, name, task, modalities)
    if not reason:
      chosen.update(x for x in _path(arms, name) if x in table)
    elif requested:
      raise errors.UserError(f"Arm '{name}' {reason}")
    else:
      warnings.append(f"Arm '{name}' was left out: it {reason}")
  if not chosen:
    raise errors.UserError(
      f'No arm can be run on a {task.kind} cohort with '
      f'{" and ".join(modalities) or "no modality"}.'
    )
  return [n for n in table if n in chosen], warnings


def _path(arms, name):
  """The arm and all that it stands on."""
  yield name
  for other in arms[name].upstream:
    yield from _path(arms, other)


def _obstacle(arms, name, task, modalities) -> str:
  for each in _path(arms, name):
    supported = claims(arms[each]).tasks
    if task.kind not in supported:
      needs = f"needs '{each}', which " if each != name else ''
      return (
        f'{needs}does not support {task.kind} tasks, only '
        f'{", ".join(supported)}.'
      )
  missing = [m for m in arms[name].modalities if m not in modalities]
  if missing:
    return f'needs {" and ".join(missing)} data, which the cohort lacks.'
  return ''
