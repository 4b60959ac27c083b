"""Pools the gains of several runs: does fusion help, where, by which strategy?

  fusion-jax league --runs=A,B,C,D
  fusion-jax league --runs=A,B,C,D --out=DIR

A, B, C and D are folders of finished runs on different cohorts, or of
`evaluate`. The gain of fusion over the best single modality is pooled by method
and by strategy in a random-effects meta-analysis, with a prediction interval
from five cohorts on. --out gets league.html, league.json, tables and figures.
"""

import json
import pathlib

import rich.text
from absl import flags

from fusion_jax.ablation import store
from fusion_jax.core import errors, files
from fusion_jax.evaluation import league as league_lib
from fusion_jax.evaluation import league_runs, meta_analysis
from fusion_jax.launch import output, terminal
from fusion_jax.report import console as report_console
from fusion_jax.report import league as league_report

DATA = 'league.json'

_RUNS = flags.DEFINE_list('runs', [], 'Folders of finished runs, two or more.')
_OUT = flags.DEFINE_string('out', '', 'Folder of page, tables and figures.')
_ESTIMATOR = flags.DEFINE_string(
  'estimator',
  meta_analysis.REML,
  'Of the variance between cohorts: reml, dl (DerSimonian and Laird) or pm '
  '(Paule and Mandel).',
)
_SHARED = flags.DEFINE_string(
  'shared',
  league_lib.REFUSE,
  'What to do with runs on one cohort, which are not independent: refuse them, '
  'average their gains, or take them as independent where ids of studies only '
  'happen to be the same.',
)


def run() -> int:
  """Does it; returns the exit code."""
  folders = [x.strip() for x in _RUNS.value]
  if not all(folders):
    raise errors.UserError(
      f'--runs={",".join(_RUNS.value)}: the name of a folder is empty.'
    )
  runs = league_runs.read(folders)
  found = league_lib.summarise(
    runs, estimator=_ESTIMATOR.value, shared=_SHARED.value
  )
  written = []
  if _OUT.value:
    text = json.dumps(found, indent=2, allow_nan=False, ensure_ascii=False)
    made = {DATA: f'{text}\n'.encode(), **league_report.contents(found)}
    folder = pathlib.Path(_OUT.value)
    for name in made:
      store.make_folder((folder / name).parent)
    for name, content in made.items():
      with files.saving(folder / name) as part:
        part.write_bytes(content)
    written = [folder / DATA, folder / league_report.PAGE]
  console = terminal.Console()
  report_console.print_screen(league_report.screen(found), console)
  console.print()
  output.print_table(league_report.short(found), console)
  for line in found['warnings']:
    console.print(rich.text.Text(f'Warning: {line}', 'yellow'))
  for path in written:
    console.print(rich.text.Text(f'Wrote {path}'), soft_wrap=True)
  return 0
