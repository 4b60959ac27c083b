"""Lists arms and parts: what they are made of and what they can do.

  fusion-jax arms
  fusion-jax arms --cohort=COHORT.toml
  fusion-jax arms --config=RUN/config.json
  fusion-jax arms --import=my.parts --arm='mine=joint(image=my_net)'

Arms are named in --arms, and parts in --arm=NAME=ARM(part=value,...), whose
grammar is in docs/configuration.md.
"""

import rich.box
import rich.table
import rich.text
from absl import flags

from fusion_jax.ablation import arm as arm_lib
from fusion_jax.ablation import roster, views
from fusion_jax.core import spec, types
from fusion_jax.fusion import late
from fusion_jax.launch import settings, terminal

_CONFIG = flags.DEFINE_string(
  'config',
  'default',
  'A named configuration (default, quick), or a saved config.json.',
)
_COHORT = flags.DEFINE_string(
  'cohort',
  None,
  'A cohort as for ablate, whose own modalities the arms are then made of.',
)
_SET = flags.DEFINE_multi_string(
  'set', [], 'NAME=VALUE of any setting; may be repeated.'
)
_ARM = flags.DEFINE_multi_string(
  'arm', [], 'NAME=ARM(part=value,...): one more arm, made of a known one.'
)
_IMPORT = flags.DEFINE_multi_string(
  'import', [], 'A module that registers parts of its own.'
)


def _parts(arm: arm_lib.Arm) -> str:
  """What --arm=NAME=ARM(...) can replace, as it stands."""
  named = {m: _input(x) for m, x in arm.inputs.items()}
  named |= {'combiner': arm.combiner, 'rule': arm.rule}
  named |= {f'exchange_{k}': x for k, x in arm.exchanges.items()}
  named |= {k: spec.text(v) for k, v in arm.train.items()}
  inside = ' '.join(f'{k}={v}' for k, v in named.items() if v)
  return f'{arm.learner}: {inside}'


def _input(x: arm_lib.Input) -> str:
  if x.view == views.RAW:
    return x.encoder or x.view
  if x.view == views.LOGITS:
    return x.of
  within = [f'of={x.of}'] if x.of else []
  within += [f'encoder={x.encoder}'] if x.encoder else []
  return x.view + (f'({",".join(within)})' if within else '')


def _table(*columns: str) -> rich.table.Table:
  table = rich.table.Table(
    box=rich.box.SIMPLE_HEAD,
    show_edge=False,
    pad_edge=False,
    padding=(0, 1, 0, 0),
  )
  for name in columns:
    # Others are never cut: these give way.
    table.add_column(
      name, no_wrap=name not in ('arm', 'made of'), overflow='fold'
    )
  return table


def _print_arms(console, arms) -> None:
  listed = {name: arms[name] for name in roster.listed(arms)}
  for name, arm in listed.items():
    kind = f'{arm.strategy} {arm.type}'.strip()
    line = f'{name:<16}{kind:<10}{arm.summary}'
    console.print(rich.text.Text(line), soft_wrap=True)
  tasks = _table('arm', *types.TASK_KINDS, 'if absent')
  made = _table('arm', 'interactions', 'made of')
  for name, arm in listed.items():
    claims = roster.claims(arm)
    tasks.add_row(name, *_tasks(claims.tasks), claims.absent)
    several = len(arm.modalities) > 1
    interacts = 'yes' if claims.interactions else 'no'
    made.add_row(
      name, interacts if several else '', rich.text.Text(_parts(arm))
    )
  console.print()
  console.print(tasks)
  console.print()
  console.print(made)
  console.print()


def _tasks(known) -> list[str]:
  return ['yes' if kind in known else '-' for kind in types.TASK_KINDS]


def _print_parts(console) -> None:
  lines = []
  for known in roster.registries():
    for name in known.names():
      entry = known.get(name)
      claims = dict(entry.claims)
      if known is late.RULES:
        # What a rule can fuse may depend on its arguments.
        claims['tasks'] = late.create(name).tasks
      claims = ''.join(f'; {k}: {_said(v)}' for k, v in claims.items())
      lines.append(f'{known.kind} {entry}: {entry.summary}{claims}')
  for line in lines:
    console.print(rich.text.Text(line), soft_wrap=True)


def _said(value) -> str:
  if isinstance(value, tuple):
    return ', '.join(value)
  return {True: 'yes', False: 'no'}.get(value, str(value))


def run() -> int:
  """Does it; returns the exit code."""
  config = settings.resolve(
    _CONFIG.value,
    {'cohort.name': _COHORT.value},
    _SET.value,
    arms=_ARM.value,
    imports=_IMPORT.value,
    # The cohort of a saved configuration may be elsewhere.
    described=_COHORT.value is not None,
  )
  console = terminal.Console()
  _print_arms(console, config.known_arms)
  _print_parts(console)
  return 0
