"""Lists the arms, what they are made of and the tasks they can be trained for.

  fusion-jax arms
  fusion-jax arms --config=RUN/config.json

The names are those of --arms and of --set=arms.NAME.PART=... elsewhere.
"""

import rich.box
import rich.table
import rich.text
from absl import flags

from fusion_jax.ablation import arms as arms_lib
from fusion_jax.core import types
from fusion_jax.launch import settings, terminal

_CONFIG = flags.DEFINE_string(
  'config',
  'default',
  'A named configuration (default, quick), or a saved config.json.',
)
_SET = flags.DEFINE_multi_string(
  'set', [], 'NAME=VALUE of any setting; may be repeated.'
)


def _parts(arm: arms_lib.ArmConfig) -> str:
  """What --set=arms.NAME.PART=... can exchange, as it stands."""
  named = {
    'learner': arm.learner,
    'image_encoder': arm.image_encoder,
    'ehr_encoder': arm.ehr_encoder,
    'combiner': arm.combiner,
    'rule': arm.rule,
    'image_input': arm.image_input,
  }
  return ' '.join(f'{k}={v}' for k, v in named.items() if v)


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


def run() -> int:
  """Does it; returns the exit code."""
  arms = settings.resolve(_CONFIG.value, {}, _SET.value).arms
  listed = {
    name: arm
    for strategy in arms_lib.STRATEGIES
    for name, arm in arms.items()
    if arm.strategy == strategy != arms_lib.UPSTREAM
  }
  console = terminal.Console()
  for name, arm in listed.items():
    kind = f'{arm.strategy} {arm.type}'.strip()
    line = f'{name:<16}{kind:<10}{arm.summary}'
    console.print(rich.text.Text(line), soft_wrap=True)
  tasks = _table('arm', *types.TASK_KINDS, 'if absent')
  for name, arm in listed.items():
    claims = arms_lib.claims(arm)
    tasks.add_row(
      name,
      *('yes' if kind in claims.tasks else '-' for kind in types.TASK_KINDS),
      claims.absent,
    )
  console.print()
  console.print(tasks)
  console.print()
  parts = _table('arm', 'interactions', 'made of')
  for name, arm in listed.items():
    several = len(arm.modalities) > 1
    interacts = 'yes' if arms_lib.claims(arm).interactions else 'no'
    parts.add_row(
      name, interacts if several else '', rich.text.Text(_parts(arm))
    )
  console.print(parts)
  return 0
