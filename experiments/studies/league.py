r"""Runs fusion on public cohorts beside frozen recipes, and pools the gains.

  python -m experiments.studies.league --data_root=DATA --out=DIR
  python -m experiments.studies.league --data_root=DATA --out=DIR --docs=docs

DATA holds the folders pad_ufes20_lesions and ham10000_64. The same command goes
on where it stopped. What is run is in public/tasks.py; docs/league.md holds
what was found.
"""

import json
import pathlib

import rich.text
from absl import flags

from experiments.studies.public import page, study, tasks
from fusion_jax.ablation import store
from fusion_jax.core import errors, files
from fusion_jax.launch import launch, terminal
from fusion_jax.parallel import cache
from fusion_jax.report import console as report_console
from fusion_jax.report import league as league_report

_DATA_ROOT = flags.DEFINE_string(
  'data_root', '', 'Holds the folders of the cohorts.'
)
_OUT = flags.DEFINE_string('out', '', 'Folder of the runs and the page.')
_DOCS = flags.DEFINE_string('docs', '', 'Folder to write the page to as well.')
_TASKS = flags.DEFINE_list('tasks', [], 'Run these only; all if empty.')
_STAGES = flags.DEFINE_list('stages', [], 'Run these only; all if empty.')
_SET = flags.DEFINE_multi_string('set', [], 'NAME=VALUE of any setting.')


def _chosen(flag, known):
  names = {x.name: x for x in known}
  for name in flag.value:
    if name not in names:
      raise errors.unknown_name(
        flag.name.removesuffix('s'), name, names, where=f'--{flag.name}'
      )
  return [names[x] for x in flag.value or names]


def _run() -> int:
  cache.keep_compiled_programs()
  if not (_DATA_ROOT.value and _OUT.value):
    raise errors.UserError('Give --data_root=DIR and --out=DIR.')
  chosen, stages = _chosen(_TASKS, tasks.TASKS), _chosen(_STAGES, tasks.STAGES)
  out = pathlib.Path(_OUT.value)
  store.make_folder(out)
  console = terminal.Console()
  with launch.resumable(out):
    for stage in stages:
      for task in chosen:
        console.print(f'{task.title}: {stage.name}')
        study.run(stage, task, _DATA_ROOT.value, out, _SET.value)
  finished = study.finished(out)
  for task in finished:
    study.against(task, out)
  if len({x.data for x in finished}) < 2:
    console.print('A league needs finished tasks of two cohorts.')
    return 0
  league = study.pooled(out, finished)
  made = league_report.contents(league) | {
    'league.json': json.dumps(league, indent=1, allow_nan=False).encode()
  }
  for name, content in made.items():
    store.make_folder((out / name).parent)
    with files.saving(out / name) as part:
      part.write_bytes(content)
  targets = [out, *([pathlib.Path(_DOCS.value)] if _DOCS.value else [])]
  report_console.print_screen(league_report.screen(league), console)
  for path in page.write(out, league, finished, targets):
    console.print(rich.text.Text(f'Wrote {path}'), soft_wrap=True)
  return 0


if __name__ == '__main__':
  launch.main(_run)
